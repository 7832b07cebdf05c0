"""The job that trains, judges and promotes a model, and its weekly schedule."""

from __future__ import annotations

import dagster as dg

from analytics_platform.defs.assets.learning_assets import GROUP

JOB = "weekly_learning"


def learning_schedule() -> dg.ScheduleDefinition:
    """Return the job that trains, judges and promotes, with its weekly schedule; off until somebody turns it on."""
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.groups(GROUP),
        description="Reads the corrections, fits a model, and promotes it when it is no worse.",
    )
    return dg.ScheduleDefinition(name="learning_weekly", job=job, cron_schedule="0 5 * * 1", execution_timezone="UTC")
