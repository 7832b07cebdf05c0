"""Choose the words of a message that a reason quotes, without function words.

In scripts without spaces between words, a word is a whole clause; of it a short piece is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from analytics_platform.insights.encoders.words import Words
from analytics_platform.insights.reasons.function_words import MARKS, Languages

MOST_WORDS = 4
_REACH = 3
"""Most words between the strongest word and the next content word in a quoted phrase."""
_SPAN = 6
"""Most words of a quoted span of words that tell together what is asked for."""
_PIECE = 12
"""Most characters of a quotation in a script without spaces."""
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_PARTICLES = frozenset("的了是在我你您他她它们这那吗呢吧啊请就也都和与把被给对にをはがのでともへかねよてたすまいうる")


class Quotes:
    """Quotations from messages; made for a day's messages and those of them that are quoted.

    Args:
        words: Words of all messages.
        messages: Indices of the messages that are quoted; repeats are allowed.
    """

    def __init__(self, words: Words, messages: Iterable[int]) -> None:
        quoted, self._row = np.unique(np.fromiter(messages, np.int64), return_inverse=True)
        self._place = {message: row for row, message in enumerate(quoted.tolist())}
        self._words = words.take_written(quoted)
        self._languages = Languages.of(self._words)
        self._names: list[str] = self._words.vocabulary.to_pylist()
        self._code = {name: code for code, name in enumerate(self._names)}

    def choose(self, message: int, ranked: Sequence[str], *, is_asked: bool = False) -> tuple[str, ...]:
        """Return the ranked words of a message that are no function words.

        If all are function words, the shortest phrase that joins the first one with a word of content is returned.

        Args:
            message: Index of the message.
            ranked: Words of the message or phrases from it, the strongest first.
            is_asked: Whether they tell what is asked for. "Cancel my order" and "how do I change" tell it better than
                their words of content. So ranked words that stand near each other are quoted as they stand, and else
                a strongest function word with the words up to the next one of content.
        """
        row = self._place[message]
        content = [word for word in ranked if self._explains(row, word)]
        if is_asked and content:
            phrase = self._span(row, ranked)
            if not phrase and content[0] != ranked[0]:
                phrase = self._phrase_after(row, ranked[0])
            if phrase:
                content = [" ".join(phrase), *(word for word in content if word not in phrase)]
        if content or not ranked:
            return tuple(map(shorten, content))
        return (shorten(self._phrase(row, ranked[0])),)

    def openings(self) -> list[tuple[str, ...]]:
        """Return the first words of content of each message given, at most four."""
        words = self._words
        kept = np.flatnonzero(self._languages.explains(words.text_of, words.codes))
        text = words.text_of[kept]
        kept = kept[np.arange(len(kept)) - np.searchsorted(text, text) < MOST_WORDS]
        bounds = np.searchsorted(words.text_of[kept], np.arange(len(words) + 1)).tolist()
        codes = words.codes[kept].tolist()
        found = [
            tuple(dict.fromkeys(shorten(self._names[code]) for code in codes[start:end]))
            for start, end in pairwise(bounds)
        ]
        return [found[row] for row in self._row.tolist()]

    def _explains(self, row: int, word: str) -> bool:
        """Tell whether a word is one of content; phrases, which are no words of the text, are."""
        code = self._code.get(word)
        return code is None or bool(self._languages.explains(row, code))

    def _said(self, row: int) -> list[str]:
        start, end = self._words.offsets[row : row + 2]
        return [self._names[code] for code in self._words.codes[start:end].tolist()]

    def _span(self, row: int, ranked: Sequence[str]) -> list[str]:
        """Return the words of the span whose ranked words weigh most together; none if it holds only one."""
        said = self._said(row)
        strength = {word: len(ranked) - rank for rank, word in enumerate(ranked)}
        places = [place for place, word in enumerate(said) if word in strength]
        spans = [
            (start, end)
            for number, start in enumerate(places)
            for end in places[number + 1 : number + _SPAN]
            if end - start < _SPAN
        ]

        def worth(span: tuple[int, int]) -> tuple[int, int]:
            start, end = span
            return sum(strength[word] for word in set(said[start : end + 1]) & strength.keys()), start - end

        best = max(spans, key=worth, default=None)
        if best is None or not any(self._explains(row, word) for word in said[best[0] : best[1] + 1]):
            return []
        words = [word for word in said[best[0] : best[1] + 1] if word not in MARKS]
        if any(_UNSPACED.search(word) for word in words):  # each of these is a clause of its own
            return []
        return words if len(set(words)) > 1 else []

    def _phrase_after(self, row: int, word: str) -> list[str]:
        """Return a word and those after it up to the next one of content; none if that one is not near."""
        said = self._said(row)
        if word not in said:
            return []
        place = said.index(word)
        near = range(place + 1, min(place + _REACH + 1, len(said)))
        content = next((other for other in near if self._explains(row, said[other])), None)
        return [] if content is None else [one for one in said[place : content + 1] if one not in MARKS]

    def _phrase(self, row: int, word: str) -> str:
        """Return the shortest phrase with a word and a word of content near it, else with its neighbours."""
        said = self._said(row)
        if word not in said:
            return word
        place = said.index(word)
        near = range(max(place - _REACH, 0), min(place + _REACH + 1, len(said)))
        content = [other for other in near if other != place and self._explains(row, said[other])]
        if content:
            nearest = min(content, key=lambda other: (abs(other - place), other))
            span = said[min(place, nearest) : max(place, nearest) + 1]
        else:
            span = said[max(place - 1, 0) : place + 2]
        return " ".join(one for one in span if one not in MARKS) or word


def shorten(word: str) -> str:
    """Return a word, or the piece of at most 12 characters of a clause without spaces that has the fewest particles.

    >>> shorten("refund")
    'refund'
    >>> len(shorten("我昨天在你们的网站上买的鞋子到现在还没有收到"))
    12
    """
    if len(word) <= _PIECE or not _UNSPACED.search(word):
        return word
    particles = np.cumsum([0, *(letter in _PARTICLES for letter in word)])
    return word[(start := int(np.argmin(particles[_PIECE:] - particles[:-_PIECE]))) : start + _PIECE]
