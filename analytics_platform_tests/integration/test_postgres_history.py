"""Dagster's event history on a real PostgreSQL server, which several homes share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from analytics_platform.defs.resources.dagster_instance import HistoryError
from analytics_platform.defs.resources.instance_folder import open_instance, prepare_instance
from analytics_platform.settings.loader import PROJECT_ROOT
from analytics_platform.storage.event_history.postgres_history import VersionedPostgresEventLogStorage
from analytics_platform.storage.lake import Lake
from analytics_platform_tests.e2e.commands import Finished, run_installed
from analytics_platform_tests.planned_events import count_plans, planned_by
from analytics_platform_tests.servers import PostgresServer, free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DAYS = ("--from", "2006-05-27", "--to", "2006-05-28")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # another user cannot enter the folders of pytest
    with PostgresServer(folder) as server:
        yield server
    shutil.rmtree(folder)


def run(home: Path, server: PostgresServer) -> Finished:
    (home / "cwd").mkdir(parents=True)
    chosen = ("run", *DAYS, "--select", "group:raw or group:clean")
    return run_installed(home, home / "cwd", *chosen, ANALYTICS_HISTORY_URL=server.url, ANALYTICS_MONGO_URI="off")


@pytest.fixture(scope="module")
def homes(postgres, tmp_path_factory) -> list[tuple[Path, Finished]]:
    """Two homes whose runs are recorded in one history."""
    homes = [tmp_path_factory.mktemp("home") for _ in range(2)]
    return [(home, run(home, postgres)) for home in homes]


@pytest.fixture
def instance(postgres, tmp_path, monkeypatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path))
    monkeypatch.setenv("ANALYTICS_HISTORY_URL", postgres.url)
    folder = tmp_path / "dagster"
    prepare_instance(folder, PROJECT_ROOT)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    with open_instance(folder) as instance:
        yield instance


def test_runs_of_two_homes_are_in_one_history_with_content_hashes_as_versions(homes, instance):
    """Dagster's own storage would give every partition of a step the same version, and the UI would call all stale."""
    for home, finished in homes:
        assert finished.code == 0, finished.err[-3000:]
        assert not (home / "dagster" / "history").exists()
    assert len(instance.get_runs()) == 2
    assert isinstance(instance.event_log_storage, VersionedPostgresEventLogStorage)
    found = instance.event_log_storage.get_latest_tags_by_partition(
        dg.AssetKey("messages"), dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG]
    )
    lake = Lake.open(str(homes[0][0] / "lake"))
    assert {day: tags[DATA_VERSION_TAG] for day, tags in found.items()} == {
        day: lake.info("messages", day).content_hash for day in DAYS[1::2]
    }


RANGE = {"dagster/asset_partition_range_start": "2006-05-15", "dagster/asset_partition_range_end": "2006-05-17"}


@dg.asset(
    partitions_def=dg.DailyPartitionsDefinition("2006-05-15", end_date="2006-06-01"),
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def broken() -> None:
    raise ValueError


def test_planned_partitions_are_stored_as_dagster_stores_them(instance, monkeypatch):
    """Dagster makes an event for each partition of a run; the UI needs their rows, not the events."""
    answers: list[dict[str, object]] = []
    plans = count_plans(monkeypatch, VersionedPostgresEventLogStorage)
    for is_one_event in (True, False):
        if not is_one_event:
            support = "supports_partition_subset_in_asset_materialization_planned_events"
            monkeypatch.setattr(VersionedPostgresEventLogStorage, support, False)
        plans.clear()
        instance.wipe_assets([broken.key])
        run = dg.materialize([broken], instance=instance, tags=RANGE, raise_on_error=False).run_id
        answers.append(planned_by(instance, broken.key, run))
        instance.delete_run(run)
        assert plans == [3] * is_one_event, "Dagster passes one event of the asset with all its partitions"
    assert answers[0] == answers[1]
    assert len(answers[0]["events"]) == len(answers[0]["attempts"]) == 3


def test_the_password_is_in_no_file_and_on_no_screen(homes, postgres):
    secrets = [postgres.PASSWORD.encode(), postgres.url.encode(), b"pass%25word"]
    for home, finished in homes:
        printed = (finished.out + finished.err).encode()
        files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
        assert not [secret for secret in secrets for text in (printed, *files) if secret in text]


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path, monkeypatch):
    port = free_port()
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path))
    monkeypatch.setenv("ANALYTICS_HISTORY_URL", f"postgresql://analytics:secret@127.0.0.1:{port}/history")
    prepare_instance(tmp_path / "dagster", PROJECT_ROOT)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with pytest.raises(HistoryError, match=f"ANALYTICS_HISTORY_URL: PostgreSQL at 127.0.0.1:{port} ") as raised:
        _ = open_instance(tmp_path / "dagster").event_log_storage
    assert "secret" not in str(raised.value)
