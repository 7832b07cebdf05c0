"""The job ``weekly_learning``, which fits, evaluates and promotes a model, and its weekly schedule."""

from __future__ import annotations

import dagster as dg

from analytics_platform.defs.assets.learning_assets import GROUP

JOB = "weekly_learning"


def learning_schedule() -> dg.ScheduleDefinition:
    """Return the weekly schedule with its job. The schedule is stopped until a person starts it."""
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.groups(GROUP),
        description="Reads the corrections of labels, fits a model, evaluates it on gold labels, and promotes it when "
        "it is no worse than the model before it.",
    )
    return dg.ScheduleDefinition(name="learning_weekly", job=job, cron_schedule="0 5 * * 1", execution_timezone="UTC")
