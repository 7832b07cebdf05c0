"""The decorator that makes a Dagster asset of a pure function computing one partition of a table.

The asset gets its metadata from the table's declaration. A run streams through its range of partitions.
"""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import dagster as dg
import pyarrow as pa

from analytics_platform.defs.framework.columns import column_lineage, table_metadata
from analytics_platform.defs.framework.recipe import DAY_PARAMETER, Input, PartitionFacts, Recipe
from analytics_platform.model import Table
from analytics_platform.model.cadence import SUPPORTED, Cadence
from analytics_platform.model.code_version import Code, code_version
from analytics_platform.storage.failures import Failures, failures_of
from analytics_platform.storage.io_manager import TABLE_KEY, partition_metadata
from analytics_platform.storage.mongo import MongoStore
from analytics_platform.storage.partitions import PartitionInfo, PartitionStream, PartitionTasks
from analytics_platform.storage.staleness import KeptDays, RecomputePolicy
from analytics_platform.system.plain_text import counted, on_one_line

OWNERS = ["team:analytics"]
CADENCE_TAG = "analytics/cadence"
DAYS_RESOURCE = "days"
"""Resource that holds the days of a run, so that no two runs work on the same day at the same time."""

FORCE_TAG = "analytics/force"
"""Run tag: compute every partition, even if it is current."""
REDRIVE_TAG = "analytics/redrive"
"""Run tag: read the source again, and compute every partition with failures again with a new count of tries."""
NOT_KEPT = "not_kept"
"""Metadata of a partition that is not stored, because its store keeps the most recent days only: which days."""
NO_RETRY_TAG = "analytics/no_retry"
"""Run tag: do not retry failures, even if they have tries left."""


@dataclass(frozen=True)
class TableAsset:
    """An asset of one table.

    Attributes:
        recipe: The recipe of the table.
        definition: The Dagster asset.
        place: Where the asset stands in the graph.
        upstream: What the asset is computed from.
    """

    recipe: Recipe
    definition: dg.AssetsDefinition
    place: "GraphPlace"
    upstream: "Upstream"

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return self.definition.key

    def stored_in(self, store: str, upstream: "Upstream") -> "TableAsset":
        """Return the same asset, stored in another store.

        Args:
            store: Resource key of the IO manager that stores the table.
            upstream: What the asset is computed from: the same tables, which may be in other stores, too.
        """
        recipe = replace(self.recipe, store=store, inputs=upstream.inputs(self.recipe.compute))
        return _table_asset(recipe, self.place, upstream)

    def keeping(self, kept_days: KeptDays) -> "TableAsset":
        """Return the same asset, whose store keeps these days only; a run removes the earlier ones."""
        return _table_asset(replace(self.recipe, kept_days=kept_days), self.place, self.upstream)


@dataclass(frozen=True)
class GraphPlace:
    """Where an asset stands in the graph.

    Attributes:
        group: Its group.
        kinds: Technologies of the asset, shown in the graph.
        prefix: First part of the asset key; None for a key of one part.
        name: Last part of the asset key; the table's name when None.
    """

    group: str
    kinds: frozenset[str] = frozenset({"parquet"})
    prefix: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Upstream:
    """What an asset is computed from, and what it waits for.

    Attributes:
        tables: Assets that the function reads, by parameter.
        days_before: Number of days that a daily asset's streams reach back.
        wait_for: Further assets that must be materialized, with their blocking checks passed, before this asset.
    """

    tables: Mapping[str, TableAsset] = field(default_factory=dict)
    days_before: int = 0
    wait_for: Sequence[dg.AssetKey] = ()

    def inputs(self, compute: Callable[..., pa.Table]) -> dict[str, Input]:
        """Return the inputs of a function by parameter; an input's annotation says what the function gets."""
        hints = typing.get_type_hints(compute)
        return {
            parameter: Input(
                table=asset.recipe.table.name,
                store=asset.recipe.store,
                gives=_GIVEN[hints.get(parameter)],
                days_before=self.days_before,
            )
            for parameter, asset in self.tables.items()
        }


def table_asset(
    table: Table,
    place: GraphPlace,
    *,
    upstream: Upstream | None = None,
    code: Sequence[Code] = (),
    facts: PartitionFacts | None = None,
    cadence: Cadence = Cadence.DAILY,
    store: str = "lake",
    isolates: bool = False,
    spans_days: bool = False,
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
        place: Where the asset stands in the graph.
        upstream: What the function reads, and what the asset waits for.
        code: Modules behind the function's resources. The function, and all that it imports and calls itself, is part
            of the code version without being named; see ``code_version``.
        facts: What else decides about a partition, and is stored or shown with it.
        cadence: The period of one partition, ``DAILY`` or ``WHOLE``.
        store: Resource key of the IO manager that stores the table.
        isolates: See ``Recipe``; only for functions that treat each conversation separately.
        spans_days: See ``Recipe``; functions that treat each conversation separately always span days.

    Raises:
        ValueError: If the cadence is not supported, or a function that spans days takes one day; names the table.
    """
    if cadence not in SUPPORTED:
        raise ValueError(
            f"table {table.name}: cadence is {cadence}, and an asset is {' or '.join(SUPPORTED)}; "
            "docs/adding-a-report.md says how to report on a week or a month"
        )

    def decorate(compute: Callable[..., pa.Table]) -> TableAsset:
        read = upstream or Upstream()
        several = isolates or spans_days
        if several and DAY_PARAMETER in inspect.signature(compute).parameters:
            raise ValueError(
                f"table {table.name}: a function that spans days cannot take the parameter {DAY_PARAMETER}"
            )
        recipe = Recipe(
            table=table,
            store=store,
            compute=compute,
            inputs=read.inputs(compute),
            cadence=cadence,
            code_version=code_version(compute, *code),
            facts=facts or PartitionFacts(),
            isolates=isolates,
            spans_days=several,
        )
        return _table_asset(recipe, place, read)

    return decorate


def _table_asset(recipe: Recipe, place: GraphPlace, upstream: Upstream) -> TableAsset:
    return TableAsset(recipe, _definition(recipe, place, upstream), place, upstream)


def _definition(recipe: Recipe, place: GraphPlace, upstream: Upstream) -> dg.AssetsDefinition:
    """Return the Dagster asset that computes a run's partitions by a recipe."""
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
        deps=list(upstream.wait_for),
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
            facts = partition_metadata(info, reasons, shown)
            context.add_asset_metadata(facts, partition_key=info.key or None)

        if recipe.kept_days is not None:
            _drop_days(context, recipe, days)
        tasks = (recipe.task(day, streams, resources, policy=policy) for day in days if recipe.keeps(day))
        order = recipe.order(context.run_id, resources, policy)
        return dg.MaterializeResult(
            value=PartitionTasks(tasks, written, recipe.block(streams, resources), order),
            metadata=column_lineage(table, {asset.key: asset.recipe.table for asset in upstream.tables.values()}),
        )

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
            context.add_asset_metadata({NOT_KEPT: f"not stored: MongoDB keeps {recipe.kept_days}"}, partition_key=day)


def remove_old_days(recipe: Recipe, store: MongoStore) -> list[str]:
    """Remove the days of a table that its store no longer keeps, and return them, ascending."""
    return store.delete_before(recipe.table.name, recipe.kept_days.first) if recipe.kept_days else []


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
