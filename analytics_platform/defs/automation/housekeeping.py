"""The job ``nightly_housekeeping``, which removes the leftovers of killed processes and runs of long ago."""

from collections.abc import Iterable

import dagster as dg

from analytics_platform.defs.automation.leftovers import sweep, sweep_stagings
from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.storage.event_history.old_runs import remove_old_runs

HOUSEKEEPING = "nightly_housekeeping"
"""Name of the job that removes the leftovers of killed processes and runs of long ago."""
NIGHTLY = "17 3 * * *"


def housekeeping_schedule(platform: Platform, assets: Iterable[TableAsset]) -> dg.ScheduleDefinition:
    """Return the nightly schedule of the job, with the job."""
    assets = list(assets)

    @dg.op(description="Removes temporary files and unfinished uploads that no process will finish.")
    def remove_leftovers(context: dg.OpExecutionContext) -> None:
        context.add_output_metadata({"removed": sweep(platform, assets)})
        sweep_stagings(platform)

    @dg.op(description="Removes finished runs of long ago that hold the newest result of no partition and no check.")
    def remove_runs(context: dg.OpExecutionContext) -> None:
        context.add_output_metadata({"removed": remove_old_runs(context.instance, platform.settings.history_days)})

    @dg.job(
        name=HOUSEKEEPING,
        description="Removes temporary files and unfinished uploads of killed runs, and the history of old runs.",
    )
    def housekeeping() -> None:
        remove_leftovers()
        remove_runs()

    return dg.ScheduleDefinition(
        name="housekeeping_schedule",  # Dagster stores the schedule's state by name
        job=housekeeping,
        cron_schedule=NIGHTLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
