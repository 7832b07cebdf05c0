"""Compares MongoDB and the warehouse with the lake, day by day.

The lake is the truth. The function of the asset or the model of the mart is computed again from verified lake tables,
and the result is compared with the documents or rows read back. Neither the ledger of MongoDB nor the record of the
warehouse is trusted. Memory holds a few days at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property, partial

import pyarrow as pa

from analytics_platform.defs.framework.isolation import in_one_line, without
from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.tables.operational_tables import DAILY_REPORTS
from analytics_platform.storage.agreement import IDS_SHOWN, Disagreement, compare, compare_pages, same_content
from analytics_platform.storage.content_hash import content_hash
from analytics_platform.storage.failures import left_out_of
from analytics_platform.storage.lake import DamagedPartitionError, Lake
from analytics_platform.storage.mongo import MongoStore
from analytics_platform.storage.mongo.id_pages import by_id, page_ends, rows_within
from analytics_platform.storage.mongo.wire_documents import wire_table
from analytics_platform.storage.partitions import PartitionStore, StoreUnreachableError
from analytics_platform.storage.warehouse.facts import FACTS, Facts, OpenFacts
from analytics_platform.storage.warehouse.marts_build import LAKE_TABLES, Marts
from analytics_platform.storage.warehouse.warehouse_file import DamagedWarehouseError, WarehouseError

DAYS_AT_ONCE = 7
"""Number of days of a fact in one query; each query costs milliseconds, however few its rows."""

Compared = Callable[[Collection[str] | None], Iterator[Disagreement]]
"""A comparison of one table over the given days, or over all stored days for None."""

OnEqual = Callable[[str, pa.Table], None]
"""Takes the key of a partition and its content."""

DAMAGED = "damaged"
MISSING = "missing"
UNCOMPARED = "cannot be compared"
ORPHANED = "rows of a day that the lake does not hold"
NOT_KEPT = "rows of a day that MongoDB does not keep"
STRAY = "rows without a day"
EVERY_TABLE = "every table"
"""Name that stands for all tables of a store that is wrong as a whole."""
LAST_TABLE = DAILY_REPORTS.name
"""The table that a run over the whole graph computes last for a day, after every check has passed."""


def rederivable(recipe: Recipe) -> bool:
    """Tell whether a table can be computed from lake tables of the same partition alone, without other resources."""
    alone = not recipe.resources and not recipe.takes_day
    return alone and all(given.store == "lake" and not given.whole for given in recipe.inputs.values())


@dataclass(frozen=True)
class Audit:
    """Comparisons of the stores of one platform.

    Args:
        lake: The lake, which is the truth.
        mongo: The MongoDB store; None for a platform without MongoDB, whose recipes name no such store.
        marts: The warehouse and its build.
        recipes: The recipe of every table, each after the tables it is computed from.
        wait_for_runs: Returns a context that waits until no run works on a range of days, and keeps runs away. An audit
            over all stored days compares each disagreeing day once more inside this context. An audit over the days of
            a run does not use it, because the run has already locked its days.
    """

    lake: Lake
    mongo: MongoStore | None
    marts: Marts
    recipes: Sequence[Recipe]
    wait_for_runs: Callable[[str, str], AbstractContextManager[None]] | None = None

    @cached_property
    def collections(self) -> list[Recipe]:
        """Recipes of the collections that can be computed again from the lake alone."""
        return [recipe for recipe in self.recipes if recipe.store == "mongo" and rederivable(recipe)]

    @property
    def documents(self) -> MongoStore:
        """The MongoDB store, for comparisons of ``collections``."""
        assert self.mongo is not None
        return self.mongo

    def all(self, days: Collection[str] | None = None) -> Iterator[Disagreement]:
        """Yield every disagreement of every store, the lake's first.

        Args:
            days: Days to compare; all stored days when None.
        """
        for recipe in self.recipes:
            if recipe.store == "lake":
                yield from self.of_lake(recipe, days)
        for recipe in self.collections:
            yield from self.of_collection(recipe, days)
        yield from self.of_warehouse(days)

    def of_lake(self, recipe: Recipe, days: Collection[str] | None = None) -> Iterator[Disagreement]:
        """Yield the partitions of a lake table that are damaged, or missing although they were stored before.

        A partition without a file counts as missing if a stored partition was computed from it, or if the day has its
        report, because the whole graph was then computed for the day. Otherwise it was never computed.
        """
        name = recipe.table.name
        stored = self.lake.keys(name)
        for key in _within(recipe, stored, days):
            partition = self._read([name], key)
            if isinstance(partition, Disagreement) and not partition.problem.startswith(
                MISSING
            ):  # gone since it was listed
                yield partition
        for key, why in self._needed(recipe).items():
            if key not in stored and _within(recipe, [key], days):
                yield Disagreement("lake", name, key, f"{MISSING}, though {why}")

    def of_collection(
        self, recipe: Recipe, days: Collection[str] | None = None, on_equal: OnEqual | None = None
    ) -> Iterator[Disagreement]:
        """Yield the partitions of a collection whose documents differ from the result of the lake.

        Args:
            recipe: The recipe of the collection.
            days: Days to compare; all stored days when None. A collection of one partition is compared in any case.
            on_equal: Called with the key of each partition that agrees, and with its content as the lake gives it.
        """
        return self._confirmed(partial(self._collection, recipe, on_equal), days)

    def of_warehouse(
        self, days: Collection[str] | None = None, names: Iterable[str] = tuple(FACTS)
    ) -> Iterator[Disagreement]:
        """Yield the disagreements of the warehouse: damage of the whole file, or else the facts by day."""
        damage = self._damage()
        yield from [damage] if damage else self.of_facts(days, names)

    def of_facts(
        self, days: Collection[str] | None = None, names: Iterable[str] = tuple(FACTS)
    ) -> Iterator[Disagreement]:
        """Yield the days of the facts whose published rows differ from the result of the models over the lake."""
        for name in names:
            yield from self._confirmed(partial(self._fact, name), days)

    def complete_days(self) -> list[str]:
        """Return the days for which the lake holds every table that the marts read, ascending."""
        return sorted(set.intersection(*(set(self.lake.keys(table)) for table in LAKE_TABLES)))

    def _damage(self) -> Disagreement | None:
        """Return the fault of the whole warehouse: missing, damaged or not readable; None without a fault."""
        place = Disagreement("warehouse", EVERY_TABLE, "", "")
        if not self.marts.warehouse.path.exists():
            return replace(place, problem=f"{MISSING}: {self.marts.warehouse.path}") if self.complete_days() else None
        try:
            self.marts.warehouse.verify()
        except DamagedWarehouseError as error:
            return replace(place, problem=str(error))
        except WarehouseError as error:
            return replace(place, problem=f"{UNCOMPARED}: {in_one_line(error)}")
        return None

    def _confirmed(self, compared: Compared, days: Collection[str] | None) -> Iterator[Disagreement]:
        """Yield the disagreements. Without given days, one counts only if it persists while no run is at work."""
        for disagreement in list(compared(days)):
            if days is None and disagreement.day and self.wait_for_runs:
                with self.wait_for_runs(disagreement.day, disagreement.day):
                    yield from compared(frozenset([disagreement.day]))
            else:
                yield disagreement

    def _collection(
        self, recipe: Recipe, on_equal: OnEqual | None, days: Collection[str] | None
    ) -> Iterator[Disagreement]:
        name = recipe.table.name
        recorded = set(self.documents.keys(name))
        stored = set.intersection(*(set(self.lake.keys(source.table)) for source in recipe.inputs.values()))
        lake_keys = set(filter(recipe.keeps, stored))
        document_days, strays = (
            self.documents.dates(name, lake_keys)
            if days is None
            else ([] if recipe.cadence is Cadence.WHOLE else days, [])
        )
        for key in _within(recipe, recorded.union(lake_keys, document_days), days):
            is_expected = key in recorded or key in lake_keys
            if key in recorded and not recipe.keeps(key):
                continue  # the next run removes it
            problem = ORPHANED if recipe.keeps(key) else NOT_KEPT
            compared = (
                partial(self._documents, recipe, on_equal) if is_expected else partial(self._orphans, name, problem)
            )
            yield from _differences(Disagreement("mongo", name, key, ""), partial(compared, key))
        if strays:
            yield Disagreement("mongo", name, "", STRAY, len(strays), tuple(map(str, strays[:IDS_SHOWN])))

    def _documents(self, recipe: Recipe, on_equal: OnEqual | None, key: str) -> Disagreement | None:
        """Return the disagreement of one partition of a collection with the lake; None if they agree."""
        inputs = self._read([source.table for source in recipe.inputs.values()], key)
        if isinstance(inputs, Disagreement):
            return inputs
        tables = {name: inputs[source.table] for name, source in recipe.inputs.items() if source.gives == "table"}
        failed = (left_out_of(self.lake.info(source.table, key)) for source in recipe.inputs.values())
        expected = recipe.table.conform(recipe.compute(**without(tables, frozenset().union(*failed))))
        place = Disagreement("mongo", recipe.table.name, key, "")
        rows = by_id(wire_table(recipe.table, expected))
        stored = self.documents.read_back(place.table, key, page_ends(rows))
        pages = ((rows_within(rows, page.ids), page.table, page.misfits) for page in stored)
        disagreement = compare_pages(place, pages, ["_id"]) or self._ledger(place, expected)
        if disagreement is None and on_equal is not None:
            on_equal(key, expected)
        return disagreement

    def _orphans(self, name: str, problem: str, key: str) -> Disagreement | None:
        """Return a disagreement about the documents of a day that MongoDB should not have; None without any."""
        pages = self.documents.read_back(name, key)
        ids = sorted(row_id for page in pages for row_id in (*page.misfits, *page.table["_id"].to_pylist()))
        return Disagreement("mongo", name, key, problem, len(ids), tuple(ids[:IDS_SHOWN])) if ids else None

    def _ledger(self, place: Disagreement, expected: pa.Table) -> Disagreement | None:
        """Compare the ledger's rows and content hash with documents that agree with the lake."""
        info = self.documents.info(place.table, place.day)
        if info is None:
            return Disagreement("mongo", place.table, place.day, "the ledger has no entry for the documents")
        if (info.rows, info.content_hash) == (expected.num_rows, content_hash(expected)):
            return None
        return Disagreement("mongo", place.table, place.day, "the documents differ from their entry in the ledger")

    def _fact(self, name: str, days: Collection[str] | None) -> Iterator[Disagreement]:
        try:
            with Facts(self.marts.warehouse.path, self.marts.project_dir).open() as facts:
                recorded = frozenset(self.marts.warehouse.days()) if facts else frozenset()
                stored = sorted(recorded.union(self.complete_days(), facts.days(name) if facts else []))
                wanted = [day for day in stored if days is None or day in days]
                for start in range(0, len(wanted), DAYS_AT_ONCE):
                    yield from self._rows_of(facts, name, wanted[start : start + DAYS_AT_ONCE], recorded)
        except DamagedWarehouseError as error:
            yield Disagreement("warehouse", EVERY_TABLE, "", str(error))
        except WarehouseError as error:
            yield Disagreement("warehouse", EVERY_TABLE, "", f"{UNCOMPARED}: {in_one_line(error)}")

    def _rows_of(
        self, facts: OpenFacts | None, name: str, days: Sequence[str], recorded: frozenset[str]
    ) -> Iterator[Disagreement]:
        """Compare days of a fact: all days in one query, and one by one if they disagree."""
        if facts and recorded.issuperset(days) and self._same_rows(facts, name, days):
            return
        for day in days:
            compared = partial(self._rows, facts, name, day, recorded=day in recorded)
            yield from _differences(Disagreement("warehouse", name, day, ""), compared)

    def _same_rows(self, facts: OpenFacts, name: str, days: Sequence[str]) -> bool:
        read = [self._read(facts.models[name].tables, day) for day in days]
        tables = [one for one in read if not isinstance(one, Disagreement)]
        if len(tables) < len(days):
            return False
        published = facts.published_rows(name, days)
        try:
            together = {table: pa.concat_tables([one[table] for one in tables]) for table in facts.models[name].tables}
            return same_content(facts.expected_rows(name, together), published, FACTS[name])
        except WarehouseError:
            raise
        except Exception:  # noqa: BLE001  (the comparison day by day finds out which day it is about)
            return False

    def _rows(self, facts: OpenFacts | None, name: str, day: str, *, recorded: bool) -> Disagreement | None:
        """Return the disagreement of one day of a fact with the lake; None if they agree."""
        place = Disagreement("warehouse", name, day, "")
        if facts is None:
            return Disagreement("warehouse", name, day, "there is no published warehouse")
        published = facts.published_rows(name, [day])
        tables = self._read(facts.models[name].tables, day)
        if isinstance(tables, Disagreement):
            missing = tables.problem.startswith(MISSING)
            return replace(place, problem=ORPHANED, rows=published.num_rows) if missing and not recorded else tables
        disagreement = compare(place, facts.expected_rows(name, tables), published, FACTS[name])
        if disagreement is None and not recorded:
            return Disagreement("warehouse", name, day, "not recorded as built")
        return disagreement

    def _read(self, tables: Iterable[str], key: str) -> dict[str, pa.Table] | Disagreement:
        """Return partitions of the lake by table, or the disagreement of the first one that is missing or damaged."""
        tables_read: dict[str, pa.Table] = {}
        for table in tables:
            try:
                tables_read[table] = self.lake.read_verified(table, key)
            except KeyError:
                return Disagreement("lake", table, key, f"{MISSING}, though other tables were computed from it")
            except DamagedPartitionError as error:
                return Disagreement("lake", table, key, f"{DAMAGED}: {error}")
            except StoreUnreachableError:
                raise
            except Exception as error:  # noqa: BLE001  (one file that cannot be read keeps no other from being compared)
                return Disagreement("lake", table, key, f"{UNCOMPARED}: {in_one_line(error)}")
        return tables_read

    def _needed(self, recipe: Recipe) -> dict[str, str]:
        """Return the keys of a lake table that must have been stored, each with the evidence."""
        name = recipe.table.name
        needed: dict[str, str] = {}
        if recipe.cadence is Cadence.DAILY:
            needed |= dict.fromkeys(self._reported(), "the report of the day, the last step of a run, was computed")
        computed = "other tables were computed from it"
        for other in self.recipes:
            if any(source.table == name and not source.whole for source in other.inputs.values()):
                needed |= dict.fromkeys(self._keys(other), computed)
        if name in LAKE_TABLES:
            with contextlib.suppress(WarehouseError):
                needed |= dict.fromkeys(self._built(), computed)
        return dict(sorted(needed.items()))

    def _keys(self, recipe: Recipe) -> list[str]:
        """Return the stored partitions of a table; none for pages, whose documents give the same evidence."""
        stores: dict[str, PartitionStore | None] = {"lake": self.lake, "mongo": self.mongo}
        store = stores.get(recipe.store)
        return store.keys(recipe.table.name) if store is not None else []

    def _reported(self) -> list[str]:
        """Return the days with a report, ascending."""
        return [day for recipe in self.recipes if recipe.table.name == LAST_TABLE for day in self._keys(recipe)]

    def _built(self) -> set[str]:
        with Facts(self.marts.warehouse.path, self.marts.project_dir).open() as facts:
            return set(self.marts.warehouse.days()) if facts else set()


def _differences(place: Disagreement, compared: Callable[[], Disagreement | None]) -> Iterator[Disagreement]:
    """Yield the disagreement that a comparison of one partition finds; a failing comparison is a disagreement, too.

    Raises:
        StoreUnreachableError: If a store cannot be reached.
        WarehouseError: If the warehouse cannot be read.
    """
    try:
        disagreement = compared()
    except (StoreUnreachableError, WarehouseError):
        raise
    except Exception as error:  # noqa: BLE001  (one partition that cannot be compared keeps no other from being compared)
        disagreement = replace(place, problem=f"{UNCOMPARED}: {in_one_line(error)}")
    if disagreement:
        yield disagreement


def _within(recipe: Recipe, keys: Iterable[str], days: Collection[str] | None) -> list[str]:
    return sorted(key for key in keys if days is None or recipe.cadence is Cadence.WHOLE or key in days)
