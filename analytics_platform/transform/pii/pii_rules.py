"""The form of a rule, and what rules share: looking around a candidate.

What every rule for a structured kind needs stands here; the rules themselves have a module for each family of kinds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Found = Iterator[tuple[int, int, float]]
"""Start, end and confidence of spans in one text."""

_BEFORE, _AFTER = 60, 30


@dataclass(frozen=True)
class PiiRule:
    """How one kind is found.

    Attributes:
        kind: One of ``model.pii_kinds.KINDS``.
        hint: RE2 expression that every text with a span matches; run over the whole column, so it is cheap.
        find: Finds and validates the spans of one text that matches; its time is linear in the text's length.
        has_digit: Whether every text with a span holds a digit from 0 to 9. Texts without a digit then skip the rule,
            and most chat messages have none.
    """

    kind: str
    hint: str
    find: Callable[[str], Found]
    has_digit: bool = False


UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Letters beside which a number stands without a space: of Thai and its neighbours, Chinese, Japanese and Korean."""


def begins(unless: str) -> str:
    """Return an expression for where a number may begin: not behind what the look-behinds name, save such letters."""
    return rf"(?:{unless}|(?<=[{UNSPACED}]))"


def ends(unless: str) -> str:
    """Return an expression for where a number may end: not before what the look-ahead names, save such letters."""
    return rf"(?:{unless}|(?=[{UNSPACED}]))"


def before(text: str, start: int) -> str:
    """Return what stands before a candidate, in lower case."""
    return text[max(0, start - _BEFORE) : start].lower()


def after(text: str, end: int) -> str:
    """Return what stands after a candidate, in lower case."""
    return text[end : end + _AFTER].lower()


def digits(text: str) -> str:
    """Return the digits of a text."""
    return re.sub(r"[^0-9]", "", text)
