"""Results of single words, remembered from one block of texts to the next.

Most words of a block stood in an earlier one, and a tokenizer takes twenty times as long as a look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_WORDS = 50_000
"""Most words of a cache, some 10 MB with their tokens; a block of 10,000 messages has about as many thousands."""


class WordCache(Generic[T]):
    """Remembers a function of single words; safe to share between threads.

    Args:
        compute: Returns one result per word, never None; a result depends on its word alone.
        most: Most words that are remembered; when more come, the cache starts anew.
    """

    def __init__(self, compute: Callable[[list[str]], Sequence[T]], most: int = MOST_WORDS) -> None:
        self._compute = compute
        self._most = most
        self._known: dict[str, T] = {}

    def results(self, words: list[str]) -> list[T]:
        """Return the result of each word; only words without one are computed."""
        known = self._known
        absent = [word for word in dict.fromkeys(words) if word not in known]
        fresh = dict(zip(absent, self._compute(absent), strict=True)) if absent else {}
        results = [fresh[word] if word in fresh else known[word] for word in words]
        if len(known) + len(fresh) > self._most:
            known = self._known = {}  # other threads go on reading the old words
        for word in absent[: self._most]:
            known[word] = fresh[word]
        return results
