"""Explains the state of one partition: its inputs, whether it is stale, and what has changed."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.model.cadence import Cadence
from analytics_platform.operations.table_names import unknown_table
from analytics_platform.storage.provenance import Provenance
from analytics_platform.storage.staleness import RecomputeDecision
from analytics_platform.storage.warehouse.marts_build import LAKE_TABLES

if TYPE_CHECKING:
    import dagster as dg

EVENTS_READ = 100
"""Number of the last materializations that are searched for the last one that computed the partition."""


class UnknownPartitionError(UserError):
    """The requested table does not exist; the message lists the tables."""


@dataclass(frozen=True)
class Part:
    """One named part of the provenance of a partition.

    Attributes:
        name: Name of the part, such as ``code``, ``taxonomy`` or ``input messages``.
        stored: Its value when the stored partition was computed; None if the part did not exist then.
        now: Its present value; None if it is unknown, or if the part no longer exists.
    """

    name: str
    stored: str | None
    now: str | None


@dataclass(frozen=True)
class Explanation:
    """The state of a partition and its reasons.

    Attributes:
        asset: The asset's name in the graph.
        day: The day; ``""`` for a table that is one partition.
        store: Store of the partition: ``lake``, ``mongo``, ``pages`` or ``warehouse``.
        is_stored: Whether the partition is stored.
        stale_because: Why a run would compute the partition, one phrase each; empty if it is current.
        stale_inputs: Upstream tables that a run would compute first, each with its reasons. If the content of one
            changes, this partition is computed, too.
        not_kept: Why the store does not keep the partition, so that no run computes it; None for a partition to keep.
        source_changed: Whether the source was not read since it changed, as far as is visible without reading it.
        computed_because: Why it was last computed; None if the event history does not say.
        computed_at: When it was last computed, UTC, ISO 8601; None if the event history does not say.
        parts: The provenance of the stored partition and of a computation now.
    """

    asset: str
    day: str
    store: str
    is_stored: bool
    stale_because: tuple[str, ...]
    stale_inputs: tuple[str, ...]
    not_kept: str | None
    source_changed: bool
    computed_because: str | None
    computed_at: str | None
    parts: tuple[Part, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the explanation as a dictionary for JSON."""
        return asdict(self)


def explain(
    platform: Platform,
    recipes: Mapping[str, Recipe],
    marts: Collection[str],
    instance: dg.DagsterInstance,
    day: str,
    asset: str,
) -> Explanation:
    """Explain the state of a partition: its provenance, whether it is stale, and what has changed since.

    Args:
        platform: The platform of the stores.
        recipes: The recipe of each table, by the name of its asset.
        marts: Names of the tables of the warehouse. A dimension is explained by the build of the given day.
        instance: The Dagster instance with the event history.
        day: ``YYYY-MM-DD``; ignored for a table that is one partition.
        asset: Name of the table or its asset, such as ``conversation_insights`` or ``mongo/conversation_analytics``.

    Raises:
        UnknownPartitionError: If there is no such table.
    """
    name = asset if asset in marts else _find(recipes, marts, asset)
    with platform.source.held():
        decided = _Decisions(platform, recipes, day)
        if asset in marts:
            decision, store, inputs = platform.marts.decisions([day])[day], "warehouse", list(LAKE_TABLES)
        else:
            recipe = recipes[name]
            decision, store = decided.of(recipe), recipe.store
            inputs = [source.table for source in recipe.inputs.values()] if recipe.cadence is Cadence.DAILY else []
            day = recipe.cadence.partition_of(day)
        stale = decided.stale_above(inputs)
        changed = not platform.source.status().complete
    stored = Provenance.parse(decision.stored.provenance).parts if decision.stored else {}
    now = decision.provenance.parts if decision.provenance else {}
    because, at = _last_computed(instance, name, day)
    return Explanation(
        name,
        day,
        store,
        is_stored=decision.stored is not None,
        stale_because=decision.reasons,
        stale_inputs=tuple(stale),
        not_kept=decision.not_kept,
        source_changed=changed,
        computed_because=because,
        computed_at=at,
        parts=tuple(Part(name, stored.get(name), now.get(name)) for name in {**now, **stored}),
    )


class _Decisions:
    """Recompute decisions for the tables of one day."""

    def __init__(self, platform: Platform, recipes: Mapping[str, Recipe], day: str) -> None:
        self._platform = platform
        self._recipes = {recipe.table.name: recipe for recipe in recipes.values()}
        self._resources = platform.recipe_resources()
        self._day = day

    def of(self, recipe: Recipe) -> RecomputeDecision:
        """Decide about the day's partition of a table."""
        names = {recipe.store, *(source.store for source in recipe.inputs.values())}
        stores = {name: self._platform.store(name) for name in names}
        partition = recipe.cadence.partition_of(self._day)
        return recipe.decisions([partition], stores, self._resources)[partition]

    def stale_above(self, tables: Iterable[str]) -> list[str]:
        """Return the stale daily tables among the given tables and all their upstream tables, each with its reasons.

        A table that is stale only because an input is missing is not listed; the missing input is.
        """
        waiting, seen, stale = deque(tables), set[str](), []
        while waiting:
            name = waiting.popleft()
            recipe = self._recipes.get(name)
            if name in seen or recipe is None or recipe.cadence is not Cadence.DAILY:
                continue
            seen.add(name)
            decision = self.of(recipe)
            if decision.is_stale and decision.missing is None:
                stale.append(f"{name} ({'; '.join(decision.reasons)})")
            waiting.extend(source.table for source in recipe.inputs.values())
        return stale


def _find(recipes: Mapping[str, Recipe], marts: Collection[str], asset: str) -> str:
    for name, recipe in recipes.items():
        if asset in {name, name.rpartition("/")[2], recipe.table.name, recipe.table.base_name}:
            return name
    raise UnknownPartitionError(unknown_table(asset, {*recipes, *marts}))


def _last_computed(instance: dg.DagsterInstance, asset: str, day: str) -> tuple[str | None, str | None]:
    """Return reason and time of the partition's last computation; None for each that the event history lacks."""
    import dagster as dg  # noqa: PLC0415  (the rest of this module does without)

    from analytics_platform.storage.io_manager import COMPUTED_BECAUSE  # noqa: PLC0415  (imports Dagster)

    key = dg.AssetKey.from_user_string(asset)
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day] if day else None)
    for record in instance.fetch_materializations(wanted, limit=EVENTS_READ).records:
        materialization = record.asset_materialization
        reason = materialization.metadata.get(COMPUTED_BECAUSE) if materialization else None
        if reason is not None:
            at = dt.datetime.fromtimestamp(record.timestamp, dt.UTC)
            return str(reason.value), at.isoformat(timespec="seconds")
    return None, None
