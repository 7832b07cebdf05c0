"""Reads the data of a daily report: the day's tables, and the metrics of the days before for comparison."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

BASELINE_DAYS = 7
"""Number of days before the reported day with which its figures are compared."""
CHARTED_DAYS = 14
"""Number of days before the reported day that the first chart of the page shows, as far as they have data."""
FEW = 5
"""Least number of conversations, answers or outcomes for a comparison."""
QUIET_DAY = 10
"""Number of conversations below which shares and distributions of a day are not meaningful."""

OTHER = "other"
"""The topic of conversations that no topic of the taxonomy fits, see ``model.tables.insight_tables``."""

_BEHIND = {
    "answered_rate": "conversation_count",
    "duration_seconds_mean": "timed_count",
    "first_response_seconds_p50": "answered_count",
    "first_response_seconds_p90": "answered_count",
    "quality_score_mean": "conversation_count",
    "rating_mean": "rated_count",
    "resolved_rate": "outcome_count",
    "sentiment_mean": "conversation_count",
}  # count over which each average was taken

Day = Mapping[str, Any]
"""One row of ``daily_metrics``."""


@dataclass(frozen=True)
class Evidence:
    """The reported day and the days for comparison.

    Attributes:
        day: The day's row of ``daily_metrics``.
        before: Rows of the earlier days with data, oldest first; may be empty.
        conversations: ``CONVERSATIONS`` of the day.
        insights: ``CONVERSATION_INSIGHTS`` of the day.
        agents: ``AGENT_DAILY`` of the day.
    """

    day: Day
    before: Sequence[Day]
    conversations: pa.Table
    insights: pa.Table
    agents: pa.Table

    @property
    def total(self) -> int:
        """Number of conversations of the day."""
        return int(self.day["conversation_count"])

    @property
    def untimed(self) -> int:
        """Number of conversations of the day whose source does not state a time for each message."""
        return self.total - int(self.day["timed_count"])

    @property
    def baseline(self) -> str:
        """Phrase that names the earlier days in a sentence."""
        days = len(self.before)
        if days == BASELINE_DAYS:
            return f"the {days} days before"
        return (
            f"the {days} days with data in the week before" if days > 1 else "the only day with data in the week before"
        )

    def usual(self, name: str) -> float | None:
        """Return the mean of a figure over the earlier days, see ``mean_of_days``."""
        return mean_of_days(self.before, name)

    def behind(self, name: str) -> int:
        """Return the number of conversations over which the day's figure was computed."""
        return int(self.day[_BEHIND.get(name, "conversation_count")])

    def pooled(self, name: str) -> int:
        """Return the sum of a count over the earlier days."""
        return int(sum(day[name] for day in self.before))


def mean_of_days(days: Sequence[Day], name: str) -> float | None:
    """Return the mean of a figure over the days that have it; None if no day has it.

    A count or a sum is averaged per day. A rate, mean or percentile is weighted by its number of conversations, so that
    a day with two conversations weighs less than a day with two hundred. A day computed before the figure existed does
    not have it.
    """
    behind = _BEHIND.get(name)
    known = [
        (day[name], day.get(behind, day["conversation_count"]) if behind else 1)
        for day in days
        if day.get(name) is not None
    ]
    weight = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / weight if weight else None


def read_days(date: dt.date, history: Mapping[str, pa.Table], before: int = BASELINE_DAYS) -> list[Day]:
    """Read the metrics of ``date`` and of the ``before`` days before it, as far as they have any.

    Args:
        date: The reported day.
        history: ISO day → ``DAILY_METRICS``; each needed key is read once.
        before: Number of days to look back.

    Returns:
        Rows of ``daily_metrics``, oldest first; the last row is that of ``date``.

    Raises:
        ValueError: If ``date`` does not have exactly one row.
    """
    days: list[Day] = []
    for offset in range(before, -1, -1):
        table = history.get((date - dt.timedelta(days=offset)).isoformat())
        days.extend(table.to_pylist() if table is not None else [])
    found = sum(day["date"] == date for day in days)
    if found != 1:
        raise ValueError(f"report of {date}: daily_metrics has {found} rows for that day, 1 is needed")
    return days
