"""Removal of what killed processes left behind; the nightly housekeeping and every run do it."""

from __future__ import annotations

from collections.abc import Iterable

from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.files import remove_staged
from analytics_platform.sources.staging_holds import discard_other_sources
from analytics_platform.storage.lake.parquet_lake import LEFT_OVER_AFTER


def sweep(platform: Platform, assets: Iterable[TableAsset]) -> int:
    """Remove leftover files from the lake, the reports and the kept classifiers, and return their number.

    Raises:
        LakeError: If the lake cannot be swept.
    """
    tables = {asset.recipe.table.name for asset in assets if asset.recipe.store == "lake"}
    seconds = LEFT_OVER_AFTER.total_seconds()
    beside = platform.pages.sweep(seconds) + remove_staged([platform.settings.classifiers_dir], seconds)
    return platform.lake.sweep(tables) + beside


def sweep_stagings(platform: Platform) -> None:
    """Remove the stagings of sources that the settings no longer name: copies of texts that nothing updates."""
    discard_other_sources(platform.settings.staging_dir, platform.source.name)
