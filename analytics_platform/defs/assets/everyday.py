"""The everyday tables: which there are, and which of them the settings ask for."""

from __future__ import annotations

from analytics_platform.defs.assets import (
    analytics_assets,
    clean_assets,
    insight_assets,
    llm_assets,
    operational_assets,
    processing_errors,
    raw_assets,
    report_assets,
    topic_assets,
)
from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.settings.loader import Settings
from analytics_platform.storage.staleness import KeptDays

EVERYTHING = "daily_tables"
"""The job that materializes all groups but ``learning`` over a range of days.

The name of a job begins with its cadence: ``daily`` for partitions of days, ``nightly``, ``weekly``, or ``on_demand``.
"""
TABLES = [
    *raw_assets.ASSETS,
    *clean_assets.ASSETS,
    *llm_assets.ASSETS,
    *insight_assets.ASSETS,
    *processing_errors.ASSETS,
    *topic_assets.ASSETS,
    *analytics_assets.ASSETS,
    *operational_assets.ASSETS,
    *report_assets.ASSETS,
]
"""The everyday tables of every tier but ``llm``, each after the tables it is computed from."""


def tables_of(settings: Settings) -> list[TableAsset]:
    """Return the everyday tables under these settings, each after the tables it is computed from."""
    others = insight_assets.BY_LLM if settings.tier == "llm" else {}
    if kept := kept_mongo_days(settings):
        others |= {asset.name: asset.keeping(kept) for asset in operational_assets.DAILY}
    if settings.has_mongo:
        return [others.get(asset.name, asset) for asset in TABLES]
    others |= {asset.name: asset for asset in report_assets.in_lake()}
    return [others.get(asset.name, asset) for asset in TABLES if asset.name not in operational_assets.NAMES]


def kept_mongo_days(settings: Settings) -> KeptDays | None:
    """Return the days that the daily collections of MongoDB keep; None if they keep all days, or there are none."""
    if settings.mongo_days is None or not settings.has_mongo:
        return None
    return KeptDays(settings.mongo_days, lambda: settings.last_day, "ANALYTICS_MONGO_DAYS")


def recipes_of(settings: Settings) -> dict[str, Recipe]:
    """Return the recipe of each everyday table under these settings by name of asset, in the order of ``tables_of``.

    Code that computes or compares partitions takes its recipes from this function, because the recipe of
    ``conversation_insights`` depends on the tier.
    """
    return {asset.name: asset.recipe for asset in tables_of(settings)}
