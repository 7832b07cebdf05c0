"""How far the platform is behind its source: what people ask in the morning.

Belongs here: that, from what is stored, without asking the source. Does not belong here: whether the parts work
(``doctor``), and how it is printed (``console``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from analytics_platform.defs.assets import raw_assets
from analytics_platform.defs.consistency.left_out import count_quarantined
from analytics_platform.defs.consistency.stale_days import stale_days
from analytics_platform.defs.framework.day_ranges import days_between
from analytics_platform.defs.resources.platform import RANGE_END_TAG, RANGE_START_TAG, Platform
from analytics_platform.sources.base import SourceStatus


@dataclass(frozen=True)
class Status:
    """How far the platform is behind its source.

    Attributes:
        name: Name of the source.
        source: How far the source has been read.
        days: Number of days that the source has rows of.
        waiting: Days that the lake does not hold as the source has them, ascending.
        quarantined: Rows in quarantine.
        seconds_left: Estimate of how long it takes to catch up; None when nothing is missing,
            or no run tells how long a day takes.
    """

    name: str
    source: SourceStatus
    days: int
    waiting: Sequence[str]
    quarantined: int
    seconds_left: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self)


def examine(platform: Platform, instance: dg.DagsterInstance) -> Status:
    """Look at what has been read of the source, at the lake, and at how long the last run took."""
    with platform.source.held():
        return _examine(platform, instance)


def _examine(platform: Platform, instance: dg.DagsterInstance) -> Status:
    source, days = platform.source.status(), list(platform.source.days())
    within = days_between(platform.settings.first_day, platform.settings.last_day)
    known = sorted({*days, *platform.lake.keys(raw_assets.raw_messages.recipe.table.name)}.intersection(within))
    waiting = (
        stale_days(platform, [raw_assets.raw_messages, raw_assets.quarantined_rows], known, marts=False)
        if known
        else []
    )
    return Status(
        name=platform.source.name,
        source=source,
        days=len(days),
        waiting=waiting,
        quarantined=count_quarantined(platform.lake, known),
        seconds_left=_seconds_left(source, len(waiting), instance),
    )


def _seconds_left(source: SourceStatus, waiting: int, instance: dg.DagsterInstance) -> float | None:
    """Estimate from the speed of the last pull, and from what a day took in the last run; None without such a run."""
    unread = 0.0
    if not source.complete and source.expected_rows and source.rows_per_second:
        unread = max(0, source.expected_rows - (source.rows or 0)) / source.rows_per_second
    if not waiting:
        return unread or None
    a_day = _seconds_a_day(instance)
    return None if a_day is None else unread + waiting * a_day


def _seconds_a_day(instance: dg.DagsterInstance) -> float | None:
    """Return what a day took in the last run over days that ended well."""
    finished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])
    for record in instance.get_run_records(finished, limit=20):
        tags = record.dagster_run.tags
        if RANGE_START_TAG in tags and record.start_time and record.end_time:
            first, last = (dt.date.fromisoformat(tags[tag]) for tag in (RANGE_START_TAG, RANGE_END_TAG))
            return (record.end_time - record.start_time) / ((last - first).days + 1)
    return None
