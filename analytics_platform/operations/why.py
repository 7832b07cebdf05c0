"""Why one partition is as it is: what it was computed from, whether it is stale, and what has changed."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.io_manager import COMPUTED_BECAUSE
from analytics_platform.storage.provenance import Provenance
from analytics_platform.storage.staleness import RecomputeDecision
from analytics_platform.storage.warehouse.marts_build import LAKE_TABLES

EVENTS_READ = 100
"""How many of the last materializations are searched for the last one that computed."""


class UnknownPartitionError(UserError):
    """There is no such table or day; the message says which there are."""


@dataclass(frozen=True)
class Part:
    """One named part of what a partition is computed from.

    Attributes:
        name: The part, such as ``code``, ``taxonomy`` or ``input messages``.
        stored: Its value when the stored partition was computed; None when it had no such part.
        now: Its value now; None when it cannot be told, or when there is no such part any more.
    """

    name: str
    stored: str | None
    now: str | None


@dataclass(frozen=True)
class Explanation:
    """Why a partition is as it is.

    Attributes:
        asset: The asset, as the graph names it.
        day: The day; ``""`` for a table that is one partition.
        store: Where it is kept: ``lake``, ``mongo``, ``pages`` or ``warehouse``.
        is_stored: Whether it is stored.
        stale_because: Why a run would compute it, one phrase each; empty when it is current.
        stale_inputs: Tables further up that a run would compute first, each with its reasons; when one of them comes
            out different, this partition is computed, too.
        source_changed: Whether the source was not read since it changed, as far as can be seen without reading it.
        computed_because: Why it was computed last; None when the event history does not say.
        computed_at: When, UTC, ISO 8601; None when the event history does not say.
        parts: What it was computed from, and what it would be computed from now.
    """

    asset: str
    day: str
    store: str
    is_stored: bool
    stale_because: tuple[str, ...]
    stale_inputs: tuple[str, ...]
    source_changed: bool
    computed_because: str | None
    computed_at: str | None
    parts: tuple[Part, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self)


def explain(
    platform: Platform,
    recipes: Mapping[dg.AssetKey, Recipe],
    marts: Collection[str],
    instance: dg.DagsterInstance,
    day: str,
    asset: str,
) -> Explanation:
    """Say what a partition was computed from, whether it is stale, and what has changed since.

    Args:
        platform: Where it is kept.
        recipes: How each table is computed, by its asset.
        marts: Names of the tables of the warehouse; dimensions are built with the day asked for.
        instance: Where the event history is kept.
        day: ``YYYY-MM-DD``; not heeded for a table that is one partition.
        asset: Name of the table or its asset, such as ``conversation_insights`` or ``mongo/conversation_analytics``.

    Raises:
        UnknownPartitionError: If there is no such table.
    """
    key = dg.AssetKey(asset) if asset in marts else _find(recipes, marts, asset)
    with platform.source.held():
        decided = _Decisions(platform, recipes, day)
        if asset in marts:
            decision, store, inputs = platform.marts.decisions([day])[day], "warehouse", list(LAKE_TABLES)
        else:
            recipe = recipes[key]
            decision, store = decided.of(recipe), recipe.store
            inputs = [source.table for source in recipe.inputs.values()] if recipe.cadence is Cadence.DAILY else []
            day = recipe.cadence.partition_of(day)
        stale = decided.stale_above(inputs)
        changed = not platform.source.status().complete
    stored = Provenance.parse(decision.stored.fingerprint).parts if decision.stored else {}
    now = decision.provenance.parts if decision.provenance else {}
    because, at = _last_computed(instance, key, day)
    return Explanation(
        key.to_user_string(),
        day,
        store,
        is_stored=decision.stored is not None,
        stale_because=decision.reasons,
        stale_inputs=tuple(stale),
        source_changed=changed,
        computed_because=because,
        computed_at=at,
        parts=tuple(Part(name, stored.get(name), now.get(name)) for name in {**now, **stored}),
    )


class _Decisions:
    """Decisions about the tables of one day."""

    def __init__(self, platform: Platform, recipes: Mapping[dg.AssetKey, Recipe], day: str) -> None:
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
        """Return the daily tables that these are computed from, themselves included, and that are stale, with why.

        A missing input is not named for its readers: it is listed itself.
        """
        waiting, seen, told = deque(tables), set[str](), []
        while waiting:
            name = waiting.popleft()
            recipe = self._recipes.get(name)
            if name in seen or recipe is None or recipe.cadence is not Cadence.DAILY:
                continue
            seen.add(name)
            decision = self.of(recipe)
            if decision.is_stale and decision.missing is None:
                told.append(f"{name} ({'; '.join(decision.reasons)})")
            waiting.extend(source.table for source in recipe.inputs.values())
        return told


def _find(recipes: Mapping[dg.AssetKey, Recipe], marts: Collection[str], asset: str) -> dg.AssetKey:
    for key, recipe in recipes.items():
        if asset in {key.to_user_string(), key.path[-1], recipe.table.name, recipe.table.base_name}:
            return key
    names = ", ".join(sorted({key.to_user_string() for key in recipes} | set(marts)))
    raise UnknownPartitionError(f"why {asset}: there is no such table; there are {names}")


def _last_computed(instance: dg.DagsterInstance, key: dg.AssetKey, day: str) -> tuple[str | None, str | None]:
    """Return why and when the partition was computed last, as far as the event history says."""
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day] if day else None)
    for record in instance.fetch_materializations(wanted, limit=EVENTS_READ).records:
        materialization = record.asset_materialization
        reason = materialization.metadata.get(COMPUTED_BECAUSE) if materialization else None
        if reason is not None:
            at = dt.datetime.fromtimestamp(record.timestamp, dt.UTC)
            return str(reason.value), at.isoformat(timespec="seconds")
    return None, None
