"""The workbench of a worker process: it computes and stores what an order names, from its own settings.

A worker trusts nothing that an order cannot prove: it states again what each partition is computed from, and declines
the order if that is not what the run has decided. Another version of the code, another taxonomy, a model promoted
meanwhile or another lake therefore never reach the lake.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from analytics_platform.defs.assets.everyday import recipes_of
from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.defs.resources.corrections_resource import Corrections
from analytics_platform.defs.resources.insights_resource import Insights
from analytics_platform.defs.resources.last_readings import LastReadings
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.storage.partitions import PartitionStream
from analytics_platform.storage.provenance import Provenance
from analytics_platform.storage.staleness import MissingInputError
from analytics_platform.storage.work.blocks import Planned
from analytics_platform.storage.work.orders import Delivered, Order
from analytics_platform.storage.work.storing import store_unit

_RUNS = 2
"""Runs whose engine stays in memory."""


class Workbench:
    """Works on orders; safe to share between threads.

    Args:
        platform: The stores and the engine of this process.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._recipes = {recipe.table.name: recipe for recipe in recipes_of(platform.settings).values()}
        self._lock = threading.Lock()
        self._insights_of = lru_cache(_RUNS)(self._new_insights)

    def work(self, order: Order) -> Delivered:
        """Compute and store the partitions of an order, up to the first that fails.

        Raises:
            UserError: If the lake cannot be reached.
        """
        recipe = self._recipes.get(order.table)
        if recipe is None:
            return Delivered(declined=f"no table is named {order.table} under the settings of this worker")
        lake, resources = self._platform.lake, self._resources(recipe, order)
        if lake.leases:
            lake.leases.join(order.lease)
        keys = list(order.decisions)
        streams = {name: PartitionStream.unlisted(lake, given.table, keys) for name, given in recipe.inputs.items()}
        unit = []
        for key, decision in order.decisions.items():
            if differing := _difference(recipe, key, streams, resources, decision.provenance):
                return Delivered(declined=f"{order.table} {key}: {differing}")
            unit.append(Planned(recipe.task(key, streams, resources, policy=order.policy), decision))
        stored, _ = store_unit(lake, recipe.table, recipe.block(streams, resources), unit, {})
        return Delivered(
            {info.key: (info, reasons) for info, reasons in stored},
            {info.key: lake.checksum(order.table, info.key) for info, _ in stored},
        )

    def _resources(self, recipe: Recipe, order: Order) -> dict[str, Any]:
        makers: dict[str, Callable[[], Any]] = {
            "cleaning": lambda: self._platform.cleaning,
            "insights": lambda: self._insights(order.run),
            "corrections": lambda: self._corrections(order),
        }
        return {name: makers[name]() for name in recipe.resources}

    def _insights(self, run: str) -> Insights:
        with self._lock:
            return self._insights_of(run)

    def _new_insights(self, run: str) -> Insights:  # noqa: ARG002  (the key of the cache)
        insights = self._platform.insights
        _ = insights.engine  # built under the lock, so that no two threads build it
        return insights

    def _corrections(self, order: Order) -> Corrections:
        settings = self._platform.settings
        return Corrections(
            {place: partial(_rows, rows) for place, rows in order.corrections.items()},
            LastReadings(settings.home / "corrections", remembers=False),
            lambda: self._platform.lake,
            lambda: load_taxonomy(settings.taxonomy_parts),
        )


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [dict(row) for row in rows]


def _difference(
    recipe: Recipe,
    key: str,
    streams: Mapping[str, PartitionStream],
    resources: Mapping[str, Any],
    decided: Provenance | None,
) -> str:
    """Return how this process would compute a partition otherwise than the run decided; empty if it would not."""
    try:
        here = recipe.provenance(key, streams, resources)
    except MissingInputError as error:
        return str(error)
    return ", ".join(here.changes_since(decided)) if decided is not None else "its inputs are missing"
