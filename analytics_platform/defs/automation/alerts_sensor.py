"""The sensor ``alerts``, which raises an alert for failed and warning checks, failed runs and overdue assets.

``event_log`` reads the event history; ``alerting`` removes duplicates and sends.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping

import dagster as dg

from analytics_platform.alerting import Alerts, Links
from analytics_platform.alerting.overdue import overdue_since
from analytics_platform.defs.automation.event_log import EventPosition, FailedCheck, FailedRun, read_failures
from analytics_platform.defs.framework.day_ranges import RANGE_END_TAG, RANGE_START_TAG
from analytics_platform.system.plain_text import counted

INTERVAL_SECONDS = 60


def alerts_sensor(
    alerts: Callable[[], Alerts],
    links: Links,
    assets: Iterable[dg.AssetSpec],
    *,
    stale_hours: float | None = None,
    clock: Callable[[], float] = time.time,
) -> dg.SensorDefinition:
    """Return the sensor; it starts no runs.

    Args:
        alerts: Returns the alerts of the home; called in each tick.
        links: Addresses of pages of the UI.
        assets: The assets of the graph, checked for being overdue.
        stale_hours: Hours that an asset may lag; no asset is overdue when None.
        clock: Returns the time in seconds since the epoch.
    """
    inputs = {spec.key: [dependency.asset_key for dependency in spec.deps] for spec in assets}

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends alerts to ANALYTICS_ALERT_URLS: checks that fail or warn, failed runs, overdue assets, "
        "and a source that does not answer.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        instance = context.instance
        if context.cursor is None:
            context.update_cursor(EventPosition(clock()).to_text())
            return dg.SkipReason("First tick: only later events raise alerts.")
        failures, cursor = read_failures(instance, EventPosition.from_text(context.cursor))
        post = alerts()
        for failure in failures:
            raise_failure(post, links, failure)
        if stale_hours is not None:
            for key, since in overdue_assets(instance, inputs, clock(), stale_hours).items():
                raise_overdue(post, links, key, since)
        context.update_cursor(cursor.to_text())  # every alert is in the outbox
        delivery = post.deliver()
        warnings = sum(isinstance(failure, FailedCheck) and failure.warns for failure in failures)
        summary = (
            f"{counted(len(failures) - warnings, 'failure')}, {counted(warnings, 'warning')}, "
            f"{counted(delivery.sent, 'message')} sent"
        )
        return dg.SkipReason("; ".join([summary, *delivery.problems]))

    return sensor


def raise_failure(alerts: Alerts, links: Links, failure: FailedCheck | FailedRun) -> None:
    """Raise the alert of a failed or warning check, or of a failed run.

    Alerts of a check are equal if its name and the last day of the run are equal. Alerts of a run are equal if job,
    days and failed step are equal.
    """
    run = failure.run
    ends = [run.tags[tag] for tag in (RANGE_START_TAG, RANGE_END_TAG) if tag in run.tags]
    ends = ends or [run.tags.get("dagster/partition", "")]
    if isinstance(failure, FailedRun):
        job, days = run.job_name, " to ".join(dict.fromkeys(ends))
        where = f"step {failure.step} failed" if failure.step else "the run failed outside of its steps"
        cause = f" with {' from '.join(failure.errors)}" if failure.errors else ""
        alerts.raise_alert(
            "run_failed",
            f"{job} {days} {failure.step}",
            f"Run of {job} failed" + (f" for {days}" if days else ""),
            f"{where[0].upper()}{where[1:]}{cause}. The whole message is in the run.",
            links.run(run.run_id),
        )
        return
    evaluation = failure.evaluation
    asset, name = evaluation.asset_key.to_user_string(), evaluation.check_name
    stated = evaluation.metadata.get("problem_count")
    count = stated.value if stated else None
    alerts.raise_alert(
        "check_warned" if failure.warns else "check_failed",
        f"{asset} {name} {ends[-1]}",
        f"Check {name} of {asset} {'warns' if failure.warns else 'failed'}",
        (f"{counted(count, 'problem')}. " if isinstance(count, int) else "")
        + f"Severity {evaluation.severity.value}, run {run.run_id}.",
        links.check(evaluation.asset_key.path, name),
    )


def overdue_assets(
    instance: dg.DagsterInstance, inputs: Mapping[dg.AssetKey, list[dg.AssetKey]], now: float, hours: float
) -> dict[dg.AssetKey, float]:
    """Return the assets that have lagged for more than ``hours``, each with the start of its lag in epoch seconds.

    An observation of an asset without upstream assets counts as an update: the source was read and had no new rows.
    """
    entries = [record.asset_entry for record in instance.get_asset_records(list(inputs))]
    updated = {
        entry.asset_key.to_user_string(): entry.last_materialization.timestamp
        for entry in entries
        if entry.last_materialization
    }
    for key in (key for key, read in inputs.items() if not read):
        for observation in instance.fetch_observations(key, limit=1).records:
            name = key.to_user_string()
            updated[name] = max(updated.get(name, 0.0), observation.timestamp)

    def first_after(name: str, moment: float) -> float:
        wanted = dg.AssetRecordsFilter(dg.AssetKey.from_user_string(name), after_timestamp=moment)
        records = instance.fetch_materializations(wanted, limit=1, ascending=True).records
        return records[0].timestamp if records else now

    read = {key.to_user_string(): [dependency.to_user_string() for dependency in inputs[key]] for key in inputs}
    overdue = overdue_since(updated, read, first_after, now, hours)
    return {dg.AssetKey.from_user_string(name): since for name, since in overdue.items()}


def raise_overdue(alerts: Alerts, links: Links, key: dg.AssetKey, since: float) -> None:
    """Raise the alert of an asset that has lagged since a time in seconds since the epoch."""
    name = key.to_user_string()
    moment = dt.datetime.fromtimestamp(since, dt.UTC)
    alerts.raise_alert(
        "asset_overdue",
        name,
        f"{name} is overdue",
        f"An input has been newer, or the source has not been read, since {moment:%Y-%m-%d %H:%M} UTC.",
        links.asset(key.path),
    )
