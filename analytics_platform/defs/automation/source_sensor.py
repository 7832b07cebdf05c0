"""The sensor ``source_changes``, which requests changed days, and the nightly comparison with the whole source.

``sensor_state`` keeps the sensor's memory; ``sources`` finds the changes.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of sensors and assets.

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from analytics_platform.defs.assets import raw_assets
from analytics_platform.defs.automation.sensor_state import (
    GONE,
    Request,
    SensorState,
    arrived,
    changed_days,
    request_ended,
    request_repeated,
    requested,
    short,
)
from analytics_platform.defs.consistency.stale_days import stale_days
from analytics_platform.defs.framework.day_ranges import RANGE_END_TAG, RANGE_START_TAG, days_between, few_ranges
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.sources.base import Source, SourceError, SourceStatus, require_usable
from analytics_platform.system.plain_text import counted, on_one_line, plain_metadata

SENSOR = "source_changes"
RECONCILIATION = "nightly_reconciliation"
"""Name of the job that compares every stored row with the source."""
REQUEST_TAG = "analytics/request"
REFRESH_SECONDS = 40
"""Seconds that a tick spends on reading the source; Dagster ends a tick after 60 s."""

MAXIMUM_RUNS = 8
"""The most runs per request. Starting a run costs more than passing over some days that are current."""

LOST_AFTER = dt.timedelta(minutes=15)
"""A request without any run after this time was never launched."""

_DONE = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def status_metadata(status: SourceStatus) -> dict[str, Any]:
    """Return a source's status as Dagster metadata; unknown values are left out."""
    facts: dict[str, Any] = {
        "rows": status.rows,
        "cursor": status.cursor,
        "refreshed_at": status.refreshed_at,
        "reconciled_at": status.reconciled_at,
        "rows_per_second": status.rows_per_second,
        "caught_up": status.complete,
        "columns_changed": list(status.drift) or None,
    }
    return {name: plain_metadata(value) for name, value in facts.items() if value is not None}


def source_asset(platform: Platform, owners: Sequence[str]) -> dg.AssetSpec:
    """Return the source as an asset that is observed and not stored; it is the beginning of the lineage."""
    return dg.AssetSpec(
        raw_assets.SOURCE_ROWS,
        group_name="raw",
        owners=list(owners),
        kinds={"source", platform.settings.source},
        description="Rows at the source.\n\nThe sensor `source_changes` and the job `nightly_reconciliation` record "
        "here how far the source has been read: rows, cursor, speed, and columns that were added or removed.",
    )


@dataclass(frozen=True)
class Tick:
    """The decision of one tick.

    Attributes:
        cursor: The next state of the sensor.
        ask: The request to make now; None for none.
        reason: Why there is no request.
    """

    cursor: SensorState
    ask: Request | None = None
    reason: str = ""


def next_tick(platform: Platform, instance: dg.DagsterInstance, cursor: SensorState, now: dt.datetime) -> Tick:
    """Compare the source, the requested runs and the lake, and decide which days to request.

    Raises:
        SourceError: If the source cannot be read.
    """
    with platform.source.held():
        return _next_tick(platform, instance, cursor, now)


def _next_tick(platform: Platform, instance: dg.DagsterInstance, cursor: SensorState, now: dt.datetime) -> Tick:
    caught_up = platform.source.refresh(seconds=REFRESH_SECONDS)
    require_usable(platform.source.summary())
    versions = short(_versions(platform))
    if cursor.request is not None and not cursor.request.ended:
        cursor, waiting = _follow(platform, instance, cursor, versions, now)
        if waiting:
            return Tick(cursor, reason=waiting)
    if cursor.request is not None:
        if now < cursor.request.again_at:
            return Tick(cursor, reason=f"days failed and are requested again at {cursor.request.again_at:%H:%M:%S} UTC")
        cursor = request_repeated(cursor, now)
        return Tick(cursor, ask=cursor.request)
    if not caught_up:
        return Tick(cursor, reason="the source is still being pulled; the next tick continues")
    days = changed_days(cursor, versions)
    if not cursor.delivered:  # an empty memory: the lake may hold days that the source no longer has
        days = sorted({*days, *platform.lake.keys("raw_messages")})
    stale = _stale(platform, days)
    cursor = arrived(cursor, [day for day in days if day not in stale], versions)
    if not stale:
        return Tick(cursor, reason="nothing has changed at the source")
    cursor = requested(cursor, stale, versions, now)
    return Tick(cursor, ask=cursor.request)


