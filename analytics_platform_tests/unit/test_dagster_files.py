"""``dagster.yaml`` and ``workspace.yaml`` are read by Dagster itself, as its web server and daemon read them."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterator

import dagster as dg
import pytest
import yaml

from analytics_platform.settings.loader import PROJECT_ROOT
from analytics_platform.storage.event_history.sqlite_history import PooledSqliteEventLogStorage


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """The instance of ``dagster.yaml`` in a new home."""
    home = tmp_path_factory.mktemp("dagster")
    shutil.copy(PROJECT_ROOT / "dagster.yaml", home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as opened:
            yield opened


def test_the_history_is_kept_in_the_home_by_the_platforms_own_storage(instance: dg.DagsterInstance) -> None:
    history = instance.event_log_storage
    assert isinstance(history, PooledSqliteEventLogStorage)
    assert history.path_for_shard("index").startswith(os.environ["DAGSTER_HOME"])


def test_nothing_is_sent_to_anybody(instance: dg.DagsterInstance) -> None:
    assert not instance.telemetry_enabled


def test_a_dead_run_keeps_no_slot(instance: dg.DagsterInstance) -> None:
    assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] > 0


def test_a_run_is_tried_again_only_when_it_asks_for_it(instance: dg.DagsterInstance) -> None:
    assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 0)


def test_the_workspace_names_the_code_location_of_the_project() -> None:
    [entry] = yaml.safe_load((PROJECT_ROOT / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]
    assert entry["python_module"] == {
        "module_name": project["code_location_target_module"],
        "location_name": project["code_location_name"],
    }
