"""How a table writes its times: date and time in two columns, and dates whose order only the whole column shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from zoneinfo import available_timezones

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.row_rules.time_forms import AUTO
from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.table_parts.column_names import by_form, column_form

_DATE_NAMES = (
    "date", "datum", "fecha", "data", "day", "sent_date", "message_date", "created_date", "tag", "jour", "дата", "日付",
    "日期",
)  # fmt: skip
_TIME_NAMES = (
    "time", "uhrzeit", "zeit", "hora", "heure", "ora", "tijd", "sent_time", "message_time", "created_time",
    "time_of_day", "время", "時刻", "时间",
)  # fmt: skip
_DATE = r"^\s*\d{1,4}[-/.年]\s?\d{1,2}[-/.月]\s?\d{1,4}日?\.?\s*$"
_TIME = r"^\s*\d{1,2}[:.h]\d{2}([:.]\d{2}([.,]\d+)?)?\s*([AaPp]\.?\s?[Mm]\.?)?\s*$"
_NUMBERS = (
    r"^(?:\d{1,2}:\d{2}(?::\d{2})? ?(?:[AaPp]\.?[Mm]\.?)?,? )?"
    r"(?P<first>\d{1,2})(?P<joint>[/.-])(?P<second>\d{1,2})[/.-](?P<third>\d{4}|\d{2})(?:\D|$)"
)
_ZONE_NAMES = ("timezone", "time_zone", "tz", "tzid", "timestamp_timezone", "zeitzone")
_WITHOUT_OFFSET = (
    r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[T ,]\s*\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?\s*$"
)
_HALF_OF_DAY = r"(?i)[ap]\.?m\.?$"
_Bounds = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Least and greatest first, second and third number of dates."""
_LAST_MONTH, _LAST_DAY = 12, 31
_LIKELY_YEARS = 5
"""Years that the dates of an export lie apart, if their order is read as it is meant."""
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
        both = pc.binary_join_element_wise(
            pc.utf8_trim_whitespace(rows.columns[self.date]), pc.utf8_trim_whitespace(rows.columns[self.time]), " "
        )
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
    date = next((name for name in dates if name in columns and _all_match(columns[name], _DATE)), None)
    time = next((name for name in times if name in columns and _all_match(columns[name], _TIME)), None)
    return DateAndTime(date, time) if date is not None and time is not None else None


@dataclass(frozen=True)
class ZoneOfRow:
    """The column of a table that says in which zone each row's time is.

    Attributes:
        time: Column of the times, which state no offset.
        zone: Column of the zones' IANA names.
    """

    time: str
    zone: str

    @property
    def name(self) -> str:
        """Name of the column that both together make."""
        return f"{self.time} + {self.zone}"

    def joined(self, rows: Rows) -> Rows:
        """Return rows with one more column, which has the time and the name of its zone."""
        if self.time not in rows.columns or self.zone not in rows.columns or self.name in rows.columns:
            return rows
        zones = pc.fill_null(pc.utf8_trim_whitespace(rows.columns[self.zone]), "UTC")
        both = pc.binary_join_element_wise(pc.utf8_trim_whitespace(rows.columns[self.time]), zones, " ")
        return replace(rows, columns={**rows.columns, self.name: both})

    def note(self) -> str:
        """Return a sentence that says what was taken."""
        return (
            f"Times are read in the zone that the column {self.zone} names in their row; `timezone: UTC` in a mapping "
            "says otherwise."
        )


def zone_of_row(columns: Mapping[str, pa.Array], effective: FieldMapping) -> ZoneOfRow | None:
    """Return the column that has the zone of each row's time; None if a mapping says the zone, or times state it.

    Args:
        columns: First values by column.
        effective: The mapping with the columns taken by their usual names.
    """
    time = effective.column_of("timestamp")
    name_of = by_form(columns)
    zone = next((name_of[form] for form in _ZONE_NAMES if form in name_of), None)
    if effective.timezone or zone is None or time not in columns or tuple(effective.time_formats()) != (AUTO,):
        return None
    stated = pc.unique(pc.drop_null(pc.utf8_trim_whitespace(columns[zone]))).to_pylist()
    is_named = bool(stated) and available_timezones().issuperset(stated)
    return ZoneOfRow(time, zone) if is_named and _all_match(columns[time], _WITHOUT_OFFSET) else None


