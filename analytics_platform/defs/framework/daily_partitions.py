"""The daily partitions, in UTC. A conversation belongs to the day on which it started."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from analytics_platform.defs.framework.table_asset import CADENCE_TAG
from analytics_platform.model.cadence import Cadence


def daily_partitions(first_day: dt.date, last_day: dt.date | None) -> dg.DailyPartitionsDefinition:
    """Return the daily partitions.

    Args:
        first_day: First day.
        last_day: Last day, inclusive; None for today, which moves on with time.
    """
    if last_day is None:
        return dg.DailyPartitionsDefinition(first_day.isoformat(), end_offset=1)
    return dg.DailyPartitionsDefinition(first_day.isoformat(), end_date=(last_day + dt.timedelta(days=1)).isoformat())


def partitioned(asset: dg.AssetsDefinition, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Return the asset with the daily partitions if its cadence is daily, and unchanged otherwise."""

    def with_days(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(partitions_def=days) if spec.tags.get(CADENCE_TAG) == Cadence.DAILY else spec

    return asset.map_asset_specs(with_days)
