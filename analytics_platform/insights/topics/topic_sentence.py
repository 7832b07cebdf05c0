"""Choose the sentence that stands for a discovered topic: a customer's own, from one of its most central openings."""

from __future__ import annotations

import re
from collections.abc import Sequence

CENTRAL = 20
"""Openings from which a sentence is chosen, the most central ones."""
LONGEST = 160
"""Characters of a sentence; a longer one is cut."""
_SHORTEST = 12
_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。!?])|\n+")
"""Where a sentence ends; an abbreviation ends one, too."""


def choose_sentence(name: str, openings: Sequence[str]) -> str:
    """Return the sentence that has most of the topic's terms; of several, that of the most central opening.

    Args:
        name: The topic's name: terms, separated by commas.
        openings: Words of the topic's openings, the most central first.

    Returns:
        A sentence of 12 to 160 characters. If there is none, the beginning of the first opening with words; empty
        without one.
    """
    terms = name.casefold().split(", ")
    said = [" ".join(opening.split()) for opening in openings[:CENTRAL]]
    sentences = [part.strip() for opening in openings[:CENTRAL] for part in _END.split(opening)]
    fitting = [sentence for sentence in sentences if _SHORTEST <= len(sentence) <= LONGEST]
    if fitting:
        # max takes the first of equals, which is the most central.
        return max(fitting, key=lambda sentence: sum(term in sentence.casefold() for term in terms))
    whole = next(filter(None, said), "")
    return whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 1].rstrip()}…"