class DateNumbers:
    """The numbers of dates such as 6/20/2024 and 24.06.20 that were seen so far."""

    def __init__(self) -> None:
        self._with_points: list[_Bounds] = []
        self._others: list[_Bounds] = []
        self.has_short_years = False
        self.has_halves = False

    def __bool__(self) -> bool:
        """Tell whether there was any such date."""
        return bool(self._with_points or self._others)

    @property
    def has_points_only(self) -> bool:
        """Whether points stand between all numbers."""
        return not self._others

    def add(self, times: pa.Array) -> None:
        """Add the times of rows, of shape (rows,); only dates whose order is not certain by their form count."""
        texts = pc.drop_null(pc.utf8_trim_whitespace(times))
        found = pc.drop_null(pc.extract_regex(texts, _NUMBERS))
        if not len(found):
            return
        is_point = pc.equal(pc.struct_field(found, "joint"), ".")
        for bounds, dates in ((self._with_points, found.filter(is_point)), (self._others, _inverse(found, is_point))):
            if len(dates):
                bounds.append(_bounds(dates))
        short = pc.any(pc.equal(pc.binary_length(pc.struct_field(found, "third")), 2)).as_py()
        self.has_short_years = self.has_short_years or short
        self.has_halves = self.has_halves or pc.any(pc.match_substring_regex(texts, _HALF_OF_DAY)).as_py()

    def orders(self) -> list[str]:
        """Return the orders of day, month and year that the numbers allow.

        Dates with points decide nothing about others. Where a year of two digits may stand first or last, an order in
        which the years lie further apart than ``_LIKELY_YEARS`` gives way to one in which they do not.
        """
        parts = list(zip(*(self._others or self._with_points), strict=True))
        bounds = [(min(low for low, _ in part), max(high for _, high in part)) for part in parts]
        orders, likely = [], []
        for order in _ORDER_WORDS:
            day, month, year = (bounds[order.index(part)] for part in "dmy")
            if 1 <= day[0] <= day[1] <= _LAST_DAY and 1 <= month[0] <= month[1] <= _LAST_MONTH:
                orders.append(order)
                likely += [order] if year[1] - year[0] <= _LIKELY_YEARS else []
        return likely or orders


def _inverse(found: pa.StructArray, is_point: pa.Array) -> pa.StructArray:
    return found.filter(pc.invert(is_point))


def _bounds(dates: pa.StructArray) -> _Bounds:
    names = ("first", "second", "third")
    extremes = (pc.min_max(pc.struct_field(dates, name).cast(pa.int32())).as_py() for name in names)
    first, second, third = ((one["min"], one["max"]) for one in extremes)
    return first, second, third


class OrdersElsewhere(Protocol):
    """What further rows, and other files of the source, say about the order of dates that first rows leave open."""

    def of_file(self) -> Sequence[str]:
        """Return the orders that all dates of the file allow."""

    def of_source(self) -> str | None:
        """Return the order that the other files of the source show; None if none does, or two differ."""

    def tell(self, sentence: str) -> None:
        """Keep a sentence that a run says at its end."""


def with_date_order(
    rows: Rows, effective: FieldMapping, notes: list[str], elsewhere: OrdersElsewhere | None = None
) -> FieldMapping:
    """Return the mapping with the order of dates such as 6/20/2024 or 24.06.20, as far as dates show it.

    The first rows decide, or else all rows of the file, or else the other files of the source. Dates with points are
    read day first where they show no other order, as in most languages that write points.

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
    if not numbers:
        return effective
    orders = numbers.orders()
    points_say_day_first = numbers.has_points_only and "dmy" in orders
    if points_say_day_first and (not numbers.has_short_years or orders == ["dmy"]):
        return effective
    if len(orders) > 1 and elsewhere is not None:
        orders = [order for order in elsewhere.of_file() if order in orders]
    if len(orders) == 1:
        notes.append(f"Dates are read {_ORDER_WORDS[orders[0]]}, as their numbers show.")
        return effective.model_copy(update={"date_order": orders[0]})
    if not orders:
        return effective
    of_source = elsewhere.of_source() if elsewhere is not None else None
    setting = f"`date_order: {'`, `'.join(orders[:-1])}` or `{orders[-1]}` in a mapping says which"
    likely = points_say_day_first or (numbers.has_halves and "mdy" not in orders)  # 24/06/20 1:05 pm
    order = of_source if of_source in orders else "dmy" if likely else None
    others = " or ".join(_ORDER_WORDS[other] for other in orders if other != order)
    if order is None:
        sentence = f"Dates may be read {others}, and no date of the source shows it: {setting}."
    else:
        why = ", as in the source's other files" if order == of_source else ""
        sentence = f"Dates are read {_ORDER_WORDS[order]}{why}; their numbers may also mean {others}: {setting}."
    notes.append(sentence)
    if elsewhere is not None:
        elsewhere.tell(sentence)
    return effective if order is None else effective.model_copy(update={"date_order": order})


def _all_match(values: pa.Array, pattern: str) -> bool:
    stated = pc.drop_null(values)
    return bool(len(stated)) and bool(pc.all(pc.match_substring_regex(stated, pattern)).as_py())
