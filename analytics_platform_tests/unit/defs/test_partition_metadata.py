"""Metadata of partitions reach Dagster's events as by Dagster's own method, whatever Dagster's private parts are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from analytics_platform.defs.framework.partition_metadata import add_partition_metadata

DAYS = ["2024-03-01", "2024-03-02", "2024-03-03"]
DAILY = dg.DailyPartitionsDefinition(DAYS[0], end_date="2024-03-09")
RANGE = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[-1]}


def by_dagster(context: dg.AssetExecutionContext, key: str, metadata: dict[str, Any]) -> None:
    context.add_asset_metadata(metadata, partition_key=key or None)


def materialized(add, keys: list[str], partitions: dg.PartitionsDefinition | None = DAILY) -> dict[str | None, Any]:
    """Return the metadata of the events of an asset, by partition; the asset is given them by a function."""

    @dg.asset(partitions_def=partitions, backfill_policy=dg.BackfillPolicy.single_run())
    def table(context) -> None:
        add(context, keys[-1], {"lineage": "all", "rows": 0})
        by_dagster(context, "", {"of all": True})
        for number, key in enumerate(keys):
            add(context, key, {"rows": number, "path": dg.MetadataValue.path(f"/{key}")})
        by_dagster(context, "", {"of all": False})

    run = dg.materialize([table], tags=RANGE if partitions else {})
    return {event.partition: dict(event.metadata) for event in run.asset_materializations_for_node("table")}


@pytest.mark.parametrize(("keys", "partitions"), [(DAYS, DAILY), ([""], None)])
def test_metadata_are_those_that_dagsters_method_gives(keys, partitions):
    found = materialized(add_partition_metadata, keys, partitions)
    assert found == materialized(by_dagster, keys, partitions)
    assert sorted(found, key=str) == [key or None for key in keys]
    assert found[keys[-1] or None]["lineage"].value == "all"


@pytest.mark.parametrize("metadata", [SimpleNamespace(), SimpleNamespace(_metadata_accumulator={"rows": 1})])
def test_a_dagster_that_keeps_metadata_otherwise_gets_them_by_its_own_method(metadata):
    """The project accepts new patch releases of Dagster, and any of them may change private parts."""
    calls = []
    context = SimpleNamespace(
        get_step_execution_context=lambda: metadata,
        add_asset_metadata=lambda told, partition_key: calls.append((partition_key, told)),
        asset_key=dg.AssetKey("table"),
        partition_keys=DAYS,
    )
    add_partition_metadata(context, DAYS[0], {"rows": 1})
    add_partition_metadata(context, "", {"rows": 2})
    assert calls == [(DAYS[0], {"rows": 1}), (None, {"rows": 2})]


@pytest.mark.parametrize("add", [by_dagster, add_partition_metadata])
def test_a_partition_that_the_run_does_not_materialize_is_refused(add):
    with pytest.raises(dg.DagsterInvariantViolationError, match=r"2024-03-07.*not being targeted"):
        materialized(add, [*DAYS, "2024-03-07"])


def test_a_partition_does_not_make_dagster_copy_the_metadata_of_all_others(monkeypatch):
    """The copies made the cost of a run grow with the square of its days."""
    add = dg.AssetExecutionContext.add_asset_metadata
    calls = []
    monkeypatch.setattr(
        dg.AssetExecutionContext, "add_asset_metadata", lambda *a, **named: (calls.append(named), add(*a, **named))
    )
    materialized(add_partition_metadata, DAYS)
    assert calls == [{"partition_key": None}] * 2
