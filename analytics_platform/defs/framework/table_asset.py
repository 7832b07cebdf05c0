"""The decorator that makes a Dagster asset of a pure function computing one partition of a table.

`asset_definition` makes the Dagster asset at its first use. So a command that asks only which partitions are stale
does without Dagster, whose import and definitions take a second.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from analytics_platform.defs.framework.recipe import DAY_PARAMETER, Input, PartitionFacts, Recipe
from analytics_platform.model import Table
from analytics_platform.model.cadence import SUPPORTED, Cadence
from analytics_platform.model.code_version import Code, code_version
from analytics_platform.storage.failures import Failures
from analytics_platform.storage.partitions import PartitionStream

if TYPE_CHECKING:
    import dagster as dg

    from analytics_platform.storage.mongo import MongoStore
    from analytics_platform.storage.staleness import KeptDays

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
        place: Where the asset stands in the graph.
        upstream: What the asset is computed from.
    """

    recipe: Recipe
    place: GraphPlace
    upstream: Upstream

    @property
    def name(self) -> str:
        """The asset's name, as its key is written: ``conversations``, or ``mongo/conversation_analytics``."""
        name = self.place.name or self.recipe.table.name
        return f"{self.place.prefix}/{name}" if self.place.prefix else name

    @cached_property
    def definition(self) -> dg.AssetsDefinition:
        """The Dagster asset."""
        from analytics_platform.defs.framework.asset_definition import define_asset  # noqa: PLC0415  (imports Dagster)

        return define_asset(self)

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return self.definition.key

    def stored_in(self, store: str, upstream: Upstream) -> TableAsset:
        """Return the same asset, stored in another store.

        Args:
            store: Resource key of the IO manager that stores the table.
            upstream: What the asset is computed from: the same tables, which may be in other stores, too.
        """
        recipe = replace(self.recipe, store=store, inputs=upstream.inputs(self.recipe.compute))
        return TableAsset(recipe, self.place, upstream)

    def keeping(self, kept_days: KeptDays) -> TableAsset:
        """Return the same asset, whose store keeps these days only; a run removes the earlier ones."""
        return TableAsset(replace(self.recipe, kept_days=kept_days), self.place, self.upstream)


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
        wait_for: Names of further assets that must be materialized, with their blocking checks passed, before this
            asset.
    """

    tables: Mapping[str, TableAsset] = field(default_factory=dict)
    days_before: int = 0
    wait_for: Sequence[str] = ()

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
    its own day and the ``days_before`` days before it. ``day`` is the partition key, and ``days`` are the keys of a
    function that spans days. Any other parameter is a resource.
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
        return TableAsset(recipe, place, read)

    return decorate


def orders_follow(assets: Iterable[TableAsset], name: str, selected: Collection[str]) -> bool:
    """Tell whether a run computes a table from that of an asset, directly or not, that other processes can compute.

    Args:
        assets: The assets of the graph, each after the assets that it is computed from.
        name: Name of the asset.
        selected: Names of the assets that the run materializes; empty if it materializes all of them.
    """
    renewed = {name}
    for asset in assets:
        is_selected = not selected or asset.name in selected
        if is_selected and not renewed.isdisjoint(upstream.name for upstream in asset.upstream.tables.values()):
            if asset.recipe.is_orderable:
                return True
            renewed.add(asset.name)
    return False


def remove_old_days(recipe: Recipe, store: MongoStore) -> list[str]:
    """Remove the days of a table that its store no longer keeps, and return them, ascending."""
    return store.delete_before(recipe.table.name, recipe.kept_days.first) if recipe.kept_days else []


_GIVEN: Mapping[Any, Literal["table", "stream", "failures", "nothing"]] = {
    pa.Table: "table",
    PartitionStream: "stream",
    Failures: "failures",
    None: "nothing",
}
