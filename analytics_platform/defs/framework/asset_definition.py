"""The Dagster asset of a table: it streams through the partitions of a run, and computes each by the table's recipe.

The asset gets its metadata from the table's declaration.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of asset functions.

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from analytics_platform.defs.framework.columns import column_lineage, table_metadata
from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.defs.framework.table_asset import (
    CADENCE_TAG,
    DAYS_RESOURCE,
    FORCE_TAG,
    NO_RETRY_TAG,
    OWNERS,
    REDRIVE_TAG,
    TableAsset,
)
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.failures import failures_of
from analytics_platform.storage.io_manager import TABLE_KEY, partition_metadata
from analytics_platform.storage.partitions import PartitionInfo, PartitionStream, PartitionTasks
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform.system.plain_text import on_one_line


def define_asset(asset: TableAsset) -> dg.AssetsDefinition:
    """Return the Dagster asset that computes a run's partitions by the recipe of a table."""
    recipe, place, upstream = asset.recipe, asset.place, asset.upstream
    table, show = recipe.table, recipe.facts.metadata

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
        required_resource_keys={*recipe.resources, DAYS_RESOURCE},
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
            facts = partition_metadata(info, reasons, shown)
            context.add_asset_metadata(facts, partition_key=info.key or None)

        tasks = (recipe.task(day, streams, resources, policy=policy) for day in days)
        order = recipe.order(context.run_id, resources, policy)
        return dg.MaterializeResult(
            value=PartitionTasks(tasks, written, recipe.block(streams, resources), order),
            metadata=column_lineage(table, {read.key: read.recipe.table for read in upstream.tables.values()}),
        )

    return definition


def _description(recipe: Recipe) -> str:
    """Return the table's grain as a sentence, and below it the docstring of the function."""
    grain = recipe.table.grain
    return f"{grain[:1].upper()}{grain[1:]}.\n\n{inspect.getdoc(recipe.compute)}"


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
