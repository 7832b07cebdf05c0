"""Arithmetic on days and ranges of days, and the run tags that name them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
PARTITION_TAG = "dagster/partition"
"""Dagster's run tags: the first and the last day of a run over a range, and the day of a run over one day."""
GAP_DAYS = 7
"""Stale days at most this many days apart share a run: passing over a current day costs less than a run."""


def days_between(first: dt.date, last: dt.date) -> list[str]:
    """Return every day from ``first`` to ``last``, inclusive."""
    return [(first + dt.timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


def ranges(days: Sequence[str], gap: int = GAP_DAYS) -> list[tuple[str, str]]:
    """Return ranges (first, last) that cover the days and bridge small gaps.

    Args:
        days: ISO days, ascending.
        gap: Days at most this many days apart share a range; 1 covers only the given days.
    """
    spans: list[tuple[str, str]] = []
    for day in days:
        if spans and (dt.date.fromisoformat(day) - dt.date.fromisoformat(spans[-1][1])).days <= gap:
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def few_ranges(days: Sequence[str], at_most: int) -> list[tuple[str, str]]:
    """Return ranges that cover exactly the given days. If they are too many, the smallest gaps are bridged.

    Args:
        days: ISO days, ascending.
        at_most: The most ranges.
    """
    spans = ranges(days, gap=1)
    if len(spans) <= at_most:
        return spans
    starts = [dt.date.fromisoformat(first).toordinal() for first, _ in spans]
    ends = [dt.date.fromisoformat(last).toordinal() for _, last in spans]
    gaps = sorted(start - end for start, end in zip(starts[1:], ends, strict=False))
    return ranges(days, gap=gaps[len(spans) - at_most - 1])
