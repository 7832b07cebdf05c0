"""How a table writes its times: date and time in two columns, and dates whose order only the whole column shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
_NUMBERS = r"^(?P<first>\d{1,2})(?P<joint>[/.-])(?P<second>\d{1,2})[/.-](?P<third>\d{4}|\d{2})(?:\D|$)"
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


def with_date_order(rows: Rows, effective: FieldMapping, notes: list[str]) -> FieldMapping:
    """Return the mapping with the order of dates such as 6/20/2024 or 24.06.20, as far as the first rows show it.

    Dates with points are read day first where they show no other order, as in most languages that write points.

    Args:
        rows: The first rows.
        effective: The mapping; one that says how times are written stays as it is.
        notes: Gets a sentence that says the order, or that the rows leave it open.
    """
    values = rows.columns.get(effective.column_of("timestamp"))
    if values is None or effective.date_order or tuple(effective.time_formats()) != (AUTO,):
        return effective
    found = pc.drop_null(pc.extract_regex(pc.drop_null(pc.utf8_trim_whitespace(values)), _NUMBERS))
    if not len(found):
        return effective
    orders = _orders(found)
    has_points = pc.all(pc.equal(pc.struct_field(found, "joint"), ".")).as_py()
    has_short_years = pc.any(pc.equal(pc.binary_length(pc.struct_field(found, "third")), 2)).as_py()
    if len(orders) == 1:
        if not (has_points and orders == ["dmy"]):  # points alone say day first
            notes.append(f"Dates are read {_ORDER_WORDS[orders[0]]}, as their numbers show.")
            return effective.model_copy(update={"date_order": orders[0]})
    elif has_points and has_short_years and "dmy" in orders:
        others = " or ".join(_ORDER_WORDS[order] for order in orders if order != "dmy")
        notes.append(
            f"Dates are read day first; their numbers may also mean {others}: "
            "`date_order: dmy`, `mdy` or `ymd` in a mapping says which."
        )
    return effective


def _orders(found: pa.StructArray) -> list[str]:
    """Return the orders of day, month and year that the numbers of dates allow.

    Where a year of two digits may stand first or last, an order in which the years of a file lie further apart than
    ``_LIKELY_YEARS`` gives way to one in which they do not.

    Args:
        found: Dates with the texts ``first``, ``second`` and ``third``.
    """
    names = ("first", "second", "third")
    bounds = [pc.min_max(pc.struct_field(found, name).cast(pa.int32())).as_py() for name in names]
    orders, likely = [], []
    for order in _ORDER_WORDS:
        day, month, year = (bounds[order.index(part)] for part in "dmy")
        if 1 <= day["min"] <= day["max"] <= _LAST_DAY and 1 <= month["min"] <= month["max"] <= _LAST_MONTH:
            orders.append(order)
            likely += [order] if year["max"] - year["min"] <= _LIKELY_YEARS else []
    return likely or orders


def _all_match(values: pa.Array, pattern: str) -> bool:
    stated = pc.drop_null(values)
    return bool(len(stated)) and bool(pc.all(pc.match_substring_regex(stated, pattern)).as_py())
