"""Reports how far the platform is behind its source, from stored state; the source is not contacted.

``cli.doctor`` checks whether the parts work.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from analytics_platform.defs.assets import raw_assets
from analytics_platform.defs.assets.everyday import kept_mongo_days
from analytics_platform.defs.consistency.left_out import count_quarantined, count_unplaced
from analytics_platform.defs.consistency.stale_days import stale_days
from analytics_platform.defs.framework.day_ranges import RANGE_END_TAG, RANGE_START_TAG, days_between
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.sources.base import SourceStatus

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True)
class Status:
    """How far the platform is behind its source.

    Attributes:
        name: Name of the source.
        source: How far the source has been read.
        days: Number of days with rows at the source.
        waiting: Days whose version in the lake differs from the source, ascending.
        quarantined: Number of quarantined rows, of all days and of none.
        unplaced: Number of these rows that belong to no day.
        mongo_from: First day of conversations that MongoDB keeps; None if it keeps all days, or if there is none.
        seconds_left: Estimated seconds until the platform has caught up; None if nothing is missing, or if no earlier
            run tells how long a day takes.
    """

    name: str
    source: SourceStatus
    days: int
    waiting: Sequence[str]
    quarantined: int
    unplaced: int
    mongo_from: str | None
    seconds_left: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the status as a dictionary for JSON."""
        return asdict(self)


def examine(platform: Platform, open_instance: Callable[[], dg.DagsterInstance]) -> Status:
    """Return the status, from the read state of the source, the lake, and the duration of the last run.

    Args:
        platform: The platform.
        open_instance: Returns the instance with the earlier runs, which is closed here; called when a day waits.
    """
    with platform.source.held():
        return _examine(platform, open_instance)


def _examine(platform: Platform, open_instance: Callable[[], dg.DagsterInstance]) -> Status:
    source, days = platform.source.status(), list(platform.source.days())
    within = days_between(platform.settings.first_day, platform.settings.last_day)
    all_days = sorted({*days, *platform.lake.keys(raw_assets.raw_messages.recipe.table.name)}.intersection(within))
    kept = kept_mongo_days(platform.settings)
    waiting = stale_days(platform, raw_assets.OF_SOURCE, all_days, marts=False) if all_days else []
    return Status(
        name=platform.source.name,
        source=source,
        days=len(days),
        waiting=waiting,
        quarantined=count_quarantined(platform.lake, all_days) + count_unplaced(platform.lake),
        unplaced=count_unplaced(platform.lake),
        mongo_from=kept.first if kept else None,
        seconds_left=_seconds_left(source, len(waiting), open_instance),
    )


def _seconds_left(source: SourceStatus, waiting: int, open_instance: Callable[[], dg.DagsterInstance]) -> float | None:
    """Estimate the seconds left from the speed of the last pull and the seconds per day of the last run."""
    unread = 0.0
    if not source.complete and source.expected_rows and source.rows_per_second:
        unread = max(0, source.expected_rows - (source.rows or 0)) / source.rows_per_second
    if not waiting:
        return unread or None
    with open_instance() as instance:
        a_day = _seconds_a_day(instance)
    return None if a_day is None else unread + waiting * a_day


def _seconds_a_day(instance: dg.DagsterInstance) -> float | None:
    """Return the seconds per day of the last successful run over days; None without such a run."""
    import dagster as dg  # noqa: PLC0415  (half a second, which a home without waiting days does without)

    finished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])
    for record in instance.get_run_records(finished, limit=20):
        tags = record.dagster_run.tags
        if RANGE_START_TAG in tags and record.start_time and record.end_time:
            first, last = (dt.date.fromisoformat(tags[tag]) for tag in (RANGE_START_TAG, RANGE_END_TAG))
            return (record.end_time - record.start_time) / ((last - first).days + 1)
    return None
