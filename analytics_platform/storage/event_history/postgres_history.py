"""Dagster's history on PostgreSQL, for several machines that share one: with pooled connections and data versions.

Dagster's own PostgreSQL storage opens a connection for each event, and makes an event for each planned partition.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagster import EventLogEntry
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine

from analytics_platform.storage.event_history.planned_partitions import planned_partitions
from analytics_platform.storage.event_history.sqlite_history import CompletedEvents

CONNECTIONS = 4
"""Connections of one process that stay open; more are opened, and closed, as needed."""
CONNECT_SECONDS = 20


class VersionedPostgresEventLogStorage(CompletedEvents, PostgresEventLogStorage):
    """The event log with pooled connections, and with the content hash of a partition as its data version.

    Args:
        postgres_url: Address of the database, with user and password; never shown.
    """

    def __init__(self, postgres_url: str) -> None:
        self._latest_times: dict[str, float] = {}
        super().__init__(postgres_url)
        self._engine.dispose()
        self._engine = create_pg_engine(
            postgres_url, None, isolation_level="AUTOCOMMIT", pool_size=CONNECTIONS, pool_pre_ping=True
        )

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event, with the data version and the time that ``asset_events`` gives it.

        An event that plans several partitions is stored as one event for each of them.
        """
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run in their order, each as ``store_event`` does."""
        for event in self._completed(events):
            if (subset := planned_partitions(event)) is not None:
                self._store_plan(event, subset)
            else:
                super().store_event(event)


class PostgresHistory(DagsterPostgresStorage):
    """Dagster's storage on PostgreSQL with the versioned event log.

    Args:
        postgres_url: Address of the database, with user and password; never shown.
        inst_data: How Dagster makes the storage again in another process.
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)
        self._event_log_storage = VersionedPostgresEventLogStorage(postgres_url)
