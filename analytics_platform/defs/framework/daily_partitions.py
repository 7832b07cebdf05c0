"""The daily partitions, in UTC. A conversation belongs to the day on which it started."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.instance import DynamicPartitionsStore

from analytics_platform.defs.framework.table_asset import CADENCE_TAG
from analytics_platform.model.cadence import Cadence


class DailyPartitions(dg.DailyPartitionsDefinition):
    """Daily partitions that keep the list of their keys until the next day begins.

    Dagster asks for the list of all days for each check of a run, and makes it anew by the rules of cron: 60 ms for
    twelve years.
    """

    def get_partition_keys(
        self, current_time: dt.datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> Sequence[str]:
        """Return all days, ascending, up to the last at a moment: ``current_time``, or by default now."""
        with partition_loading_context(current_time, dynamic_partitions_store) as context:
            return list(_keys_on(self, dt.datetime.fromtimestamp(context.effective_dt.timestamp(), dt.UTC).date()))


@lru_cache(maxsize=4)
def _keys_on(days: DailyPartitions, _today: dt.date) -> tuple[str, ...]:
    """Return the keys at the moment of the surrounding context; they are the same for the rest of its day."""
    return tuple(super(DailyPartitions, days).get_partition_keys())


def daily_partitions(first_day: dt.date, last_day: dt.date | None) -> dg.DailyPartitionsDefinition:
    """Return the daily partitions.

    Args:
        first_day: First day.
        last_day: Last day, inclusive; None for today, which moves on with time.
    """
    if last_day is None:
        return DailyPartitions(first_day.isoformat(), end_offset=1)
    return DailyPartitions(first_day.isoformat(), end_date=(last_day + dt.timedelta(days=1)).isoformat())


def partitioned(asset: dg.AssetsDefinition, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Return the asset with the daily partitions if its cadence is daily, and unchanged otherwise."""

    def with_days(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(partitions_def=days) if spec.tags.get(CADENCE_TAG) == Cadence.DAILY else spec

    return asset.map_asset_specs(with_days)
