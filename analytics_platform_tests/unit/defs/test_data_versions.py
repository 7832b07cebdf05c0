"""Dagster calls a partition stale exactly when what it was computed from has changed."""

from __future__ import annotations

import datetime as dt
import logging

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, DataVersion
from dagster._core.loader import LoadingContextForTest

from analytics_platform.defs.framework.daily_partitions import daily_partitions
from analytics_platform.storage.event_history.sqlite_history import PooledSqliteStorage
from analytics_platform.storage.lake import Lake
from analytics_platform_tests.unit.defs import test_tables
from analytics_platform_tests.unit.defs.test_tables import DAYS, Numbers, run

DAILY = ("numbers", "squares", "windows", "reader")


@dg.asset(
    partitions_def=daily_partitions(dt.date.fromisoformat(DAYS[0]), dt.date.fromisoformat(DAYS[-1])),
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[test_tables.squares.key],
    code_version="1",
)
def reader() -> None:
    """What reads a table that has inputs itself."""


@pytest.fixture(autouse=True)
def _a_longer_graph(monkeypatch):
    definitions = test_tables.definitions
    monkeypatch.setattr(test_tables, "definitions", lambda *given: definitions(*given, extra=[reader]))


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    """An instance with the platform's event history; making its databases is most of the tests' time."""
    home = tmp_path_factory.mktemp("dagster")
    storage = f"{PooledSqliteStorage.__module__}\n    class: {PooledSqliteStorage.__name__}"
    (home / "dagster.yaml").write_text(
        f"telemetry: {{enabled: false}}\nstorage:\n  custom:\n    module: {storage}\n    config: {{base_dir: {home}}}\n"
    )
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


@pytest.fixture
def lake(tmp_path, instance):
    instance.wipe_assets([dg.AssetKey(name) for name in (*DAILY, "totals")])
    return Lake.open(str(tmp_path / "lake"))


@pytest.fixture
def source():
    return Numbers({day: [n, n + 1] for n, day in enumerate(DAYS)})


@pytest.fixture(params=["500", "0"], ids=["batches", "single events"])
def batches(request, monkeypatch):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", request.param)


def stale(lake, source, instance) -> set[tuple[str, str | None]]:
    """Return every partition that Dagster does not call fresh."""
    graph = test_tables.definitions(lake, source).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    places = [*((name, day) for name in DAILY for day in DAYS), ("totals", None)]
    return {place for place in places if resolver.get_status(dg.AssetKey(place[0]), place[1]).value != "FRESH"}


@pytest.mark.usefixtures("batches")
def test_a_backfill_that_reused_every_partition_leaves_everything_fresh(lake, source, instance):
    """Partitions of another range got other data versions, and all that reads them turned stale in the UI."""
    run(lake, source, instance)
    assert stale(lake, source, instance) == set()
    run(lake, source, instance, first=DAYS[1], last=DAYS[2], select=[dg.AssetKey("numbers"), dg.AssetKey("squares")])
    assert stale(lake, source, instance) == set()


@pytest.mark.usefixtures("batches")
def test_a_backfill_that_changed_a_day_makes_stale_what_reads_that_day(lake, source, instance):
    """One data version for a whole range would make the readers of every day stale, or of none."""
    run(lake, source, instance)
    source[DAYS[1]] = [7]
    run(lake, source, instance, last=DAYS[2], select=[dg.AssetKey("numbers")])
    assert stale(lake, source, instance) == {
        ("squares", DAYS[1]), *(("windows", day) for day in DAYS[1:4])
    }  # fmt: skip
    run(lake, source, instance)
    assert stale(lake, source, instance) == set()


def test_a_day_whose_content_did_not_change_makes_nothing_stale(lake, source, instance):
    source[DAYS[0]] = [2, 1]
    run(lake, source, instance)
    source[DAYS[0]] = [1, 2]  # another version at the source, the same table
    source.computed.clear()
    run(lake, source, instance, select=[dg.AssetKey("numbers")])
    assert source.computed == [f"numbers {DAYS[0]}"]
    assert stale(lake, source, instance) == set()


def test_days_stored_by_a_step_that_failed_later_have_their_content_as_version(lake, source, instance):
    """They had no version, so the readers of days that had not changed turned stale."""
    run(lake, source, instance)
    source[DAYS[3]] = [1, 1]  # breaks the key
    result = run(lake, source, instance, raise_on_error=False, workers=1, select=[dg.AssetKey("numbers")])
    assert not result.success
    assert stale(lake, source, instance) == set()


def test_the_version_of_a_partition_is_its_content_hash_and_that_of_its_input_the_inputs(lake, source, instance):
    run(lake, source, instance)
    wanted = dg.AssetRecordsFilter(dg.AssetKey("squares"))
    tags = {
        record.partition_key: record.asset_materialization.tags
        for record in instance.fetch_materializations(wanted, limit=100).records
    }
    for day in DAYS:
        assert tags[day]["dagster/data_version"] == lake.info("squares", day).content_hash
        assert tags[day]["dagster/input_data_version/numbers"] == lake.info("numbers", day).content_hash
    total = instance.get_latest_data_version_record(dg.AssetKey("totals"))
    assert total is not None
    found = total.asset_materialization.tags["dagster/data_version"]
    assert DataVersion(found) == DataVersion(lake.info("totals", "").content_hash)


@pytest.mark.usefixtures("batches")
def test_materializations_of_a_step_have_ascending_times_in_whole_milliseconds(lake, source, instance):
    """The UI showed one of several events with the same time: 7 of the 49 materializations of a report."""
    make, second = logging.getLogRecordFactory(), float(int(dt.datetime.now(dt.UTC).timestamp()))

    def all_at_once(*given, **named):
        record = make(*given, **named)
        record.created = second
        return record

    logging.setLogRecordFactory(all_at_once)
    try:
        run(lake, source, instance)
    finally:
        logging.setLogRecordFactory(make)
    wanted = dg.AssetRecordsFilter(dg.AssetKey("numbers"))
    records = instance.fetch_materializations(wanted, limit=100, ascending=True).records
    times = [int(record.timestamp * 1000) for record in records]
    assert len(set(times)) == len(DAYS)
    assert times == sorted(times)
    logged = [entry.timestamp for entry in instance.all_logs(records[0].run_id)]
    assert logged == sorted(logged)


def test_what_people_look_for_stands_before_plumbing(lake, source, instance):
    """Row counts stood between hashes, charts below the provenance."""
    run(lake, source, instance)
    [record, *_] = instance.fetch_materializations(dg.AssetRecordsFilter(dg.AssetKey("numbers")), limit=1).records
    names = [name for name in record.asset_materialization.metadata if name != "dagster/column_lineage"]
    assert names[:2] == ["dagster/row_count", "dagster/partition_row_count"]
    assert names[-3:] == ["bytes", "content_hash", "computed_from"]
