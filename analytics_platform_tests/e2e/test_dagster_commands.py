"""Dagster's own commands work from the root of the checkout, with no variable but the home's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from analytics_platform.settings.loader import PROJECT_ROOT
from analytics_platform_tests.sizes import by_day_or_night

TIMEOUT_SECONDS = 180
BIN = Path(sys.executable).parent


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has set nothing, but for a home that the test throws away."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("ANALYTICS_", "DAGSTER_"))}
    paths = {"PATH": f"{BIN}{os.pathsep}{mine['PATH']}", "ANALYTICS_HOME": str(tmp_path / "home")}
    return {**mine, **paths, "DO_NOT_TRACK": "1"}


def run(command: str, environment: Mapping[str, str]) -> str:
    """Run a command in the checkout and return what it printed."""
    done = subprocess.run(
        command.split(),
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize(
    "command",
    ["dagster definitions validate", *by_day_or_night([], ["dg check defs"]), "dg list defs --json"],
)
def test_definitions_load_without_a_variable(environment: Mapping[str, str], command: str) -> None:
    """A traceback about DAGSTER_HOME ended each."""
    assert "Traceback" not in run(command, environment)


def test_what_dg_launches_stands_in_the_history_of_the_home(environment: Mapping[str, str], tmp_path: Path) -> None:
    run("dg launch --assets raw_messages --partition 2006-06-01", environment)
    assert (tmp_path / "home/lake/raw_messages/date=2006-06-01/data.parquet").is_file()
    assert list((tmp_path / "home/dagster/history/runs").glob("*.db"))


@pytest.mark.parametrize("program", ["dagster", "dg"])
def test_the_ui_answers_without_a_variable(environment: Mapping[str, str], tmp_path: Path, program: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "printed").open("w+") as printed:
        server = subprocess.Popen(
            [program, "dev", "-h" if program == "dagster" else "--host", "127.0.0.1", "--port", str(port)],
            cwd=PROJECT_ROOT,
            env=dict(environment),
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            assert answers(f"http://127.0.0.1:{port}/server_info", server), (tmp_path / "printed").read_text()
        finally:
            stop(server)
    assert (tmp_path / "home/dagster/history").is_dir()


def answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Wait until a server answers; return false when it has ended, or takes too long."""
    limit = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < limit and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.5)
    return False


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server with everything it started."""
    os.killpg(server.pid, signal.SIGINT)
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(30)
