"""Removal of runs from Dagster's event history that say nothing about the present.

Dagster removes old ticks of sensors and schedules, and no runs. The tables and queries are internals of Dagster, as in
``sqlite_history``; a run is removed by Dagster's public ``delete_run``.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from pathlib import Path

import dagster as dg
from dagster import DagsterEventType, RunsFilter
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)

_RESULTS = (DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_OBSERVATION)
_DAY_SECONDS = 86_400


def remove_old_runs_daily(instance: dg.DagsterInstance, days: float, stamp: Path) -> None:
    """Remove old runs unless that was tried within a day; a history that another process blocks is only logged.

    Args:
        instance: The instance.
        days: As for ``remove_old_runs``.
        stamp: A file whose time says when this was last tried.
    """
    if stamp.exists() and time.time() - stamp.stat().st_mtime < _DAY_SECONDS:
        return
    stamp.touch()
    try:
        remove_old_runs(instance, days)
    except SQLAlchemyError as error:
        logger.warning("old runs were not removed from the event history: %s", type(error).__name__)


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
    old = instance.get_run_ids(filters)
    storage = instance.event_log_storage
    if not old or not isinstance(storage, SqlEventLogStorage):
        return 0
    newest = _runs_of_newest_results(storage)
    removable = [run for run in old if run not in newest]
    for run in removable:
        instance.compute_log_manager.delete_logs(prefix=[run])
        instance.delete_run(run)
        with storage.index_connection() as connection:
            checks = AssetCheckExecutionsTable
            connection.execute(checks.delete().where(checks.c.run_id == run))
    return len(removable)


def _runs_of_newest_results(storage: SqlEventLogStorage) -> set[str]:
    """Return the runs that hold the newest result of a partition or a check."""
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    stored = (
        select(func.max(events.id))
        .where(events.dagster_event_type.in_([kind.value for kind in _RESULTS]))
        .group_by(events.asset_key, events.partition, events.dagster_event_type)
    )
    judged = select(func.max(checks.id)).group_by(checks.asset_key, checks.check_name, checks.partition)
    with storage.index_connection() as connection:
        rows = [
            *connection.execute(select(events.run_id).where(events.id.in_(stored)).distinct()),
            *connection.execute(select(checks.run_id).where(checks.id.in_(judged)).distinct()),
        ]
    return {run for (run,) in rows}
