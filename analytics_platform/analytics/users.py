"""Sums up each customer over all days, from a stream of daily tables."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.analytics.groups import HOURS, count_lists, ratio, share_lists
from analytics_platform.model.tables.analytics_tables import USER_ANALYTICS, USER_DAILY

WEEKDAYS = 7
_BLOCK_ROWS = 2_000
"""Rows from which days are added at once; a day of few customers costs as much as this."""
_DIGITS = 9  # absorbs the rounding error of turning a daily mean into a sum
_COUNTS = (
    "conversation_count",
    "message_count",
    "answered_count",
    "timed_count",
    "outcome_count",
    "resolved_count",
    "closed_count",
    "rated_count",
)
_WEIGHT_OF_MEAN = {
    "duration_seconds_mean": "timed_count",
    "rating_mean": "rated_count",
    "quality_score_mean": "conversation_count",
    "sentiment_mean": "conversation_count",
}
_RATES = {
    "answered_rate": ("answered_count", "conversation_count"),
    "resolved_rate": ("resolved_count", "outcome_count"),
}


def user_analytics(days: Iterable[pa.Table]) -> pa.Table:
    """Sum up every customer over all days, in one pass that holds one table and the sums in memory.

    A mean is weighted by the number of conversations of each daily mean. Days are added one after the other, so the
    result does not depend on how many days a table holds.

    Args:
        days: Tables of ``USER_DAILY``, days ascending, each day in one table.

    Returns:
        ``USER_ANALYTICS``, one row per customer; floats rounded to 9 digits.

    Raises:
        SchemaError: If a table is not ``USER_DAILY``.
        ValueError: If a day comes twice or out of order; names the day and its predecessor.
    """
    sums = _Sums()
    for table in _blocks(days):
        sums.add(table)
    return sums.table()


def _blocks(days: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield days joined to tables of ``_BLOCK_ROWS`` rows or more, in canonical form; see ``user_analytics``."""
    waiting: list[pa.Table] = []
    last: dt.date | None = None
    for day in days:
        table = day if day.schema == USER_DAILY.arrow_schema else USER_DAILY.conform(day)
        if not table.num_rows:
            continue
        span = pc.min_max(table["date"])
        if last is not None and span["min"].as_py() <= last:
            raise ValueError(f"user_daily: day {span['min']} came after {last}; days must ascend, each in one table")
        last = span["max"].as_py()
        waiting.append(table)
        if sum(map(len, waiting)) >= _BLOCK_ROWS:
            yield USER_DAILY.conform(pa.concat_tables(waiting))
            waiting = []
    if waiting:
        yield USER_DAILY.conform(pa.concat_tables(waiting))


class _Sums:
    """Running sums, one slot per customer seen so far."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._numbers: dict[str, npt.NDArray[Any]] = {
            **{name: np.zeros(0, np.int64) for name in (*_COUNTS, "active_day_count")},
            **{name: np.zeros(0) for name in _WEIGHT_OF_MEAN},
            "first_date": np.zeros(0, np.int32),
            "last_date": np.zeros(0, np.int32),
            "hourly_conversations": np.zeros((0, HOURS), np.int64),
            "weekday_conversations": np.zeros((0, WEEKDAYS), np.int64),
        }
        self._topics: Counter[tuple[int, str]] = Counter()

    def add(self, table: pa.Table) -> None:
        """Add a table of days, sorted by date."""
        slots = np.array([self._slots.setdefault(user, len(self._slots)) for user in table["user_id"].to_pylist()])
        days = table["date"].cast(pa.int32()).to_numpy()
        self._make_room()
        numbers = self._numbers
        new = numbers["active_day_count"][slots] == 0
        # Backwards, so that of several days of a new customer the first is written last.
        numbers["first_date"][slots[new][::-1]] = days[new][::-1]
        numbers["last_date"][slots] = days
        np.add.at(numbers["active_day_count"], slots, 1)
        for name in _COUNTS:
            np.add.at(numbers[name], slots, table[name].to_numpy())
        for name, weight in _WEIGHT_OF_MEAN.items():
            np.add.at(numbers[name], slots, table[name].fill_null(0).to_numpy() * table[weight].to_numpy())
        hourly = table["hourly_conversations"].combine_chunks().flatten().to_numpy().reshape(-1, HOURS)
        np.add.at(numbers["hourly_conversations"], slots, hourly)
        weekdays = pc.day_of_week(table["date"]).to_numpy()
        np.add.at(numbers["weekday_conversations"], (slots, weekdays), table["conversation_count"].to_numpy())
        self._add_topics(slots, table["topics"].combine_chunks())

    def _make_room(self) -> None:
        """Grow the arrays to the number of customers, at least doubling, so that growing costs linear time."""
        room = len(self._numbers["active_day_count"])
        if len(self._slots) > room:
            added = max(len(self._slots) - room, room)
            for name, values in self._numbers.items():
                self._numbers[name] = np.concatenate([values, np.zeros((added, *values.shape[1:]), values.dtype)])

    def _add_topics(self, slots: npt.NDArray[np.int64], topics: pa.ListArray) -> None:
        labels, counts = topics.flatten().flatten()
        owners = slots[pc.list_parent_indices(topics).to_numpy()]
        for owner, label, count in zip(owners.tolist(), labels.to_pylist(), counts.to_pylist(), strict=True):
            self._topics[owner, label] += count

    def table(self) -> pa.Table:
        """Return the sums as ``USER_ANALYTICS``."""
        size = len(self._slots)
        numbers = {name: values[:size] for name, values in self._numbers.items()}
        owners, labels = zip(*self._topics, strict=True) if self._topics else ((), ())
        topics = pa.table(
            {
                "code": pa.array(owners, pa.int64()),
                "label": pa.array(labels, pa.string()),
                "row_count": pa.array(self._topics.values(), pa.int64()),
            }
        )
        means = {name: pc.round(ratio(numbers[name], numbers[of]), _DIGITS) for name, of in _WEIGHT_OF_MEAN.items()}
        rates = {name: pc.round(ratio(numbers[part], numbers[of]), _DIGITS) for name, (part, of) in _RATES.items()}
        lists = {name: count_lists(numbers[name]) for name in ("hourly_conversations", "weekday_conversations")}
        return USER_ANALYTICS.conform(
            pa.table(
                {
                    **{name: numbers[name] for name in (*_COUNTS, "active_day_count")},
                    **means,
                    **rates,
                    **lists,
                    "user_id": pa.array(self._slots, pa.string()),
                    "first_date": pa.array(numbers["first_date"]).cast(pa.date32()),
                    "last_date": pa.array(numbers["last_date"]).cast(pa.date32()),
                    "topics": share_lists(topics, size),
                }
            )
        )
