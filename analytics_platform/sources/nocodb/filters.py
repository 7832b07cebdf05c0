"""Filters: immutable values that select rows, can be combined and negated, and are written in the server's grammar.

Filters use the server's quoted grammar, the same in both versions of the API. The server knows no escapes within
quotes, so a value with both kinds of quotes cannot be written; a filter refuses such a value instead of sending a wrong
one. The server defines the operators: ``ne`` and ``not_`` also select rows without a value, ordering operators never
do.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Scalar = str | int | float | bool

_OPPOSITES = {
    "eq": "neq",
    "gt": "le",
    "ge": "lt",
    "null": "notnull",
    "checked": "notchecked",
}
_OPPOSITES |= {opposite: operator for operator, opposite in _OPPOSITES.items()}

_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
"""Characters that no request can contain: NUL ends the server's SQL, and UTF-8 cannot encode surrogates."""


class Filter(ABC):
    """Selects rows; ``&``, ``|`` and ``~`` combine filters."""

    @abstractmethod
    def where(self) -> str:
        """Return the filter in the server's grammar, always in parentheses."""

    @abstractmethod
    def negated(self) -> Filter:
        """Return the filter for all rows that this one does not select; see the module for rows without a value."""

    def __and__(self, other: Filter) -> Filter:
        return all_of(self, other)

    def __or__(self, other: Filter) -> Filter:
        return any_of(self, other)

    def __invert__(self) -> Filter:
        return self.negated()

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

    def negated(self) -> Filter:
        """Return the opposite comparison."""
        return Comparison(self.column, _OPPOSITES[self.operator], self.arguments)


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

    def negated(self) -> Filter:
        """Return the negation with each member negated, because the server ignores ``~not`` before a group."""
        operator: Literal["and", "or"] = "or" if self.operator == "and" else "and"
        return Group(operator, tuple(each.negated() for each in self.filters))


@dataclass(frozen=True)
class OneOf(Filter):
    """Compares one column with several values; made by ``one_of``.

    Attributes:
        column: Title of the column.
        values: At least one value.
    """

    column: str
    values: tuple[str | float, ...]

    def __post_init__(self) -> None:
        self.where()  # refuses now what cannot be written

    def where(self) -> str:
        """Return the comparison in the server's grammar."""
        return Comparison(self.column, "in", tuple(map(_written, self.values))).where()

    def negated(self) -> Filter:
        """Return the negation, unequal to each of the values; the server has no operator for it."""
        return all_of(*(ne(self.column, value) for value in self.values))


def eq(column: str, value: Scalar) -> Filter:
    """Select rows whose column equals a value; True and False are for checkboxes.

    Raises:
        ValueError: If the server's grammar cannot express the value.
    """
    if isinstance(value, bool):
        return Comparison(column, "checked" if value else "notchecked")
    return Comparison(column, "eq", (_written(value),))


def ne(column: str, value: Scalar) -> Filter:
    """Select rows whose column differs from a value or has no value; raises as ``eq``."""
    return ~eq(column, value)


def gt(column: str, value: float) -> Filter:
    """Select rows whose column is greater than a number."""
    return Comparison(column, "gt", (_number(value),))


def ge(column: str, value: float) -> Filter:
    """Select rows whose column is greater than or equal to a number."""
    return Comparison(column, "ge", (_number(value),))


def lt(column: str, value: float) -> Filter:
    """Select rows whose column is less than a number."""
    return Comparison(column, "lt", (_number(value),))


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
    return OneOf(column, tuple(values))


def is_null(column: str) -> Filter:
    """Select rows without a value in a column; an empty text is a value, and checkboxes always have one."""
    return Comparison(column, "null")


def not_null(column: str) -> Filter:
    """Select rows with a value in a column."""
    return Comparison(column, "notnull")


def since(column: str, moment: dt.datetime) -> Filter:
    """Select rows whose time is at or after a moment.

    Args:
        column: Title of a column of times or dates; a date counts as midnight UTC.
        moment: Time with a time zone, in whole seconds, the server's precision.

    Raises:
        ValueError: If the moment has no time zone or a fraction of a second.
    """
    return Comparison(column, "ge", ("exactDate", _moment(moment)))


def before(column: str, moment: dt.datetime) -> Filter:
    """Select rows whose time is before a moment; arguments and errors as for ``since``.

    Together with ``since`` this filter makes half-open windows. This module has no "after" and no "until": the server
    compares their times as texts of different lengths, and treats an equal time as later.
    """
    return Comparison(column, "lt", ("exactDate", _moment(moment)))


def on_day(column: str, day: dt.date) -> Filter:
    """Select rows whose time lies within a UTC day."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    return since(column, start) & before(column, start + dt.timedelta(days=1))


def changed_since(moment: dt.datetime) -> Filter:
    """Select rows created or edited at or after a moment; raises as ``since``.

    The filter uses both time columns, because ``UpdatedAt`` is null for a row that was never edited.
    """
    return since("CreatedAt", moment) | since("UpdatedAt", moment)


def all_of(*filters: Filter) -> Filter:
    """Select rows that every one of the filters selects.

    Raises:
        ValueError: If there is no filter.
    """
    return _group("and", filters)


def any_of(*filters: Filter) -> Filter:
    """Select rows that at least one of the filters selects; raises as ``all_of``."""
    return _group("or", filters)


def not_(selected: Filter) -> Filter:
    """Select the rows that a filter does not select; the same as ``~selected``."""
    return ~selected


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
