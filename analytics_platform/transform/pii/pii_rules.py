"""The class of a rule for one kind of personal data, and functions that read the text around a candidate.

Each family of kinds has its rules in a module of its own.
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
    """A rule that finds one kind of personal data.

    Attributes:
        kind: One of ``model.word_sets.pii_kinds.KINDS``.
        hint: RE2 expression that matches every text with a span. It runs over the whole column, so it must be cheap.
        find: Finds and validates the spans of one matching text, in time linear in the text's length.
        has_digit: Whether every text with a span contains a digit from 0 to 9. The rule then skips texts without a
            digit, which most chat messages are.
    """

    kind: str
    hint: str
    find: Callable[[str], Found]
    has_digit: bool = False


UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Letters of scripts in which a number stands beside a letter without a space: Thai and its neighbours, Chinese,
Japanese and Korean.
"""


def begins(unless: str) -> str:
    """Return an expression for the place where a number may begin.

    Args:
        unless: Look-behinds that rule a place out. A letter of ``UNSPACED`` before the place overrides them.
    """
    return rf"(?:{unless}|(?<=[{UNSPACED}]))"


def ends(unless: str) -> str:
    """Return an expression for the place where a number may end.

    Args:
        unless: Look-ahead that rules a place out. A letter of ``UNSPACED`` after the place overrides it.
    """
    return rf"(?:{unless}|(?=[{UNSPACED}]))"


def before(text: str, start: int) -> str:
    """Return the text before a candidate in lower case, at most 60 characters."""
    return text[max(0, start - _BEFORE) : start].lower()


def after(text: str, end: int) -> str:
    """Return the text after a candidate in lower case, at most 30 characters."""
    return text[end : end + _AFTER].lower()


def digits(text: str) -> str:
    """Return the digits of a text."""
    return re.sub(r"[^0-9]", "", text)
