"""The form of a rule, and what rules share: looking around a candidate.

Belongs here: what every rule for a structured kind needs. Does not belong here: the rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Found = Iterator[tuple[int, int, float]]
"""Start, end and confidence of spans in one text."""

_BEFORE, _AFTER = 60, 30


@dataclass(frozen=True)
class Rule:
    """How one kind is found.

    Attributes:
        kind: One of ``model.pii.KINDS``.
        hint: RE2 expression that every text with a span matches; run over the whole column, so it is cheap.
        find: Finds and validates the spans of one text that matches; its time is linear in the text's length.
    """

    kind: str
    hint: str
    find: Callable[[str], Found]


def before(text: str, start: int) -> str:
    """Return what stands before a candidate, in lower case."""
    return text[max(0, start - _BEFORE) : start].lower()


def after(text: str, end: int) -> str:
    """Return what stands after a candidate, in lower case."""
    return text[end : end + _AFTER].lower()


def digits(text: str) -> str:
    """Return the digits of a text."""
    return re.sub(r"[^0-9]", "", text)
