"""The job ``nightly_housekeeping``, which removes the leftovers of killed processes."""

from collections.abc import Iterable

import dagster as dg

from analytics_platform.defs.automation.leftovers import sweep, sweep_stagings
from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.defs.resources.platform import Platform

HOUSEKEEPING = "nightly_housekeeping"
"""Name of the job that removes the leftovers of killed processes."""
NIGHTLY = "17 3 * * *"


def housekeeping_schedule(platform: Platform, assets: Iterable[TableAsset]) -> dg.ScheduleDefinition:
    """Return the nightly schedule of the job, with the job."""
    assets = list(assets)

    @dg.op(description="Removes temporary files and unfinished uploads that no process will finish.")
    def remove_leftovers(context: dg.OpExecutionContext) -> None:
        context.add_output_metadata({"removed": sweep(platform, assets)})
        sweep_stagings(platform)

    @dg.job(
        name=HOUSEKEEPING, description="Removes temporary files and unfinished uploads that killed runs left behind."
    )
    def housekeeping() -> None:
        remove_leftovers()

    return dg.ScheduleDefinition(
        name="housekeeping_schedule",  # Dagster stores the schedule's state by name
        job=housekeeping,
        cron_schedule=NIGHTLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
