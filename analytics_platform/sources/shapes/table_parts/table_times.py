"""How a table writes its times: date and time in two columns, and dates whose order only the whole column shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol
from zoneinfo import available_timezones

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.row_rules.tidying import ZONES
from analytics_platform.sources.row_rules.time_forms import AUTO, dates_in_orders
from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.table_parts.column_names import by_form, column_form
from analytics_platform.system.plain_text import counted

_DATE_NAMES = (
    "date", "datum", "fecha", "data", "day", "sent_date", "message_date", "created_date", "tag", "jour", "дата", "日付",
    "日期",
)  # fmt: skip
_TIME_NAMES = (
    "time", "uhrzeit", "zeit", "hora", "heure", "ora", "tijd", "sent_time", "message_time", "created_time",
    "time_of_day", "время", "時刻", "时间",
)  # fmt: skip
_FORMS_OF_TIMES = frozenset(map(column_form, _TIME_NAMES))
_DATE = r"^\s*\d{1,4}[-/.年]\s?\d{1,2}[-/.月]\s?\d{1,4}日?\.?\s*$"
_TIME = (
    r"^\s*(\d{1,2}[:.h]\d{2}([:.]\d{2}([.,]\d+)?)?\s*([AaPp]\.?\s?[Mm]\.?|(?i:uhr|h|hrs?)\.?)?|"
    r"\d{1,2}\s*(?i:uhr|h))\s*$"
)
_PLAIN_TIMES = (
    (r"(?i)^(\d{1,2})\s*(?:uhr|h)$", r"\1:00"),
    (r"(?i)\s*(?:uhr|h|hrs?)\.?$", ""),
    (r"^(\d{1,2})[.h:](\d{2})[.:](\d{2})", r"\1:\2:\3"),
    (r"^(\d{1,2})[.h](\d{2})", r"\1:\2"),
)
"""Patterns of times of the day such as 9 Uhr, 9.15 Uhr and 9h15, and what makes them 9:00 and 9:15."""
_NUMBERS = (
    r"^(?:\d{1,2}:\d{2}(?::\d{2})? ?(?:[AaPp]\.?[Mm]\.?)?,? )?"
    r"(?P<first>\d{1,2})(?P<joint>[/.-])(?P<second>\d{1,2})[/.-](?P<third>\d{4}|\d{2})(?:\D|$)"
)
_ZONE_NAMES = ("timezone", "time_zone", "tz", "tzid", "timestamp_timezone", "zeitzone")
_WITHOUT_OFFSET = (
    r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[T ,]\s*\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?\s*$"
)
_OFFSET = r"^(?:(?:UTC|GMT) ?)?[+-]\d{1,2}(?::?\d{2})?$|^Z$"
_HALF_OF_DAY = r"(?i)[ap]\.?m\.?$"
_LAST_MONTH, _LAST_DAY = 12, 31
_MOST = 0.9
_LIKELY_YEARS = 5
"""Years that the dates of an export lie apart, if their order is read as it is meant."""
_LEAST_SHOWN, _MOST_AGAINST = 20, 0.01
"""Dates that must show an order, and share of the deciding dates that may contradict it, to be errors of their own."""
_SEPARATOR_WORDS = {"/": "slashes", "-": "dashes", ".": "points"}
_ORDER_WORDS = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}


@dataclass(frozen=True)
class DateAndTime:
    """Two columns that together say when a message was sent.

    Attributes:
        date: Column of the date.
        time: Column of the time of the day.
    """

    date: str
    time: str

    @property
    def name(self) -> str:
        """Name of the column that both together make."""
        return f"{self.date} + {self.time}"

    def joined(self, rows: Rows) -> Rows:
        """Return rows with one more column, which has date and time."""
        if self.date not in rows.columns or self.time not in rows.columns or self.name in rows.columns:
            return rows
        times = pc.utf8_trim_whitespace(rows.columns[self.time])
        for pattern, replacement in _PLAIN_TIMES:
            times = pc.replace_substring_regex(times, pattern, replacement)
        both = pc.binary_join_element_wise(pc.utf8_trim_whitespace(rows.columns[self.date]), times, " ")
        return replace(rows, columns={**rows.columns, self.name: both})


def date_and_time(columns: Mapping[str, pa.Array], effective: FieldMapping, given: FieldMapping) -> DateAndTime | None:
    """Return the columns of a table that have the date and the time of the day; None for a table with one column.

    Args:
        columns: First values by column.
        effective: The mapping with the columns taken by their usual names.
        given: The mapping of the source; where it names the timestamp, it is right.
    """
    if "timestamp" in given.columns or "timestamp" in given.constants or "timestamp" in columns:
        return None
    name_of = by_form(columns)
    taken = effective.column_of("timestamp")
    dates = [taken, *(name_of[form] for form in map(column_form, _DATE_NAMES) if form in name_of)]
    times = [taken, *(name_of[form] for form in map(column_form, _TIME_NAMES) if form in name_of)]
    clocks = {name for name in times if name in columns and _most_match(columns[name], _TIME)}
    days = {name for name in dates if name in columns and _most_match(columns[name], _DATE)}
    # 20.06.24 has the form of a time, and 08.15.30 that of a date: then the name decides.
    days -= {name for name in days & clocks if column_form(name) in _FORMS_OF_TIMES}
    date = next((name for name in dates if name in days), None)
    time = next((name for name in times if name in clocks and name != date), None)
    return DateAndTime(date, time) if date is not None and time is not None else None


@dataclass(frozen=True)
class ZoneOfRow:
    """The column of a table that says in which zone each row's time is.

    Attributes:
        time: Column of the times; those that state an offset stay as they are.
        zone: Column of the zones: IANA names, or offsets such as GMT+2.
        unknown: One of the first names that say no zone; None where each does.
        is_used: Whether any of the first names says a zone; otherwise the times are read without them.
    """

    time: str
    zone: str
    unknown: str | None = None
    is_used: bool = True

    @property
    def name(self) -> str:
        """Name of the column that both together make."""
        return f"{self.time} + {self.zone}"

    def joined(self, rows: Rows) -> Rows:
        """Return rows with one more column, which has the time and the name of its zone."""
        if self.time not in rows.columns or self.zone not in rows.columns or self.name in rows.columns:
            return rows
        zones = pc.fill_null(pc.utf8_trim_whitespace(rows.columns[self.zone]), "UTC")
        times = rows.columns[self.time]
        both = pc.binary_join_element_wise(pc.utf8_trim_whitespace(times), zones, " ")
        needs_zone = pc.match_substring_regex(times, _WITHOUT_OFFSET)
        return replace(rows, columns={**rows.columns, self.name: pc.if_else(needs_zone, both, times)})

    def note(self) -> str:
        """Return a sentence that says what was taken."""
        if not self.is_used:
            return (
                f"The column {self.zone} names no zone that is known, such as Europe/Berlin or +02:00, but "
                f"{self.unknown!r}: times without an offset are read as UTC; `timezone: Europe/Berlin` in a mapping "
                "says otherwise."
            )
        but = "" if self.unknown is None else f"; rows that name none, such as {self.unknown}, go into quarantine"
        return (
            f"Times are read in the zone that the column {self.zone} names in their row{but}; `timezone: UTC` in a "
            "mapping says otherwise."
        )


def zone_of_row(columns: Mapping[str, pa.Array], effective: FieldMapping) -> ZoneOfRow | None:
    """Return the column that has the zone of each row's time; None if a mapping says the zone, or times state it.

    A column in which no zone is known is returned, too, so that a person reads of it.

    Args:
        columns: First values by column.
        effective: The mapping with the columns taken by their usual names.
    """
    time = effective.column_of("timestamp")
    name_of = by_form(columns)
    zone = next((name_of[form] for form in _ZONE_NAMES if form in name_of), None)
    if effective.timezone or zone is None or time not in columns or tuple(effective.time_formats()) != (AUTO,):
        return None
    stated = pc.unique(pc.drop_null(pc.utf8_trim_whitespace(columns[zone])))
    is_known = pc.or_(pc.is_in(stated, _known_zones()), pc.match_substring_regex(stated, _OFFSET))
    unknown = stated.filter(pc.and_(pc.invert(is_known), pc.not_equal(stated, "")))
    example = unknown[0].as_py() if len(unknown) else None
    is_used = pc.any(is_known).as_py()
    if not _any_matches(columns[time], _WITHOUT_OFFSET) or not (is_used or example):
        return None
    return ZoneOfRow(time, zone, example, is_used=is_used)


@lru_cache(maxsize=1)
def _known_zones() -> pa.Array:
    return pa.array(sorted({*available_timezones(), *ZONES}))


class _DatesOfOneForm:
    """What dates with the same separator show: for each set of orders that a date fits, how many dates fit it."""

    def __init__(self) -> None:
        self.counts: dict[frozenset[str], int] = {}
        self.has_short_years = False
        self._years: dict[tuple[frozenset[str], str], tuple[int, int]] = {}
        self._examples: dict[frozenset[str], str] = {}

    def add(self, fitted: frozenset[str], texts: pa.Array, first: np.ndarray, third: np.ndarray) -> None:
        """Add dates that fit the same orders; arrays of shape (dates,)."""
        self.counts[fitted] = self.counts.get(fitted, 0) + len(texts)
        self._examples.setdefault(fitted, texts[0].as_py())
        for order in fitted:
            years = first if order == "ymd" else third
            low, high = self._years.get((fitted, order), (years[0], years[0]))
            self._years[fitted, order] = (min(low, years.min()), max(high, years.max()))

    def orders(self) -> list[str]:
        fitting = [order for order in _ORDER_WORDS if not self._against(order)]
        orders = fitting or [order for order in _ORDER_WORDS if self._is_shown_by_nearly_all(order)]
        return [order for order in orders if self._span(order) <= _LIKELY_YEARS] or orders

    def contradicting(self, order: str) -> tuple[int, str]:
        """Return how many dates do not fit an order, and one of them."""
        examples = [example for fitted, example in self._examples.items() if order not in fitted]
        return self._against(order), next(iter(examples), "")

    def _against(self, order: str) -> int:
        return sum(count for fitted, count in self.counts.items() if order not in fitted)

    def _is_shown_by_nearly_all(self, order: str) -> bool:
        deciding = [fitted for fitted in self.counts if order in fitted and not fitted >= {"dmy", "mdy"}]
        shown, against = sum(self.counts[fitted] for fitted in deciding), self._against(order)
        return shown >= _LEAST_SHOWN and against <= _MOST_AGAINST * (shown + against)

    def _span(self, order: str) -> int:
        spans = [years for (_, of_order), years in self._years.items() if of_order == order]
        return max(high for _, high in spans) - min(low for low, _ in spans)


class DateNumbers:
    """The numbers of dates such as 6/20/2024 and 24.06.20 that were seen so far, by the separator between them."""

    def __init__(self) -> None:
        self._forms: dict[str, _DatesOfOneForm] = {}
        self.has_halves = False

    @property
    def separators(self) -> list[str]:
        """The separators of dates that were seen."""
        return [separator for separator in _SEPARATOR_WORDS if separator in self._forms]

    def has_short_years(self, separator: str) -> bool:
        """Tell whether a date with a separator has a year of two digits."""
        return separator in self._forms and self._forms[separator].has_short_years

    def add(self, times: pa.Array) -> None:
        """Add the times of rows, of shape (rows,); only dates whose order is not certain by their form count.

        Dates that fit no order, such as 00/00/0000 and 31/13/2024, do not count.
        """
        texts = pc.drop_null(pc.utf8_trim_whitespace(times))
        found = pc.extract_regex(texts, _NUMBERS)
        texts, found = texts.filter(pc.is_valid(found)), found.drop_null()
        if not len(found):
            return
        first, second, third = (
            pc.struct_field(found, name).cast(pa.int32()).to_numpy() for name in ("first", "second", "third")
        )
        is_short = pc.equal(pc.binary_length(pc.struct_field(found, "third")), 2).to_numpy(zero_copy_only=False)
        fits = {
            "dmy": _within(first, _LAST_DAY) & _within(second, _LAST_MONTH),
            "mdy": _within(first, _LAST_MONTH) & _within(second, _LAST_DAY),
            "ymd": is_short & _within(second, _LAST_MONTH) & _within(third, _LAST_DAY),
        }
        codes = sum(fit.astype(np.int8) << place for place, fit in enumerate(fits.values()))
        for separator in _SEPARATOR_WORDS:
            has_it = pc.equal(pc.struct_field(found, "joint"), separator).to_numpy(zero_copy_only=False)
            for code in np.unique(codes[has_it & (codes > 0)]).tolist():
                chosen = has_it & (codes == code)
                fitted = frozenset(order for place, order in enumerate(fits) if code >> place & 1)
                form = self._forms.setdefault(separator, _DatesOfOneForm())
                form.add(fitted, texts.filter(pa.array(chosen)), first[chosen], third[chosen])
                form.has_short_years = form.has_short_years or bool(is_short[chosen].any())
        self.has_halves = self.has_halves or pc.any(pc.match_substring_regex(texts, _HALF_OF_DAY)).as_py()

    def orders(self, separator: str) -> list[str]:
        """Return the orders of day, month and year that the dates with a separator allow.

        Where dates contradict each other, the order that nearly all show is allowed. Where a year of two digits may
        stand first or last, an order in which the years lie further apart than ``_LIKELY_YEARS`` gives way to one in
        which they do not.
        """
        return self._forms[separator].orders() if separator in self._forms else []

    def contradicting(self, separator: str, order: str) -> tuple[int, str]:
        """Return how many dates with a separator do not fit an order, and one of them."""
        return self._forms[separator].contradicting(order)


def _within(numbers: np.ndarray, last: int) -> np.ndarray:
    return (numbers >= 1) & (numbers <= last)


class OrdersElsewhere(Protocol):
    """What further rows, and other files of the source, say about the order of dates that first rows leave open."""

    def of_file(self) -> DateNumbers:
        """Return the numbers of the dates of the file."""

    def of_source(self, separator: str) -> str | None:
        """Return the order that the files of the source show for a separator; None if none does, or two differ."""

    def tell(self, sentence: str) -> None:
        """Keep a sentence that a run says at its end."""


def with_date_order(
    rows: Rows, effective: FieldMapping, notes: list[str], elsewhere: OrdersElsewhere | None = None
) -> FieldMapping:
    """Return the mapping with the order of dates such as 6/20/2024 or 24.06.20, as far as dates show it.

    Dates with slashes, dashes and points are told apart. The first rows decide, or else all rows of the file, or else
    the other files of the source. Dates with points are read day first where they show no other order, as in most
    languages that write points.

    Args:
        rows: The first rows.
        effective: The mapping; one that says how times are written stays as it is.
        notes: Gets a sentence that says the order, or that the rows leave it open.
        elsewhere: Tells what further rows and files show; None if only the first rows count.
    """
    values = rows.columns.get(effective.column_of("timestamp"))
    if values is None or effective.date_order or tuple(effective.time_formats()) != (AUTO,):
        return effective
    numbers = DateNumbers()
    numbers.add(values)
    separators = numbers.separators
    is_open = any(len(numbers.orders(one)) != 1 and not _says_nothing_else(numbers, one) for one in separators)
    whole = elsewhere.of_file() if is_open and elsewhere is not None else numbers
    shown = {one: whole.orders(one) for one in whole.separators if one not in separators}
    taken = {one: orders[0] for one, orders in shown.items() if len(orders) == 1}
    telling = {one: _telling(numbers, whole, one) for one in separators}
    shown |= {one: told.orders(one) for one, told in telling.items()}
    for separator, told in telling.items():
        if len(shown) == 1 and _says_nothing_else(told, separator):
            return effective
        beside = {other[0] for one, other in shown.items() if len(other) == 1 and "." not in (one, separator)}
        dates = "Dates" if len(shown) == 1 else f"Dates with {_SEPARATOR_WORDS[separator]}"
        order, sentence, is_guess = _order_of(told, separator, beside, elsewhere)
        if order is not None:
            taken[separator] = order
        notes.append(f"{dates} {sentence}")
        if is_guess and elsewhere is not None:
            elsewhere.tell(notes[-1])
    if len(set(taken.values())) == 1 and len(taken) == len(shown):
        return effective.model_copy(update={"date_order": next(iter(taken.values()))})
    if not {*taken.items()} - {(".", "dmy")}:
        return effective
    return effective.model_copy(update={"timestamp_format": None, "timestamp_formats": (dates_in_orders(taken),)})


def _telling(first: DateNumbers, whole: DateNumbers, separator: str) -> DateNumbers:
    """Return what tells an order: the first rows, or the whole file where they leave it open and it fits them."""
    orders, possible = whole.orders(separator), first.orders(separator)
    return whole if orders and (not possible or (len(possible) > 1 and {*orders} <= {*possible})) else first


def _says_nothing_else(numbers: DateNumbers, separator: str) -> bool:
    """Tell whether dates have points and the usual order, so that nothing needs to be said."""
    orders = numbers.orders(separator)
    is_clear = orders == ["dmy"] or ("dmy" in orders and not numbers.has_short_years(separator))
    return separator == "." and is_clear and not numbers.contradicting(separator, "dmy")[0]


def _order_of(
    numbers: DateNumbers, separator: str, beside: set[str], elsewhere: OrdersElsewhere | None
) -> tuple[str | None, str, bool]:
    """Return the order of the dates with a separator, the end of a sentence about it, and whether a run must say it."""
    orders = numbers.orders(separator)
    if not orders:
        return None, "contradict each other in their order: `date_order` in a mapping says it.", True
    if len(orders) == 1:
        count, example = numbers.contradicting(separator, orders[0])
        against = f"; {counted(count, 'date')} cannot be read so, e.g. {example}" if count else ""
        return orders[0], f"are read {_ORDER_WORDS[orders[0]]}, as their numbers show{against}.", bool(count)
    setting = f"`date_order: {'`, `'.join(orders[:-1])}` or `{orders[-1]}` in a mapping says which"
    has_plain_points = separator == "." and not numbers.has_short_years(separator)
    of_source = elsewhere.of_source(separator) if elsewhere is not None and not has_plain_points else None
    of_file = next(iter(beside)) if len(beside) == 1 else None
    likely = (separator == "." and "dmy" in orders) or (numbers.has_halves and "mdy" not in orders)  # 24/06/20 1:05 pm
    order, why = "dmy" if likely else None, ""
    if of_file in orders:
        order, why = of_file, ", as the file's other dates"
    elif of_source in orders:
        order, why = of_source, ", as in the source's other files"
    others = " or ".join(_ORDER_WORDS[other] for other in orders if other != order)
    if order is None:
        return None, f"may be read {others}, and no date of the source shows it: {setting}.", True
    return order, f"are read {_ORDER_WORDS[order]}{why}; their numbers may also mean {others}: {setting}.", True


def _any_matches(values: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(values, pattern)).as_py())


def _most_match(values: pa.Array, pattern: str) -> bool:
    """Tell whether at least ``_MOST`` of the values that are stated match: a typing error says nothing of others."""
    stated = pc.utf8_trim_whitespace(pc.drop_null(values))
    stated = stated.filter(pc.not_equal(stated, ""))
    return len(stated) > 0 and pc.sum(pc.match_substring_regex(stated, pattern)).as_py() >= _MOST * len(stated)
