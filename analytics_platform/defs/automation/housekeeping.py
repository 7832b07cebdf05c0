"""Clearing away what killed processes left behind: the job ``nightly_housekeeping``.

Belongs here: what is swept, and when. Does not belong here: how (``storage``).
"""

from collections.abc import Iterable

import dagster as dg

from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.sources.staging_holds import discard_other_sources
from analytics_platform.storage.lake.parquet_lake import LEFT_OVER_AFTER

HOUSEKEEPING = "nightly_housekeeping"
"""The job that clears away what killed processes left behind."""
NIGHTLY = "17 3 * * *"


def sweep(platform: Platform, assets: Iterable[TableAsset]) -> int:
    """Remove what was left behind in the lake and among the reports; return how many pieces that were.

    Raises:
        LakeError: If the lake cannot be swept.
    """
    tables = {asset.recipe.table.name for asset in assets if asset.recipe.store == "lake"}
    return platform.lake.sweep(tables) + platform.pages.sweep(LEFT_OVER_AFTER.total_seconds())


def sweep_stagings(platform: Platform) -> None:
    """Remove what sources that the settings no longer name left in the home: copies of texts that nothing updates."""
    discard_other_sources(platform.settings.staging_dir, platform.source.name)


def housekeeping_schedule(platform: Platform, assets: Iterable[TableAsset]) -> dg.ScheduleDefinition:
    """Return the schedule, with its job."""
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
        name="housekeeping_schedule",  # Dagster keeps under this name whether it is on
        job=housekeeping,
        cron_schedule=NIGHTLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
