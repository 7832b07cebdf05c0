"""Filters: immutable values that select rows, can be joined, and are written in the server's grammar.

Filters use the server's quoted grammar, the same in both versions of the API. The server knows no escapes within
quotes, so a value with both kinds of quotes cannot be written; a filter refuses such a value instead of sending a wrong
one. No filter selects a row without a value in its column.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
"""Characters that no request can contain: NUL ends the server's SQL, and UTF-8 cannot encode surrogates."""


class Filter(ABC):
    """Selects rows."""

    @abstractmethod
    def where(self) -> str:
        """Return the filter in the server's grammar, always in parentheses."""

    def __str__(self) -> str:
        return self.where()


@dataclass(frozen=True)
class Comparison(Filter):
    """Compares one column with a value; made by the functions of this module.

    Attributes:
        column: Title of the column.
        operator: The server's operator.
        arguments: Operands after the operator, in the server's grammar.
    """

    column: str
    operator: str
    arguments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.where()  # refuses now what cannot be written

    def where(self) -> str:
        """Return the comparison in the server's grammar."""
        return f"({','.join((_quoted(self.column, 'column'), self.operator, *self.arguments))})"


@dataclass(frozen=True)
class Group(Filter):
    """Several filters joined by one logical operator.

    Attributes:
        operator: ``and`` or ``or``.
        filters: At least one.
    """

    operator: Literal["and", "or"]
    filters: tuple[Filter, ...]

    def where(self) -> str:
        """Return the group in the server's grammar."""
        return f"({f'~{self.operator}'.join(each.where() for each in self.filters)})"


def gt(column: str, value: float) -> Filter:
    """Select rows whose column is greater than a number."""
    return Comparison(column, "gt", (_number(value),))


def le(column: str, value: float) -> Filter:
    """Select rows whose column is less than or equal to a number."""
    return Comparison(column, "le", (_number(value),))


def one_of(column: str, values: Sequence[str | float]) -> Filter:
    """Select rows whose column equals one of the values.

    Raises:
        ValueError: If there are no values, or the server's grammar cannot express one of them.
    """
    if not values:
        raise ValueError(f"one_of({column!r}) needs at least one value; got none")
    return Comparison(column, "in", tuple(map(_written, values)))


def since(column: str, moment: dt.datetime) -> Filter:
    """Select rows whose time is at or after a moment.

    Args:
        column: Title of a column of times or dates; a date counts as midnight UTC.
        moment: Time with a time zone, in whole seconds, the server's precision.

    Raises:
        ValueError: If the moment has no time zone or a fraction of a second.
    """
    return Comparison(column, "ge", ("exactDate", _moment(moment)))


def changed_since(moment: dt.datetime) -> Filter:
    """Select rows created or edited at or after a moment; raises as ``since``.

    The filter uses both time columns, because ``UpdatedAt`` is null for a row that was never edited.
    """
    return any_of(since("CreatedAt", moment), since("UpdatedAt", moment))


def all_of(*filters: Filter) -> Filter:
    """Select rows that every one of the filters selects.

    Raises:
        ValueError: If there is no filter.
    """
    return _group("and", filters)


def any_of(*filters: Filter) -> Filter:
    """Select rows that at least one of the filters selects; raises as ``all_of``."""
    return _group("or", filters)


def _group(operator: Literal["and", "or"], filters: tuple[Filter, ...]) -> Filter:
    if not filters:
        raise ValueError(f"a filter joined by {operator!r} needs at least one member; got none")
    return filters[0] if len(filters) == 1 else Group(operator, filters)


def _written(value: str | float) -> str:
    return _quoted(value, "value") if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"a filter cannot compare with {value!r}; expected a finite number")
    return repr(value)


def _moment(moment: dt.datetime) -> str:
    if moment.tzinfo is None or moment.microsecond:
        raise ValueError(f"a filter cannot use the time {moment.isoformat()}; expected a time zone and whole seconds")
    return f"'{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}'"


def _quoted(text: str, what: str) -> str:
    """Return a text in quotes, so that the server reads none of its characters as grammar."""
    if _UNWRITABLE.search(text):
        raise ValueError(f"a filter cannot hold the {what} {text[:80]!r}: NUL and surrogates cannot be sent")
    quote = next((quote for quote in "'\"" if quote not in text), None)
    if quote is None:
        raise ValueError(f"a filter cannot hold the {what} {text[:80]!r}: the server cannot read both kinds of quotes")
    if text.endswith("\\"):
        raise ValueError(f"a filter cannot hold the {what} {text[:80]!r}: the server misreads a backslash at the end")
    if what == "column" and not text:
        raise ValueError("a filter cannot hold the column '': it has no title")
    return f"{quote}{text}{quote}"
