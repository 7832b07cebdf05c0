"""The pooled event history behaves as Dagster's own does."""

from __future__ import annotations

import json
import multiprocessing
import os
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import dagster as dg
import pytest
from dagster import EventLogEntry
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent
from sqlalchemy.exc import OperationalError

from analytics_platform.storage.event_history import old_runs, sqlite_history
from analytics_platform.storage.event_history.old_runs import remove_old_runs
from analytics_platform.storage.event_history.planned_partitions import PlannedRows
from analytics_platform.storage.event_history.sqlite_history import (
    CompletedEvents,
    PooledSqliteEventLogStorage,
    PooledSqliteStorage,
)
from analytics_platform_tests.planned_events import count_plans, planned_by


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("dagster")


@pytest.fixture(scope="module")
def instance(home):
    """One for all tests: making its databases is most of their time."""
    (home / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "storage:\n  custom:\n    module: analytics_platform.storage.event_history.sqlite_history\n"
        "    class: PooledSqliteStorage\n    config: {base_dir: {env: DAGSTER_HOME}}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            yield instance


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def letters() -> int:
    return 1


def test_events_are_there_for_dagsters_own_storage_too(instance, home):
    assert isinstance(instance.event_log_storage, PooledSqliteEventLogStorage)
    result = dg.materialize([letters], partition_key="a", instance=instance)
    assert "a" in instance.get_materialized_partitions(letters.key)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.get() as plain:
        assert plain.get_materialized_partitions(letters.key) == instance.get_materialized_partitions(letters.key)
        assert len(plain.all_logs(result.run_id)) == len(instance.all_logs(result.run_id))


def test_only_the_creation_of_a_database_leaves_writing_to_the_system(tmp_path):
    """A connection that stayed like this could lose or damage the history in a power cut."""

    def synchronous(connection) -> int:
        return connection.exec_driver_sql("PRAGMA synchronous").scalar()

    off, normal, full = range(3)
    storage = PooledSqliteStorage(str(tmp_path))
    try:
        log = storage.event_log_storage
        for connect, expected in (
            (log.index_connection, normal),
            (lambda: log.run_connection("run"), normal),
            (storage.run_storage.connect, full),
            (storage.schedule_storage.connect, full),
        ):
            with connect() as connection:
                assert synchronous(connection) == expected
        with sqlite_history.create_engine(f"sqlite:///{tmp_path / 'other.db'}").connect() as other:
            assert synchronous(other) != off
    finally:
        storage.dispose()


RANGE = {"dagster/asset_partition_range_start": "2006-05-15", "dagster/asset_partition_range_end": "2006-05-19"}


@dg.asset(
    partitions_def=dg.DailyPartitionsDefinition("2006-05-15", end_date="2006-06-01"),
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("fine", asset="numbers")],
)
def numbers(context):
    for day in context.partition_keys:
        context.add_asset_metadata({"day": day}, partition_key=day)
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)], tags={"colour": "red"})


@dg.asset(
    partitions_def=dg.DailyPartitionsDefinition("2006-05-15", end_date="2006-06-01"),
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def broken() -> None:
    raise ValueError


def facts(instance: dg.DagsterInstance, run_id: str) -> dict[str, object]:
    """What Dagster answers about the run's events, without their times and ids."""
    found = instance.fetch_materializations(dg.AssetRecordsFilter(numbers.key), limit=100).records
    check = dg.AssetCheckKey(numbers.key, "fine")
    summary = instance.event_log_storage.get_latest_asset_check_execution_by_key([check])
    record = instance.get_asset_records([numbers.key])[0].asset_entry
    return {
        "partitions": instance.get_materialized_partitions(numbers.key),
        "metadata": {r.partition_key: r.asset_materialization.metadata["day"].value for r in found},
        "tags": [r.asset_materialization.tags["colour"] for r in found],
        "latest": record.last_materialization.asset_materialization.partition,
        "latest_run": record.last_run_id == run_id,
        "checks": [str(found.status) for found in summary.values()],
        "kinds": sorted(str(log.dagster_event_type) for log in instance.all_logs(run_id)),
    }


def test_events_stored_in_batches_are_what_single_events_are(instance, monkeypatch):
    answers = []
    for size in ("0", "500", "3"):
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
        instance.wipe_assets([numbers.key])
        run = dg.materialize([numbers], instance=instance, tags=RANGE)
        answers.append(facts(instance, run.run_id))
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0]["metadata"]) == 5
    assert answers[0]["latest"] == "2006-05-19"


