"""Dagster's event log on SQLite with pooled connections and batched writes.

Dagster's own SQLite storage makes a new engine and connection for each event, so SQLAlchemy compiles every
statement anew and every commit waits for the disk: 28 to 56 ms per asset and partition were measured on two
cores, most of a backfill's time. Three changes reduce the cost to a few milliseconds: one engine per database;
``synchronous=NORMAL`` (safe against a killed process; a power cut may lose the last events, never corrupt the file);
and one transaction per batch of events (Dagster batches events if ``DAGSTER_EVENT_BATCH_SIZE`` is set).
A database is created without a wait for the disk after each statement; its file is on the disk before anything is
stored in it.
Materializations are stored with the content hash of their partition as data version, see ``asset_events``. The rows of
planned partitions are made of one event of each asset, see ``planned_partitions``.

These classes subclass Dagster's internals: Dagster loads storage classes by name from ``dagster.yaml``, but they are
not part of its public module. Tables, files and queries stay Dagster's.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

from dagster import AssetKey, DagsterEventType, EventLogEntry
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.definitions.partitions.subset import PartitionsSubset
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from dagster_shared.record import copy
from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.pool import NullPool, QueuePool

from analytics_platform.storage.event_history.asset_events import next_time, with_content_versions
from analytics_platform.storage.event_history.planned_partitions import PlannedRows, planned_partitions

BUSY_TIMEOUT_SECONDS = 30
OPENING_TIMEOUT_SECONDS = 120
"""Longest wait for another process that creates the databases, which takes seconds on two busy cores."""
OPEN_DATABASES = 16
"""Databases kept open at once. Each run has its own database, and a web server reads many during its life."""
_DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
"""Databases of Dagster's SQLite storage, in its folder; each run has a further one."""
FOLLOWED_RUNS = 64
"""Number of runs whose latest event time is kept; a process writes events of few runs at once."""


class CompletedEvents(SqlEventLogStorage):
    """An event log that gives events their data version and their time, and each planned partition its row.

    See ``asset_events`` and ``planned_partitions``.
    """

    _latest_times: dict[str, float]

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """True: Dagster passes one event with all planned partitions of an asset; each partition gets its row here."""
        return True

    @cached_property
    def _planned_rows(self) -> PlannedRows:
        return PlannedRows(self._event_to_row)

    def _store_plan(self, event: EventLogEntry, subset: PartitionsSubset) -> None:
        """Store a row for each partition that an event plans, and the run of the plan in the asset's row."""
        with self.index_transaction() as connection:
            for rows in self._planned_rows.batches(event, subset):
                connection.execute(SqlEventLogStorageTable.insert(), rows)
            self._store_asset_event(connection, event, 0)  # Dagster notes an event's number for materializations only

    def _completed(self, events: Sequence[EventLogEntry]) -> list[EventLogEntry]:
        return [self._with_next_time(event) for event in with_content_versions(events, self._latest_versions)]

    def _with_next_time(self, event: EventLogEntry) -> EventLogEntry:
        time = next_time(event, self._latest_times.pop(event.run_id, 0.0))
        if len(self._latest_times) >= FOLLOWED_RUNS:
            self._latest_times.pop(next(iter(self._latest_times)))
        self._latest_times[event.run_id] = time  # the run written to most recently last
        return event if time == event.timestamp else event._replace(timestamp=time)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """Plan a check once for all partitions of a run, because one result judges them together.

        Dagster plans it once a partition, and takes no result of all partitions for these plans.
        """
        about = event.get_dagster_event()
        planned = copy(about.asset_check_planned_data, partitions_subset=None)
        whole = event._replace(dagster_event=about._replace(event_specific_data=planned))
        super()._store_asset_check_evaluation_planned(whole, event_id)

    def delete_events_for_run(self, conn: Connection, run_id: str) -> None:
        """Delete a run's events, and their tags by one query: Dagster passes the number of each event."""
        events, tags = SqlEventLogStorageTable, AssetEventTagsTable
        of_run = select(events.c.id).where(events.c.run_id == run_id)
        conn.execute(tags.delete().where(tags.c.event_id.in_(of_run)))
        conn.execute(events.delete().where(events.c.run_id == run_id))

    def _latest_versions(self, asset: AssetKey, partitions: Sequence[str]) -> dict[str, str]:
        tags = self.get_latest_tags_by_partition(
            asset, DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG], asset_partitions=list(partitions)
        )
        return {partition: found[DATA_VERSION_TAG] for partition, found in tags.items()}


