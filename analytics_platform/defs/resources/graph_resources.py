"""The Dagster resources of the graph, made of the platform's parts: stores, source, engine, and the days of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from analytics_platform.defs.framework.day_ranges import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from analytics_platform.defs.framework.table_asset import DAYS_RESOURCE, TableAsset, orders_follow
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.model import Table
from analytics_platform.sources.base import Source
from analytics_platform.storage.io_manager import StoreIOManager
from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform.storage.validated import Validated
from analytics_platform.storage.work.orders import Delegate


def graph_resources(
    platform: Platform,
    tables: Collection[TableAsset],
    on_partition: Callable[[str, PartitionInfo], None] | None,
    delegate: Delegate | None = None,
) -> dict[str, Any]:
    """Return the resources of the graph by key; nothing is contacted.

    Args:
        platform: The source, the stores and the engine.
        tables: The tables of the graph, each after the tables it is computed from.
        on_partition: Called with (table name, partition info) after each partition is stored.
        delegate: Passes blocks to other processes; None computes all blocks in this process.
    """
    settings = platform.settings
    declared: dict[str, dict[str, Table]] = {"lake": {}, "mongo": {}, "pages": {}}
    for asset in tables:
        declared[asset.recipe.store][asset.recipe.table.name] = asset.recipe.table
    validated = Validated()
    managers = {
        name: StoreIOManager(
            partial(platform.store, name),
            declared[name],
            settings.workers or os.cpu_count() or 1,
            on_partition,
            validated=validated,
            block_rows=settings.block_rows,
            delegate=delegate if name == "lake" else None,
            orders_follow=partial(orders_follow, tables),
        )
        for name in declared
    }

    def source_of_run(_: dg.InitResourceContext) -> Iterator[Source]:
        with platform.reading_source() as source:
            yield source

    def days_of_run(context: dg.InitResourceContext) -> Iterator[None]:
        """Hold the days of a run while its assets work on them."""
        tags = context.run.tags if context.run else {}
        first = tags.get(RANGE_START_TAG) or tags.get(PARTITION_TAG)
        last = tags.get(RANGE_END_TAG) or tags.get(PARTITION_TAG)
        if first is None or last is None:
            yield None
            return
        with platform.hold_days(first, last):
            yield None

    return {
        **managers,
        "stores": platform.store,
        "validated": validated,
        DAYS_RESOURCE: dg.ResourceDefinition(days_of_run),
        "origin": dg.ResourceDefinition(lambda _: platform.source),
        "source": dg.ResourceDefinition(source_of_run),
        "source_name": settings.source,
        "marts": dg.ResourceDefinition(lambda _: platform.marts),
        "warehouse": DuckDBResource(
            database=str(settings.warehouse_path), connection_config={"access_mode": "READ_ONLY"}
        ),
        "cleaning": dg.ResourceDefinition(lambda _: platform.cleaning),
        "insights": dg.ResourceDefinition(lambda _: platform.insights),
        "corrections": dg.ResourceDefinition(lambda _: platform.corrections),
        "topics": dg.ResourceDefinition(lambda _: platform.topics),
        "llm": platform.llm,
        "translations": platform.translations,
        "topic_naming": platform.topic_naming,
    }
