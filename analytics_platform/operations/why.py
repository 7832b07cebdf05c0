"""Why one partition is as it is: what it was computed from, whether it is stale, and what has changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.storage.io_manager import COMPUTED_BECAUSE
from analytics_platform.storage.provenance import Provenance
from analytics_platform.storage.staleness import Decision
from analytics_platform.storage.warehouse.facts import FACTS

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
        table: The table.
        day: The day; ``""`` for a table that is one partition.
        store: Where it is kept: ``lake``, ``mongo``, ``pages`` or ``warehouse``.
        is_stored: Whether it is stored.
        stale_because: Why a run would compute it, one clause each; empty when it is current.
        computed_because: Why it was computed last; None when the event history does not say.
        computed_at: When, UTC, ISO 8601; None when the event history does not say.
        parts: What it was computed from, and what it would be computed from now.
    """

    table: str
    day: str
    store: str
    is_stored: bool
    stale_because: tuple[str, ...]
    computed_because: str | None
    computed_at: str | None
    parts: tuple[Part, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self)


def explain(
    platform: Platform, recipes: Mapping[dg.AssetKey, Recipe], instance: dg.DagsterInstance, day: str, asset: str
) -> Explanation:
    """Say what a partition was computed from, whether it is stale, and what has changed since.

    Args:
        platform: Where it is kept.
        recipes: How each table is computed, by its asset.
        instance: Where the event history is kept.
        day: ``YYYY-MM-DD``; not heeded for a table that is one partition.
        asset: Name of the table or its asset, such as ``conversation_insights`` or ``mongo/conversation_analytics``.

    Raises:
        UnknownPartitionError: If there is no such table.
    """
    if asset in FACTS:
        with platform.source.held():
            decision = platform.marts.decisions([day])[day]
        return _explained(asset, day, "warehouse", decision, instance, dg.AssetKey(asset))
    key = _find(recipes, asset)
    recipe = recipes[key]
    partition = recipe.cadence.partition_of(day)
    stores = {name: platform.store(name) for name in {recipe.store, *(i.store for i in recipe.inputs.values())}}
    with platform.source.held():
        decision = recipe.decisions([partition], stores, platform.recipe_resources())[partition]
    return _explained(recipe.table.name, partition, recipe.store, decision, instance, key)


def _find(recipes: Mapping[dg.AssetKey, Recipe], asset: str) -> dg.AssetKey:
    for key, recipe in recipes.items():
        if asset in {key.to_user_string(), key.path[-1], recipe.table.name, recipe.table.base_name}:
            return key
    names = ", ".join(sorted({key.to_user_string() for key in recipes} | set(FACTS)))
    raise UnknownPartitionError(f"why {asset}: there is no such table; there are {names}")


def _explained(
    table: str, day: str, store: str, decision: Decision, instance: dg.DagsterInstance, key: dg.AssetKey
) -> Explanation:
    stored = Provenance.parse(decision.stored.fingerprint).parts if decision.stored else {}
    now = decision.provenance.parts if decision.provenance else {}
    because, at = _last_computed(instance, key, day)
    return Explanation(
        table,
        day,
        store,
        is_stored=decision.stored is not None,
        stale_because=decision.reasons,
        computed_because=because,
        computed_at=at,
        parts=tuple(Part(name, stored.get(name), now.get(name)) for name in {**now, **stored}),
    )


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