class PooledSqliteEventLogStorage(CompletedEvents, SqliteEventLogStorage):
    """The event log with one engine and one open connection per database."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        self._known_tables: set[str] = set()
        self._latest_times: dict[str, float] = {}
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard in self._engines:
            self._engines[shard] = self._engines.pop(shard)  # the most recently used last
        else:
            if len(self._engines) == OPEN_DATABASES:
                self._engines.pop(next(iter(self._engines))).dispose()
            engine = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=QueuePool,
                pool_size=1,
                connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            event.listen(engine, "connect", _relax)
            if shard not in self._initialized_dbs:
                self._create(shard, engine)
                self._initialized_dbs.add(shard)
            self._engines[shard] = engine
        return self._engines[shard]

    def _create(self, shard: str, engine: Engine) -> None:
        """Create what a database lacks of its tables."""
        path = Path(self.path_for_shard(shard))
        if path.exists():
            self._initdb(engine)
            return
        with _created_at_once(path):
            self._initdb(create_engine(self.conn_string_for_shard(shard), poolclass=NullPool))

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event, with the data version and the time that ``asset_events`` gives it."""
        if planned_partitions(event) is not None:
            self.store_event_batch([event])
            return
        super().store_event(self._completed([event])[0])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run in one transaction per database; every event is of a type that Dagster batches.

        An event that plans several partitions is stored as one event for each of them.
        """
        events = self._completed(events)
        for one in events:
            if (subset := planned_partitions(one)) is not None:
                self._store_plan(one, subset)
        events = [event for event in events if planned_partitions(event) is None]
        if not events:
            return
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        with self.index_connection() as connection:
            result = connection.execute(SqlEventLogStorageTable.insert().returning(SqlEventLogStorageTable.c.id), rows)
            stored: list[tuple[EventLogEntry, int]] = list(zip(events, result.scalars(), strict=True))
            about_assets = [(event, number) for event, number in stored if event.dagster_event_type in ASSET_EVENTS]
            if about_assets:
                self._store_asset_event_tags(connection, *zip(*about_assets, strict=True))
            # An asset's own row keeps its latest event only.
            latest = {_asset_key(event): (event, number) for event, number in about_assets}
            for event, number in latest.values():
                self._store_asset_event(connection, event, number)
        for event, number in stored:
            if event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, number)

    def _store_plan(self, event: EventLogEntry, subset: PartitionsSubset) -> None:
        """Store the rows of a plan in the run's database, and in that of all runs."""
        with self.run_connection(event.run_id) as connection:
            for rows in self._planned_rows.batches(event, subset):
                connection.execute(SqlEventLogStorageTable.insert(), rows)
        super()._store_plan(event, subset)

    def delete_events(self, run_id: str) -> None:
        """Delete the events of a run, and its database."""
        super().delete_events(run_id)
        with self._db_lock:
            if engine := self._engines.pop(run_id, None):
                engine.dispose()
            self._initialized_dbs.discard(run_id)
        for ending in ("", "-wal", "-shm", "-journal"):
            Path(f"{self.path_for_shard(run_id)}{ending}").unlink(missing_ok=True)

    def has_table(self, table_name: str) -> bool:
        """Return whether the index database has a table; a positive answer is cached."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()


class PooledSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage with the pooled event log; ``dagster.yaml`` names this class.

    Opening the storage creates missing databases. Dagster lets two processes create them at once, and one of the two
    then fails because a table exists already. Here a file lock lets one process at a time open the storage.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        Path(base_dir).mkdir(parents=True, exist_ok=True)
        databases = [Path(base_dir) / name for name in _DATABASES]
        with FileLock(Path(base_dir) / "opening.lock", timeout=OPENING_TIMEOUT_SECONDS):
            is_new = not any(database.exists() for database in databases)
            with _created_at_once(*databases) if is_new else nullcontext():
                super().__init__(base_dir, inst_data)
            self._event_log_storage = PooledSqliteEventLogStorage(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledSqliteStorage:
        """Build the storage from the ``config`` of ``dagster.yaml``."""
        return cls(inst_data=inst_data, **config_value)


def _asset_key(event: EventLogEntry) -> AssetKey | None:
    return event.dagster_event.asset_key if event.dagster_event else None


def _relax(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")


@contextmanager
def _created_at_once(*databases: Path) -> Iterator[None]:
    """Write new databases to the disk at the end of the block, not after each statement.

    A killed process leaves what it would leave otherwise; a power cut within the block may leave a file that is none.

    Args:
        databases: Files that do not exist before the block and exist after it, each closed.
    """
    creator = threading.get_ident()

    def leave_to_system(connection: Any, _record: object) -> None:
        if threading.get_ident() == creator and isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", leave_to_system)
    try:
        yield
    finally:
        event.remove(Engine, "connect", leave_to_system)
    for path in (*databases, *{database.parent for database in databases}):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
