"""The openings that stand for a discovered topic, and the sentence of a customer that does, from one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

OPENINGS = 10
"""Most openings of a topic that are kept, the most central ones."""
LONGEST = 160
"""Characters of an opening or a sentence; a longer one is cut."""
_SHORTEST = 12
_CUT = "…"
_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。!?])")
"""Where a sentence ends; an abbreviation ends one, too."""


def keep_openings(words: Iterable[str]) -> tuple[str, ...]:
    """Return the first ten openings with words, each on one line and cut at 160 characters.

    Args:
        words: Words of the topic's openings, the most central first.
    """
    lines = filter(None, (" ".join(opening.split()) for opening in words))
    return tuple(
        line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}{_CUT}" for line in islice(lines, OPENINGS)
    )


def choose_sentence(name: str, openings: Sequence[str]) -> str:
    """Return the sentence that has most of the topic's terms; of several, that of the most central opening.

    Args:
        name: The topic's name: terms, separated by commas.
        openings: The topic's openings, as ``keep_openings`` returns them.

    Returns:
        A whole sentence of 12 to 160 characters. If there is none, the first opening; empty without one.
    """
    terms = name.casefold().split(", ")
    sentences = [part.strip() for opening in openings for part in _END.split(opening)]
    fitting = [sentence for sentence in sentences if len(sentence) >= _SHORTEST and not sentence.endswith(_CUT)]
    if fitting:
        # max takes the first of equals, which is the most central.
        return max(fitting, key=lambda sentence: sum(term in sentence.casefold() for term in terms))
    return next(iter(openings), "")
