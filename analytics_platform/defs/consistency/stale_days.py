"""Which days must be computed again because a partition is missing, stale or due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analytics_platform.defs.framework.computation import RecomputePolicy
from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.storage.partitions import PartitionStore


def stale_days(
    platform: Platform,
    assets: Iterable[TableAsset],
    days: Sequence[str],
    *,
    marts: bool,
    again: RecomputePolicy = RecomputePolicy.UNFINISHED,
) -> list[str]:
    """Return the days for which a table is missing, was computed from something else than is there now, or is due.

    A stale table over all days makes the last day stale, since a run needs a day.
    """
    assets = list(assets)
    needed = {
        name for asset in assets for name in (asset.recipe.store, *(i.store for i in asset.recipe.inputs.values()))
    }
    stores: dict[str, PartitionStore] = {name: platform.store(name) for name in needed}
    resources = platform.recipe_resources()
    stale: set[str] = set()
    for asset in assets:
        keys = days if asset.recipe.daily else [""]
        found = asset.recipe.stale_days(keys, stores, {n: resources[n] for n in asset.recipe.resources}, again)
        stale.update(key or days[-1] for key in found)
    if marts:
        stale.update(platform.marts.stale_days(days))
    return sorted(stale)
