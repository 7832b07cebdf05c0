"""The Dagster asset of a table: it streams through the partitions of a run, and computes each by the table's recipe.

The asset gets its metadata from the table's declaration.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of asset functions.

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from analytics_platform.defs.framework.columns import column_lineage, table_metadata
from analytics_platform.defs.framework.partition_metadata import add_partition_metadata
from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.defs.framework.table_asset import (
    CADENCE_TAG,
    DAYS_RESOURCE,
    FORCE_TAG,
    NO_RETRY_TAG,
    NOT_KEPT,
    OWNERS,
    REDRIVE_TAG,
    TableAsset,
    remove_old_days,
)
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.failures import failures_of
from analytics_platform.storage.io_manager import TABLE_KEY, partition_metadata
from analytics_platform.storage.partitions import PartitionInfo, PartitionStream, PartitionTasks
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform.system.plain_text import counted, on_one_line


def define_asset(asset: TableAsset) -> dg.AssetsDefinition:
    """Return the Dagster asset that computes a run's partitions by the recipe of a table."""
    recipe, place, upstream = asset.recipe, asset.place, asset.upstream
    table, show = recipe.table, recipe.facts.metadata
    lineage = column_lineage(table, {read.key: read.recipe.table for read in upstream.tables.values()})

    @dg.asset(
        name=place.name or table.name,
        key_prefix=place.prefix,
        description=_description(recipe),
        group_name=place.group,
        owners=OWNERS,
        kinds=set(place.kinds),
        code_version=recipe.code_version,
        ins={parameter: _asset_in(recipe, parameter, asset) for parameter, asset in upstream.tables.items()},
        deps=[dg.AssetKey.from_user_string(name) for name in upstream.wait_for],
        required_resource_keys={*recipe.resources, DAYS_RESOURCE, *(["stores"] if recipe.kept_days else [])},
        io_manager_key=recipe.store,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={TABLE_KEY: table.name, **table_metadata(table)},
        tags={CADENCE_TAG: recipe.cadence.value},
    )
    def definition(context: dg.AssetExecutionContext, **streams: PartitionStream) -> dg.MaterializeResult[Any]:
        resources = {key: getattr(context.resources, key) for key in recipe.resources}
        days = context.partition_keys if recipe.cadence is not Cadence.WHOLE else [""]
        policy = _policy(context.run.tags)

        def written(info: PartitionInfo, reasons: tuple[str, ...], read: Callable[[], pa.Table]) -> None:
            for failure in failures_of(info):
                left_out = f"{info.key}: left out {failure.conversation_id}: {failure.error}"
                context.log.warning(on_one_line(left_out))
            shown = show(info.key, read(), **resources) if show else None
            add_partition_metadata(context, info.key, partition_metadata(info, reasons, shown))

        # With the last day alone: it would be stored again with each day, and the UI shows that of the latest.
        add_partition_metadata(context, days[-1], lineage)
        if recipe.kept_days is not None:
            _drop_days(context, recipe, days)
        tasks = (recipe.task(day, streams, resources, policy=policy) for day in days if recipe.keeps(day))
        order = recipe.order(context.run.run_id, resources, policy)
        selected = frozenset(key.to_user_string() for key in context.run.asset_selection or ())
        block = recipe.block(streams, resources)
        return dg.MaterializeResult(value=PartitionTasks(tasks, written, block, order, selected))

    return definition


def _description(recipe: Recipe) -> str:
    """Return the table's grain as a sentence, below it the docstring of the function, and the number of kept days."""
    grain, kept = recipe.table.grain, recipe.kept_days
    number = f"\n\nMongoDB keeps {counted(kept.count, 'day')} only ({kept.setting}), the lake all." if kept else ""
    return f"{grain[:1].upper()}{grain[1:]}.\n\n{inspect.getdoc(recipe.compute)}{number}"


def _drop_days(context: dg.AssetExecutionContext, recipe: Recipe, days: Sequence[str]) -> None:
    """Remove the days that the store no longer keeps, and say of the run's days among them that they are not stored."""
    removed = remove_old_days(recipe, context.resources.stores(recipe.store))
    if removed:
        context.log.info(f"removed {counted(len(removed), 'day')} from {removed[0]} to {removed[-1]}")
    for day in days:
        if not recipe.keeps(day):
            add_partition_metadata(context, day, {NOT_KEPT: f"not stored: MongoDB keeps {recipe.kept_days}"})


def _policy(tags: Mapping[str, str]) -> RecomputePolicy:
    """Return the recompute policy that the run's tags ask for."""
    asked = {
        FORCE_TAG: RecomputePolicy.EVERYTHING,
        REDRIVE_TAG: RecomputePolicy.FAILURES,
        NO_RETRY_TAG: RecomputePolicy.NOTHING,
    }
    return next((policy for tag, policy in asked.items() if tag in tags), RecomputePolicy.UNFINISHED)


def _asset_in(recipe: Recipe, parameter: str, upstream: TableAsset) -> dg.AssetIn:
    """Return the Dagster input; the partition mapping of a stream into a daily table includes the days before."""
    back = recipe.inputs[parameter].days_before
    lagged = recipe.cadence is Cadence.DAILY and recipe.inputs[parameter].whole and back
    mapping = dg.TimeWindowPartitionMapping(start_offset=-back) if lagged else None
    return dg.AssetIn(key=upstream.key, partition_mapping=mapping)
