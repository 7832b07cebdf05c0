"""Arithmetic on days and ranges of days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

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
    found: list[tuple[str, str]] = []
    for day in days:
        if found and (dt.date.fromisoformat(day) - dt.date.fromisoformat(found[-1][1])).days <= gap:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def few_ranges(days: Sequence[str], at_most: int) -> list[tuple[str, str]]:
    """Return ranges that cover exactly the given days. If they are too many, the smallest gaps are bridged.

    Args:
        days: ISO days, ascending.
        at_most: The most ranges.
    """
    found = ranges(days, gap=1)
    if len(found) <= at_most:
        return found
    starts = [dt.date.fromisoformat(first).toordinal() for first, _ in found]
    ends = [dt.date.fromisoformat(last).toordinal() for _, last in found]
    gaps = sorted(start - end for start, end in zip(starts[1:], ends, strict=False))
    return ranges(days, gap=gaps[len(found) - at_most - 1])
