"""Finds the days that must be computed again because a partition is missing, stale or due for a retry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.storage.mongo.ledger.ledger_snapshot import LedgerSnapshot
from analytics_platform.storage.partitions import PartitionStore
from analytics_platform.storage.staleness import RecomputePolicy


def stale_days(
    platform: Platform,
    assets: Iterable[TableAsset],
    days: Sequence[str],
    *,
    marts: bool,
    policy: RecomputePolicy = RecomputePolicy.UNFINISHED,
) -> list[str]:
    """Return the days on which a table is missing, has other inputs than when it was computed, or is due for a retry.

    A stale table of cadence ``WHOLE`` makes the last day stale, because a run needs a day. When one
    table has made a day stale, no further table is asked about it.
    """
    assets = list(assets)
    needed = {
        name for asset in assets for name in (asset.recipe.store, *(i.store for i in asset.recipe.inputs.values()))
    }
    stores: dict[str, PartitionStore] = {name: platform.store(name) for name in needed}
    if "mongo" in needed:
        stores["mongo"] = LedgerSnapshot(platform.mongo)
    resources = platform.recipe_resources()
    stale: set[str] = set()

    @cache
    def stored(store: str, table: str) -> Sequence[str]:
        return stores[store].keys(table)

    for asset in assets:
        keys = dict.fromkeys(asset.recipe.cadence.partition_of(day) for day in days if day not in stale)
        decisions = asset.recipe.decisions(keys, stores, resources, policy, stored)
        stale.update(key or days[-1] for key, decision in decisions.items() if decision.is_stale)
    if marts:
        decisions = platform.marts.decisions(days)
        stale.update(day for day, decision in decisions.items() if decision.is_stale)
    return sorted(stale)
