"""The cluster of deploy/compose.yaml: its settings are taken, and its own commands work together on real servers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from analytics_platform.settings.loader import PROJECT_ROOT, load_settings
from analytics_platform.storage.lake import Lake
from analytics_platform_tests.e2e.commands import environment, run_installed
from analytics_platform_tests.e2e.many_days import in_lake
from analytics_platform_tests.servers import PostgresServer, S3Server, free_port, program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

COMPOSE = yaml.safe_load((PROJECT_ROOT / "deploy" / "compose.yaml").read_text())
PLATFORM = ("scheduler", "worker", "webserver", "daemon")
DAYS = ("--from", "2006-05-27", "--to", "2006-05-29")


def settings_of(service: str) -> dict[str, str]:
    """Return the environment of a service with a password filled in."""
    given: dict[str, str] = COMPOSE["services"][service]["environment"]
    filled = {name: value.replace("${ANALYTICS_PASSWORD:?set a password}", "pw") for name, value in given.items()}
    return {name: value.replace("${ANALYTICS_PASSWORD}", "pw") for name, value in filled.items()}


@pytest.mark.parametrize("service", PLATFORM)
def test_the_settings_of_every_service_are_valid(service, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("ANALYTICS_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name, value in settings_of(service).items():
        assert "${" not in value
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.executor == "dask"
    assert settings.history_url is not None
    assert settings.has_mongo


def test_only_the_ui_is_reachable_from_outside_and_only_from_this_machine():
    ports = {name: service.get("ports") for name, service in COMPOSE["services"].items() if service.get("ports")}
    assert ports == {"webserver": ["127.0.0.1:3000:3000"]}


def test_the_image_holds_what_the_platform_needs():
    copied = [line.split() for line in (PROJECT_ROOT / "deploy" / "Dockerfile").read_text().splitlines()]
    names = [name for words in copied if words[:1] == ["COPY"] for name in words[1:-1]]
    assert {"analytics_platform", "dbt_project", "dagster.yaml", "workspace.yaml", "pyproject.toml"} <= set(names)
    assert all((PROJECT_ROOT / name).exists() for name in names)


class Cluster:
    """The services of the file that need no container, on free ports of 127.0.0.1, beside real servers."""

    def __init__(self, folder: Path, s3: S3Server, postgres: PostgresServer) -> None:
        self.scheduler = f"127.0.0.1:{free_port()}"
        self.ui = free_port()
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        self.variables = {
            **settings_of("webserver"),
            **s3.variables,
            "ANALYTICS_LAKE_URI": f"s3://{s3.bucket}/cluster",
            "ANALYTICS_MONGO_URI": "off",
            "ANALYTICS_HISTORY_URL": postgres.url,
            "ANALYTICS_DASK_SCHEDULER": f"tcp://{self.scheduler}",
        }

    def start(self, service: str, home: Path) -> None:
        """Start a service by its command."""
        program_name, *arguments = COMPOSE["services"][service]["command"]
        replaced = {
            "tcp://scheduler:8786": f"tcp://{self.scheduler}",
            "8786": self.scheduler.rpartition(":")[2],
            "0.0.0.0": "127.0.0.1",
            "3000": str(self.ui),
            "workspace.yaml": str(PROJECT_ROOT / "workspace.yaml"),
        }
        command = sys.executable if program_name == "python" else program(program_name)
        local = ["--host", "127.0.0.1"] if program_name == "python" else []
        with (self._folder / f"{service}.log").open("ab") as log:
            self._running.append(
                subprocess.Popen(
                    [command, *(replaced.get(argument, argument) for argument in arguments), *local],
                    env=environment(home, DAGSTER_HOME=str(home / "dagster"), **self.variables),
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def log(self, service: str) -> str:
        """Return what a service has printed."""
        return (self._folder / f"{service}.log").read_text(errors="replace")

    def close(self) -> None:
        """Kill the services."""
        for process in self._running:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # another user cannot enter the folders of pytest
    (tmp_path / "s3").mkdir()
    with S3Server(tmp_path / "s3") as s3, PostgresServer(folder) as postgres:
        cluster = Cluster(tmp_path, s3, postgres)
        yield cluster
        cluster.close()
    shutil.rmtree(folder)


def test_a_run_by_the_files_scheduler_and_workers_is_the_same_and_stands_in_the_ui(cluster, three_days, tmp_path):
    home = tmp_path / "home"
    cluster.start("scheduler", tmp_path / "scheduler")
    for number in (1, 2):
        cluster.start("worker", tmp_path / f"worker{number}")
    (tmp_path / "cwd").mkdir()
    ran = run_installed(home, tmp_path / "cwd", "run", *DAYS, **cluster.variables)
    assert ran.code == 0, ran.err[-4000:]
    assert "a worker left" not in ran.err, ran.err[-4000:]
    v = cluster.variables
    lake = Lake.open(
        v["ANALYTICS_LAKE_URI"], endpoint_url=v["AWS_ENDPOINT_URL"],
        access_key=v["AWS_ACCESS_KEY_ID"], secret_key=v["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip
    found = in_lake(home, lake)
    assert found == {place: three_days[place] for place in found}
    assert len(found) > 30
    cluster.start("webserver", home)
    assert len(_runs(cluster)) == 1


def _runs(cluster: Cluster) -> list[str]:
    """Ask the UI's server for the runs."""
    query = b'{"query": "{ runsOrError { ... on Runs { results { status } } } }"}'
    request = urllib.request.Request(
        f"http://127.0.0.1:{cluster.ui}/graphql", query, {"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found = yaml.safe_load(answer.read())
            return [run["status"] for run in found["data"]["runsOrError"]["results"]]
        except OSError:
            assert time.monotonic() < deadline, cluster.log("webserver")[-3000:]
            time.sleep(1)