def test_planned_partitions_are_stored_as_dagster_stores_them(instance, monkeypatch):
    """The UI marks a partition as failed by its own planned event; one event of all partitions would mark none."""
    answers: list[dict[str, object]] = []
    plans = count_plans(monkeypatch, PooledSqliteEventLogStorage)
    for is_one_event in (True, False):
        support = "supports_partition_subset_in_asset_materialization_planned_events"
        if not is_one_event:
            monkeypatch.setattr(CompletedEvents, support, False)
        for size in ("0", "500"):
            monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
            plans.clear()
            instance.wipe_assets([broken.key])
            run = dg.materialize([broken], instance=instance, tags=RANGE, raise_on_error=False).run_id
            answers.append(planned_by(instance, broken.key, run))
            assert plans == [5] * is_one_event, "Dagster passes one event of the asset with all its partitions"
    assert len(answers[0]["events"]) == len(answers[0]["attempts"]) == 5
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    "as_shown",
    [
        pytest.param(lambda text, key: f"{text} {json.dumps(key)}", id="the key twice"),
        pytest.param(lambda text, key: f"{text} {key}", id="the key also without quotes"),
        pytest.param(lambda text, key: text.replace(json.dumps(key), "null"), id="no key"),
        pytest.param(lambda text, _: text, id="as in this version"),
    ],
)
def test_planned_rows_are_dagsters_if_another_version_writes_the_key_otherwise(as_shown):
    """A row with a wrong text could not be read, and an error would let no run begin."""
    planned = AssetMaterializationPlannedData(broken.key, None, broken.partitions_def.subset_with_all_partitions())
    event = DagsterEvent.build_asset_materialization_planned_event("job", "broken", planned)
    entry = EventLogEntry(None, 10, "", "run", 1.5, "broken", "job", event)
    log = PooledSqliteEventLogStorage.__new__(PooledSqliteEventLogStorage)

    def as_row(entry: EventLogEntry) -> dict[str, object]:
        row = log._event_to_row(entry)
        return {**row, "event": as_shown(row["event"], row["partition"])}

    def of_day(day: str) -> EventLogEntry:
        alone = AssetMaterializationPlannedData(broken.key, day)
        return entry._replace(dagster_event=event._replace(event_specific_data=alone))

    [rows] = PlannedRows(as_row).batches(entry, planned.partitions_subset)
    assert rows == [as_row(of_day(day)) for day in broken.partitions_def.get_partition_keys()]


def test_a_check_of_many_partitions_is_planned_once(instance):
    """Dagster plans it once a partition, and no result of ours is of one partition: the plans would stay for ever."""
    dg.materialize([numbers], instance=instance, tags=RANGE)
    storage = instance.event_log_storage
    [newest, *_] = storage.get_asset_check_execution_history(dg.AssetCheckKey(numbers.key, "fine"), limit=10)
    with storage.index_connection() as connection:
        rows = connection.exec_driver_sql(
            "SELECT partition, execution_status FROM asset_check_executions WHERE run_id = ?", (newest.run_id,)
        ).all()
    assert rows == [(None, "SUCCEEDED")]


def test_only_so_many_databases_are_kept_open(instance, monkeypatch):
    monkeypatch.setattr(sqlite_history, "OPEN_DATABASES", 2)
    instance.event_log_storage.dispose()  # those that other tests left open
    for _ in range(3):
        dg.materialize([letters], partition_key="b", instance=instance)
        assert len(instance.event_log_storage._engines) == 2
    assert "b" in instance.get_materialized_partitions(letters.key)


def tags_without_event(instance) -> int:
    with instance.event_log_storage.index_connection() as connection:
        query = "SELECT count(*) FROM asset_event_tags WHERE event_id NOT IN (SELECT id FROM event_logs)"
        return connection.exec_driver_sql(query).scalar()


def test_old_runs_go_but_for_those_with_the_newest_result(instance, home):
    instance.wipe_assets([letters.key, numbers.key])  # so that no run of other tests holds a state
    remove_old_runs(instance, 0)

    def materialize(asset, **options):
        run = dg.materialize([asset], instance=instance, **options).run_id
        return run, home / "history" / "runs" / f"{run}.db"

    first, first_file = materialize(letters, partition_key="a")
    checked, _ = materialize(numbers, tags=RANGE)
    newer_a, _ = materialize(letters, partition_key="a")
    only_b, _ = materialize(letters, partition_key="b")
    logs = home / "storage" / first
    assert first_file.exists()
    assert logs.exists()
    assert remove_old_runs(instance, 1) == 0
    without_event = tags_without_event(instance)  # Dagster leaves tags of assets that were wiped
    assert remove_old_runs(instance, 0) == 1
    assert {run.run_id for run in instance.get_runs()} == {checked, newer_a, only_b}
    assert not first_file.exists()
    assert not logs.exists()
    assert instance.get_materialized_partitions(letters.key) == {"a", "b"}
    assert instance.get_latest_materialization_event(letters.key).run_id == only_b
    assert tags_without_event(instance) == without_event


def test_old_runs_are_removed_once_a_day_and_a_locked_history_fails_no_run(instance, tmp_path, monkeypatch, caplog):
    asked = []

    def locked(*arguments):
        asked.append(arguments)
        raise OperationalError("DELETE", {}, Exception("database is locked"))

    monkeypatch.setattr(old_runs, "remove_old_runs", locked)
    for _ in range(2):
        old_runs.remove_old_runs_daily(instance, 90, tmp_path / "tried")
    assert len(asked) == 1
    assert "old runs were not removed" in caplog.text
    os.utime(tmp_path / "tried", (0, 0))
    old_runs.remove_old_runs_daily(instance, 90, tmp_path / "tried")
    assert len(asked) == 2


def _open(folder: str, together: Barrier, problems: Queue[str | None]) -> None:
    together.wait()
    try:
        storage = PooledSqliteStorage(folder)
        storage.run_storage.get_runs_count()
        storage.event_log_storage.get_asset_records()
    except Exception as error:  # noqa: BLE001  (told to the test's own process)
        problems.put(repr(error))
    else:
        problems.put(None)


@pytest.mark.slow  # starts processes
def test_processes_that_open_a_new_history_at_the_same_moment_all_get_it(tmp_path):
    context = multiprocessing.get_context("fork")  # with everything imported, so that they meet
    together, problems = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_open, args=(str(tmp_path / "new"), together, problems)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [problems.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found == [None, None, None]
