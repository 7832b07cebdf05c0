"""Blocks in worker processes and on a Dask cluster leave what one process leaves, also when somebody is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from analytics_platform_tests.e2e import run_by_processes
from analytics_platform_tests.e2e.many_days import Content, content, in_lake, output
from analytics_platform_tests.servers import free_port
from analytics_platform_tests.sizes import by_day_or_night

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

DECLINED = "a worker left"
KILLS = by_day_or_night(2, 15)


@pytest.fixture
def by_processes(runs, forked, tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the groups of the lake in worker processes, in a home."""
    (tmp_path / "home").mkdir()
    forked.share_classifiers(tmp_path / "home")

    def run(*victim: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, run_by_processes.__file__, *victim],
            env=runs.environment(tmp_path / "home", ANALYTICS_MONGO_URI="off", ANALYTICS_BLOCK_ROWS="50"),
            cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    return run


def expected_of(everything: Content, home: Path) -> Content:
    """Return the part of a whole run's content that a run of the lake's groups leaves."""
    tables = {path.name for path in (home / "lake").iterdir()}
    return {place: digest for place, digest in everything.items() if place.partition("/")[0] in tables}


def test_worker_processes_leave_what_one_process_leaves(undisturbed, by_processes, tmp_path):
    ran = by_processes()
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert DECLINED not in ran.stderr
    assert in_lake(tmp_path / "home") == expected_of(undisturbed[0], tmp_path / "home")


def test_a_run_whose_workers_are_killed_computes_the_rest_itself(undisturbed, by_processes, tmp_path):
    ran = by_processes("workers")
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert "a worker process died" in ran.stderr
    assert in_lake(tmp_path / "home") == expected_of(undisturbed[0], tmp_path / "home")


def test_workers_end_with_a_run_that_is_killed_and_the_next_run_finishes_it(undisturbed, by_processes, tmp_path):
    """Workers that live on would store partitions beside those of the next run."""
    ran = by_processes("itself")
    assert ran.returncode == -signal.SIGKILL, ran.stderr[-4000:]
    workers = [int(number) for number in ran.stdout.split()]
    assert workers
    deadline = time.monotonic() + 20
    while any(map(psutil.pid_exists, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(psutil.pid_exists, workers))
    again = by_processes()
    assert again.returncode == 0, again.stderr[-4000:]
    assert in_lake(tmp_path / "home") == expected_of(undisturbed[0], tmp_path / "home")


class Cluster:
    """A Dask scheduler and workers of one thread, each a process, with the settings of one home."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._folder = folder
        self._variables = variables
        self._all: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        port = self.address.rpartition(":")[2]
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", port)

    def add_worker(self) -> None:
        """Start a worker; it waits for the scheduler."""
        threads = ("--nthreads", "1", "--no-nanny", "--local-directory", str(self._folder))
        self.workers.append(self._start("dask_worker", self.address, "--host", "127.0.0.1", *threads))

    def kill_worker(self, number: int) -> None:
        """Kill a worker, and start another one in its place."""
        worker = self.workers.pop(number)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        self.add_worker()

    def close(self) -> None:
        """Kill all processes."""
        for process in self._all:
            process.kill()
            process.wait()

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{name}", *arguments, "--no-dashboard"],
                env=self._variables, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._all.append(process)
        return process

    @property
    def log(self) -> str:
        """What the workers have printed."""
        return (self._folder / "dask_worker.log").read_text()


@pytest.fixture
def cluster(runs, tmp_path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, runs.environment(tmp_path / "home"))
    cluster.add_worker()
    cluster.add_worker()
    yield cluster
    cluster.close()


def test_a_dask_cluster_whose_workers_are_killed_leaves_what_one_process_leaves(undisturbed, runs, cluster, tmp_path):
    home, chance = tmp_path / "home", random.Random()
    options = {"ANALYTICS_EXECUTOR": "dask", "ANALYTICS_DASK_SCHEDULER": cluster.address, "ANALYTICS_BLOCK_ROWS": "50"}
    process = runs.start(home, **options)
    for _ in range(KILLS):
        process.join(chance.uniform(5, undisturbed[1]))
        if process.exitcode is None:
            cluster.kill_worker(chance.randrange(2))
    process.join()
    assert process.exitcode == 0, output(home)[-4000:]
    assert DECLINED not in output(home), output(home)[-4000:]
    assert content(home) == undisturbed[0]


def test_a_scheduler_that_does_not_answer_is_named_with_the_setting(runs, tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    options = {"ANALYTICS_EXECUTOR": "dask", "ANALYTICS_DASK_SCHEDULER": address}
    process = runs.start(tmp_path / "home", **options, DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="2s")
    process.join()
    assert process.exitcode == 1
    assert f"ANALYTICS_DASK_SCHEDULER: {address} does not answer" in output(tmp_path / "home")
