"""Repairs disagreements: computes exactly the wrong partitions again from the lake, and compares them once more.

The lake comes first, because all other stores are compared with it. A damaged or missing file is computed again from
its inputs, and the tables computed from it follow if its content has changed. The documents come second, and the days
of the warehouse last. Without a disagreement, nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analytics_platform.defs.consistency.audit import EVERY_TABLE, NOT_KEPT, ORPHANED, STRAY, UNCOMPARED, Audit
from analytics_platform.defs.framework.isolation import in_one_line
from analytics_platform.defs.framework.recipe import Input, Recipe
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.agreement import Disagreement
from analytics_platform.storage.lake import LakeError
from analytics_platform.storage.partitions import PartitionInfo, PartitionStore, PartitionStream, StoreUnreachableError
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform.storage.warehouse.facts import FACTS
from analytics_platform.storage.warehouse.marts_build import LAKE_TABLES
from analytics_platform.storage.work.storing import store_task
from analytics_platform.system.disk_full import DiskFullError

_NOT_REPAIRED = "not repaired: the source no longer has this day, and other tables hold rows of it"


@dataclass(frozen=True)
class RepairedPartition:
    """One partition that was computed again, or documents that were removed.

    Attributes:
        store: Name of the store.
        table: Name of the table.
        day: The partition.
        info: The stored partition; None for a day of the warehouse and for removed documents.
    """

    store: str
    table: str
    day: str
    info: PartitionInfo | None = None


@dataclass
class Repair:
    """The result of a repair.

    Attributes:
        found: The disagreements before the repair.
        mended: The partitions that were computed again or removed, in order.
        left: The disagreements after the repair.
    """

    found: list[Disagreement] = field(default_factory=list)
    mended: list[RepairedPartition] = field(default_factory=list)
    left: list[Disagreement] = field(default_factory=list)


class Repairer:
    """Repairs the stores of one platform.

    Args:
        audit: Finds the disagreements.
        resources: Every resource of the recipes by name, ``source`` among them.
        on_message: Called with (level, text) for each message of dbt.
    """

    def __init__(self, audit: Audit, resources: Mapping[str, Any], on_message: Callable[[str, str], None]) -> None:
        self._audit = audit
        self._resources = resources
        self._on_message = on_message
        self._stores: dict[str, PartitionStore] = {"lake": audit.lake}
        if audit.mongo is not None:
            self._stores["mongo"] = audit.mongo

    def repair(self, days: Collection[str] | None) -> Repair:
        """Repair every disagreement, and compare again.

        A partition that cannot be computed is left with the reason; all other partitions are repaired.

        Args:
            days: Days to compare; all stored days when None.
        """
        outcome = Repair()
        self._mend_lake(days, outcome)
        self._mend_collections(days, outcome)
        self._mend_warehouse(days, outcome)
        if outcome.found:
            outcome.found = list(dict.fromkeys(outcome.found))
            touched = {one.day for one in outcome.found} | {one.day for one in outcome.mended}
            again = self._audit.all(touched if all(touched) else days)
            reasons = {(one.store, one.table, one.day): one for one in outcome.left}
            outcome.left = [reasons.pop((one.store, one.table, one.day), one) for one in dict.fromkeys(again)]
            outcome.left += reasons.values()
        return outcome

    def _mend_lake(self, days: Collection[str] | None, outcome: Repair) -> None:
        mended: set[tuple[str, str]] = set()
        for recipe in self._audit.recipes:
            if recipe.store != "lake":
                continue
            wrong = list(self._audit.of_lake(recipe, days))
            outcome.found += wrong
            # An unreadable file may belong to another program, so it is left with the reason.
            unread = [one for one in wrong if one.problem.startswith(UNCOMPARED)]
            outcome.left += unread
            keys = {one.day for one in wrong if one not in unread} | self._followers(recipe, mended)
            for key in sorted(keys):
                if self._would_lose(recipe, key):
                    outcome.left.append(Disagreement("lake", recipe.table.name, key, _NOT_REPAIRED))
                    continue
                if self._compute(recipe, key, outcome):
                    mended.add((recipe.table.name, key))

    def _followers(self, recipe: Recipe, mended: Collection[tuple[str, str]]) -> set[str]:
        """Return the stored partitions that are stale because a repaired input has another content than before."""
        inputs = {source.table for source in recipe.inputs.values()}
        touched = {recipe.cadence.partition_of(day) if day else "" for table, day in mended if table in inputs}
        stored = touched.intersection(self._audit.lake.keys(recipe.table.name))
        mine = {name: self._resources[name] for name in recipe.resources}
        return {key for key in stored if self._is_stale(recipe, key, mine)}

    def _is_stale(self, recipe: Recipe, key: str, resources: Mapping[str, Any]) -> bool:
        try:
            return recipe.decisions([key], self._stores, resources)[key].is_stale
        except StoreUnreachableError:
            raise
        except LakeError:  # the partition itself is wrong and handled as such
            return False

    def _would_lose(self, recipe: Recipe, key: str) -> bool:
        """Tell whether a repair would empty a day: the source lacks it, and other tables have rows of it."""
        if "source" not in recipe.resources or key in self._resources["source"].days():
            return False
        others = [other for other in self._audit.recipes if other is not recipe and other.store in self._stores]
        return any(self._rows(other, key) for other in others if other.cadence is Cadence.DAILY)

    def _rows(self, recipe: Recipe, key: str) -> int:
        try:
            info = self._stores[recipe.store].info(recipe.table.name, key)
        except StoreUnreachableError:
            raise
        except LakeError:
            return 0
        return info.rows if info else 0

    def _mend_collections(self, days: Collection[str] | None, outcome: Repair) -> None:
        for recipe in self._audit.collections:
            name = recipe.table.name
            for wrong in list(self._audit.of_collection(recipe, days)):
                outcome.found.append(wrong)
                if wrong.problem in (ORPHANED, NOT_KEPT):
                    self._audit.documents.delete(name, wrong.day)
                    outcome.mended.append(RepairedPartition("mongo", name, wrong.day))
                elif wrong.problem == STRAY:
                    self._audit.documents.discard(name, self._audit.documents.dates(name)[1])
                    outcome.mended.append(RepairedPartition("mongo", name, ""))
                elif wrong.store == "mongo":
                    self._compute(recipe, wrong.day, outcome)

    def _compute(self, recipe: Recipe, key: str, outcome: Repair) -> bool:
        """Compute and store a partition; return whether it succeeded."""
        try:
            streams = {name: self._stream(source) for name, source in recipe.inputs.items()}
            store, resources = self._stores[recipe.store], {name: self._resources[name] for name in recipe.resources}
            info = store_task(
                store, recipe.table, recipe.task(key, streams, resources, policy=RecomputePolicy.EVERYTHING)
            )
        except (StoreUnreachableError, DiskFullError):
            raise
        except Exception as error:  # noqa: BLE001  (a partition that cannot be computed does not stop the repair of others)
            if isinstance(error.__cause__, StoreUnreachableError):
                raise error.__cause__ from None
            problem = f"cannot be repaired: {in_one_line(error)}"
            outcome.left.append(Disagreement(recipe.store, recipe.table.name, key, problem))
            return False
        outcome.mended.append(RepairedPartition(recipe.store, recipe.table.name, key, info))
        return True

    def _stream(self, source: Input) -> PartitionStream:
        store = self._stores[source.store]
        return PartitionStream(store, source.table, store.keys(source.table))

    def _mend_warehouse(self, days: Collection[str] | None, outcome: Repair) -> None:
        wrong = list(self._audit.of_warehouse(days))
        outcome.found += wrong
        mine = [one for one in wrong if one.store == "warehouse"]
        if any(one.problem.startswith(UNCOMPARED) and not one.day for one in mine):
            outcome.left += mine  # another process blocks the file, which is no damage
        elif any(one.table == EVERY_TABLE for one in mine):
            self._build_marts(self._whole_days(outcome), outcome, anew=True)
        elif any(one.problem == ORPHANED for one in mine):
            # The warehouse has a day that the lake lacks, perhaps only until the lake is repaired.
            if outcome.left:
                outcome.left += mine
            else:
                self._build_marts(self._audit.complete_days(), outcome, anew=True)
        elif mine:
            self._build_marts(sorted({one.day for one in mine}), outcome, anew=False)

    def _whole_days(self, outcome: Repair) -> list[str]:
        """Return the days whose lake tables for the marts are complete and undamaged; report the damage as left."""
        sources = [recipe for recipe in self._audit.recipes if recipe.table.name in LAKE_TABLES]
        wrong = [one for recipe in sources for one in self._audit.of_lake(recipe)]
        told = {(one.store, one.table, one.day) for one in outcome.left}
        outcome.left += [one for one in wrong if (one.store, one.table, one.day) not in told]
        lost = {one.day for one in wrong}
        return [day for day in self._audit.complete_days() if day not in lost]

    def _build_marts(self, days: Sequence[str], outcome: Repair, *, anew: bool) -> None:
        try:
            report = self._audit.marts.build(days, self._on_message, force=True, anew=anew)
        except (StoreUnreachableError, DiskFullError):
            raise
        except Exception as error:  # noqa: BLE001  (the repairs before are reported all the same)
            problem = f"cannot be repaired: {in_one_line(error)}"
            outcome.left.append(Disagreement("warehouse", EVERY_TABLE, "", problem))
            return
        outcome.mended += [RepairedPartition("warehouse", name, day) for name in FACTS for day in report.days]