def _follow(
    platform: Platform, instance: dg.DagsterInstance, cursor: SensorState, versions: Mapping[str, str], now: dt.datetime
) -> tuple[SensorState, str]:
    """Return the state after checking the runs of the request, and why to wait; no reason if all runs have ended."""
    request = cursor.request
    assert request is not None
    tag = {REQUEST_TAG: f"{request.id}-{request.attempt}"}
    runs = instance.get_runs(dg.RunsFilter(tags=tag))
    unfinished = [run for run in runs if run.status not in _DONE]
    if unfinished:
        return cursor, f"waiting for {len(unfinished)} of {counted(len(runs), 'run')}"
    if not runs and now < request.asked_at + LOST_AFTER:
        return cursor, "waiting for the runs to be launched"
    failed = {day for run in runs if run.status is not dg.DagsterRunStatus.SUCCESS for day in _days_of(run)}
    unchanged = [day for day, version in request.days.items() if versions.get(day, GONE) == version]
    missing = sorted({*failed, *_stale(platform, unchanged)}.intersection(request.days))
    return request_ended(cursor, missing, now), ""


def _days_of(run: dg.DagsterRun) -> list[str]:
    first, last = (dt.date.fromisoformat(run.tags[tag]) for tag in (RANGE_START_TAG, RANGE_END_TAG))
    return days_between(first, last)


def _stale(platform: Platform, days: Sequence[str]) -> list[str]:
    """Return the days whose version in the lake differs from the source."""
    return stale_days(platform, raw_assets.OF_SOURCE, days, marts=False) if days else []


def _versions(platform: Platform) -> dict[str, str]:
    """Return the version of each day of the source; the last day's changes with the rows that belong to no day.

    Any run computes the table of these rows anew, so one day stands for it.
    """
    versions = dict(platform.source.days())
    if versions:
        versions[max(versions)] += platform.source.unplaced().version
    return versions


def run_requests(request: Request) -> Iterator[dg.RunRequest]:
    """Yield the runs of a request over its days: at most ``MAXIMUM_RUNS``, bridging the smallest gaps first."""
    attempt = f"{request.id}-{request.attempt}"
    for first, last in few_ranges(sorted(request.days), MAXIMUM_RUNS):
        tags = {RANGE_START_TAG: first, RANGE_END_TAG: last, REQUEST_TAG: attempt}
        yield dg.RunRequest(run_key=f"{attempt}/{first}", tags=tags)


def build_sensor(platform: Platform, job_name: str) -> dg.SensorDefinition:
    """Return the sensor that requests the days that changed at the source.

    Args:
        platform: The platform whose source and lake are compared.
        job_name: The job that materializes the graph over a range of days.
    """
    settings = platform.settings
    running = dg.DefaultSensorStatus.STOPPED if settings.source == "sample" else dg.DefaultSensorStatus.RUNNING

    @dg.sensor(
        name=SENSOR,
        job_name=job_name,
        minimum_interval_seconds=settings.poll_seconds,
        default_status=running,
        description="Reads rows that are new or changed at the source, and requests runs for exactly the days of "
        "these rows. A request is done when the lake holds its days.",
    )
    def source_changes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """Request runs for the changed days."""
        before = SensorState.from_text(context.cursor)
        try:
            tick = next_tick(platform, context.instance, before, dt.datetime.now(dt.UTC))
        except SourceError as error:  # the state stays: an unreadable source is no change
            return dg.SkipReason(on_one_line(str(error)))
        events = []
        if tick.ask or tick.cursor.delivered != before.delivered:
            metadata = status_metadata(platform.source.status())
            events.append(dg.AssetObservation(raw_assets.SOURCE_ROWS, metadata=metadata))
        return dg.SensorResult(
            run_requests=list(run_requests(tick.ask)) if tick.ask else None,
            skip_reason=None if tick.ask else dg.SkipReason(tick.reason),
            cursor=tick.cursor.as_text(),
            asset_events=events,
        )

    return source_changes


@dg.op(required_resource_keys={"origin"})
def compare_with_the_source(context: dg.OpExecutionContext) -> None:
    """Compare all rows with the source, deletions included; the sensor requests the changed days."""
    source: Source = context.resources.origin
    found = source.reconcile()
    context.log_event(
        dg.AssetObservation(raw_assets.SOURCE_ROWS, metadata={**status_metadata(source.status()), **found})
    )


@dg.job(name=RECONCILIATION, description=compare_with_the_source.__doc__, executor_def=dg.in_process_executor)
def reconciliation() -> None:
    """Compare all rows with the source."""
    compare_with_the_source()


def build_reconciliation_schedule(platform: Platform) -> dg.ScheduleDefinition:
    """Return the nightly schedule of the comparison with the source.

    It runs by default only for NocoDB, which does not report deletions.
    """
    running = platform.settings.source == "nocodb"
    return dg.ScheduleDefinition(
        name="reconciliation_nightly",
        job=reconciliation,
        cron_schedule="30 2 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
    )
