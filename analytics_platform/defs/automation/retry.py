"""Retries of failed conversations: the job ``on_demand_redrive``, and an hourly schedule."""

# No `from __future__ import annotations`: Dagster reads the annotations of schedules.

import dagster as dg

from analytics_platform.defs.assets.learning_assets import EVERYDAY
from analytics_platform.defs.assets.processing_errors import ISOLATING
from analytics_platform.defs.consistency.left_out import days_with_errors, stored_failures
from analytics_platform.defs.framework.day_ranges import RANGE_END_TAG, RANGE_START_TAG, few_ranges
from analytics_platform.defs.framework.table_asset import REDRIVE_TAG
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.model.tables.error_tables import PROCESSING_ERRORS
from analytics_platform.storage.failures import MOST_TRIES

REDRIVE = "on_demand_redrive"
"""Name of the job that computes the failed conversations of the chosen days again."""
REDRIVE_TAGS = {REDRIVE_TAG: "true"}

HOURLY = "47 * * * *"
RETRIED_DAYS = 31
"""Number of the last stored days that the schedule searches for failures with tries left. ``analytics run``
retries older days.
"""
MAXIMUM_RUNS = 4

redrive_job = dg.define_asset_job(
    REDRIVE,
    selection=EVERYDAY,
    tags=REDRIVE_TAGS,
    description="Reads the chosen days from the source again and computes their failed conversations again, with the "
    "tries counted anew. Other partitions that are current stay as they are.",
)


def days_to_retry(platform: Platform) -> list[str]:
    """Return the days, among the last ``RETRIED_DAYS`` stored ones, with failures that have tries left, ascending."""
    lake = platform.lake
    recent = days_with_errors(lake, lake.keys(PROCESSING_ERRORS.name)[-RETRIED_DAYS:])
    left = {day for day, _, failure in stored_failures(lake, ISOLATING, recent) if failure.attempts < MOST_TRIES}
    return sorted(left)


def build_retry_schedule(platform: Platform, job_name: str) -> dg.ScheduleDefinition:
    """Return the hourly schedule that retries failures with tries left.

    Args:
        platform: The platform whose lake is searched for failures.
        job_name: The job that materializes the graph over a range of days.
    """

    @dg.schedule(
        name="retry_failures",
        job_name=job_name,
        cron_schedule=HOURLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Requests a run for each day with failed conversations that have tries left, "
        "among the last 31 stored days.",
    )
    def retry_failures(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        """Request runs for the days with failed conversations that have tries left."""
        days = days_to_retry(platform)
        if not days:
            return dg.SkipReason("no failed conversation has tries left")
        at = f"{context.scheduled_execution_time:%Y%m%dT%H%M}"
        return [
            dg.RunRequest(run_key=f"{at}/{first}", tags={RANGE_START_TAG: first, RANGE_END_TAG: last})
            for first, last in few_ranges(days, MAXIMUM_RUNS)
        ]

    return retry_failures
