"""Removal of runs from Dagster's event history that say nothing about the present.

Dagster removes old ticks of sensors and schedules, and no runs. The tables and queries are internals of Dagster, as in
``history``; a run is removed by Dagster's public ``delete_run``.
"""

from __future__ import annotations

import datetime as dt

import dagster as dg
from dagster import DagsterEventType, RunsFilter
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from sqlalchemy import func, select

_STATES = (DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_OBSERVATION)


def remove_old_runs(instance: dg.DagsterInstance, days: float) -> int:
    """Remove finished runs with their events and output, and return their number.

    A run stays if it holds the newest materialization or observation of any asset and partition, or the newest
    result of any check and partition.

    Args:
        instance: The instance.
        days: Runs that changed within so many days stay.
    """
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    filters = RunsFilter(statuses=FINISHED_STATUSES, updated_before=before, created_before=before)
    old = [record.dagster_run.run_id for record in instance.get_run_records(filters)]
    storage = instance.event_log_storage
    if not old or not isinstance(storage, SqlEventLogStorage):
        return 0
    newest = _runs_of_newest_states(storage)
    removable = [run for run in old if run not in newest]
    for run in removable:
        instance.compute_log_manager.delete_logs(prefix=[run])
        instance.delete_run(run)
        with storage.index_connection() as connection:
            checks = AssetCheckExecutionsTable
            connection.execute(checks.delete().where(checks.c.run_id == run))
    return len(removable)


def _runs_of_newest_states(storage: SqlEventLogStorage) -> set[str]:
    """Return the runs that hold the newest state of a partition or a check."""
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    states = (
        select(func.max(events.id))
        .where(events.dagster_event_type.in_([state.value for state in _STATES]))
        .group_by(events.asset_key, events.partition, events.dagster_event_type)
    )
    results = select(func.max(checks.id)).group_by(checks.asset_key, checks.check_name, checks.partition)
    with storage.index_connection() as connection:
        rows = [
            *connection.execute(select(events.run_id).where(events.id.in_(states)).distinct()),
            *connection.execute(select(checks.run_id).where(checks.id.in_(results)).distinct()),
        ]
    return {run for (run,) in rows}
