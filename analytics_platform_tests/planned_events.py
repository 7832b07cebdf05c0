"""What an event history says of the partitions that a run planned to materialize."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest


def count_plans(monkeypatch: pytest.MonkeyPatch, history: type) -> list[int]:
    """Return a list that gets the number of partitions of each plan that a class of histories stores from now on."""
    plans: list[int] = []
    store_plan = history._store_plan

    def counted(log: Any, event: Any, subset: Any) -> None:
        plans.append(len(subset))
        store_plan(log, event, subset)

    monkeypatch.setattr(history, "_store_plan", counted)
    return plans


def planned_by(instance: dg.DagsterInstance, asset: dg.AssetKey, run: str) -> dict[str, Any]:
    """Return a run's plans of an asset: the events, the partitions that failed, and whether the run is the latest."""
    log = instance.event_log_storage
    records = log.get_records_for_run(run, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED).records
    attempts = log.get_latest_asset_partition_materialization_attempts_without_materializations(asset)
    return {
        "events": [record.event_log_entry._replace(timestamp=0.0, run_id="") for record in records],
        "attempts": {partition: found[0] == run for partition, found in attempts.items()},
        "latest_run": instance.get_asset_records([asset])[0].asset_entry.last_run_id == run,
    }
