"""The decorator that makes a Dagster asset of a pure function computing one partition of a table.

The asset gets its metadata from the table's declaration. A run streams through its range of partitions.
"""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import dagster as dg
import pyarrow as pa

from analytics_platform.defs.framework.columns import column_lineage, table_metadata
from analytics_platform.defs.framework.recipe import Input, Recipe
from analytics_platform.model import Table
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.code_version import Code, code_version
from analytics_platform.storage.failures import Failures, failures_of
from analytics_platform.storage.io_manager import TABLE_KEY, partition_metadata
from analytics_platform.storage.partitions import PartitionInfo, PartitionStream, PartitionTasks
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform.system.plain_text import on_one_line

OWNERS = ["team:analytics"]
CADENCE_TAG = "analytics/cadence"
DAYS_RESOURCE = "days"
"""Resource that holds the days of a run, so that no two runs work on the same day at the same time."""

FORCE_TAG = "analytics/force"
"""Run tag: compute every partition, even if it is current."""
REDRIVE_TAG = "analytics/redrive"
"""Run tag: read the source again, and compute every partition with failures again with a new count of tries."""
NO_RETRY_TAG = "analytics/no_retry"
"""Run tag: do not retry failures, even if they have tries left."""


@dataclass(frozen=True)
class TableAsset:
    """An asset of one table, with the recipe of the table."""

    recipe: Recipe
    definition: dg.AssetsDefinition

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return self.definition.key


def table_asset(
    table: Table,
    *,
    group: str,
    code: Sequence[Code] = (),
    upstream: Mapping[str, TableAsset] | None = None,
    cadence: Cadence = Cadence.DAILY,
    store: str = "lake",
    prefix: str | None = None,
    name: str | None = None,
    days_before: int = 0,
    kinds: frozenset[str] = frozenset({"parquet"}),
    version: Callable[..., Mapping[str, str]] | None = None,
    annotate: Callable[..., Mapping[str, str]] | None = None,
    unfinished: Callable[..., str | None] | None = None,
    isolates: bool = False,
    metadata: Callable[..., Mapping[str, Any]] | None = None,
    deps: Sequence[dg.AssetKey] = (),
) -> Callable[[Callable[..., pa.Table]], TableAsset]:
    """Make an asset of a function that computes one partition of ``table``.

    The function's parameters declare its inputs. A parameter named in ``upstream`` is an upstream table: the table of
    the same partition when annotated ``pa.Table``, a lazy stream of partitions when annotated ``PartitionStream``, and
    the failures of the same partition when annotated ``Failures``. A stream holds all partitions, or for a daily asset
    its own day and the ``days_before`` days before it. ``day`` is the partition key. Any other parameter is a resource.
    The function's docstring, below the table's grain, becomes the description of the asset.

    Conversations that failed in an upstream table of the same day are left out of all the tables that the function
    gets. An upstream table that is no parameter serves only this purpose.

    Args:
        table: Declaration of the result.
        group: Group in the graph.
        code: Modules behind the function's resources. The function, and all that it imports and calls itself, is part
            of the code version without being named; see ``code_version``.
        upstream: Assets that the function reads, by parameter.
        cadence: The period of one partition.
        store: Resource key of the IO manager that stores the table.
        prefix: First part of the asset key.
        name: Last part of the asset key; the table's name when None.
        days_before: Number of days that a daily asset's streams reach back.
        kinds: Technologies of the asset, shown in the graph.
        version: See ``Recipe``.
        annotate: See ``Recipe``.
        unfinished: See ``Recipe``.
        isolates: See ``Recipe``; only for functions that treat each conversation separately.
        metadata: Maps (day, table, resources) to further metadata of a partition, such as a chart.
        deps: Further assets that must be materialized, with their blocking checks passed, before this asset.
    """

    def decorate(compute: Callable[..., pa.Table]) -> TableAsset:
        hints = typing.get_type_hints(compute)
        upstream_assets = upstream or {}
        inputs = {
            parameter: Input(
                table=asset.recipe.table.name,
                store=asset.recipe.store,
                gives=_GIVEN[hints.get(parameter)],
                days_before=days_before,
            )
            for parameter, asset in upstream_assets.items()
        }
        parameters = list(inspect.signature(compute).parameters)
        recipe = Recipe(
            table=table,
            store=store,
            compute=compute,
            takes_day="day" in parameters,
            inputs=inputs,
            resources=tuple(p for p in parameters if p not in inputs and p != "day"),
            cadence=cadence,
            code_version=code_version(compute, *code),
            version=version,
            annotate=annotate,
            unfinished=unfinished,
            isolates=isolates,
        )

        @dg.asset(
            name=name or table.name,
            key_prefix=prefix,
            description=f"{table.grain.capitalize()}.\n\n{inspect.getdoc(compute)}",
            group_name=group,
            owners=OWNERS,
            kinds=set(kinds),
            code_version=recipe.code_version,
            ins={parameter: _asset_in(recipe, parameter, asset) for parameter, asset in upstream_assets.items()},
            deps=list(deps),
            required_resource_keys={*recipe.resources, DAYS_RESOURCE},
            io_manager_key=store,
            backfill_policy=dg.BackfillPolicy.single_run(),
            metadata={TABLE_KEY: table.name, **table_metadata(table)},
            tags={CADENCE_TAG: cadence.value},
        )
        def definition(context: dg.AssetExecutionContext, **streams: PartitionStream) -> dg.MaterializeResult[Any]:
            resources = {key: getattr(context.resources, key) for key in recipe.resources}
            days = context.partition_keys if cadence is not Cadence.WHOLE else [""]
            policy = _policy(context.run.tags)

            def written(info: PartitionInfo, reasons: tuple[str, ...], read: Callable[[], pa.Table]) -> None:
                for failure in failures_of(info):
                    left_out = f"{info.key}: left out {failure.conversation_id}: {failure.error}"
                    context.log.warning(on_one_line(left_out))
                shown = metadata(info.key, read(), **resources) if metadata else None
                facts = partition_metadata(info, reasons, shown)
                context.add_asset_metadata(facts, partition_key=info.key or None)

            tasks = (recipe.task(day, streams, resources, policy=policy) for day in days)
            return dg.MaterializeResult(
                value=PartitionTasks(tasks, written),
                metadata=column_lineage(table, {asset.key: asset.recipe.table for asset in upstream_assets.values()}),
            )

        return TableAsset(recipe, definition)

    return decorate


_GIVEN: Mapping[Any, Literal["table", "stream", "failures", "nothing"]] = {
    pa.Table: "table",
    PartitionStream: "stream",
    Failures: "failures",
    None: "nothing",
}


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
