"""The command line as a user runs it: in a process of its own, with a home of its own."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import orjson
import psutil
import pytest

from analytics_platform_tests.e2e.commands import (
    ANALYTICS,
    Finished,
    ForkedCommands,
    environment,
    heed_interrupts,
    run_installed,
)
from analytics_platform_tests.e2e.many_days import Content, Runs, content, stored, write_chats
from analytics_platform_tests.shared import made_once, shared_classifiers

THREE_DAYS = ("run", "--from", "2006-05-27", "--to", "2006-05-29")


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedCommands]:
    """Starts commands that have imported everything already."""
    forked = ForkedCommands(tmp_path_factory.mktemp("cwd"), shared_classifiers(tmp_path_factory))
    yield forked
    forked.close()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start ``analytics`` and leave it running; it is interrupted, or killed, at the end of the module."""
    running: list[subprocess.Popen[bytes]] = []
    elsewhere = tmp_path_factory.mktemp("cwd")

    def start(home: Path, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        running.append(
            subprocess.Popen(
                [ANALYTICS, *arguments],
                env=environment(home, **variables),
                cwd=elsewhere,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=heed_interrupts,
            )
        )
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            process.kill()
        process.wait()


@pytest.fixture(scope="session")
def installed_analytics(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Finished]:
    """Run the installed ``analytics``, imports and all, to its end; it tells how much memory it took."""

    def run(home: Path, *arguments: str, **variables: str) -> Finished:
        return run_installed(home, tmp_path_factory.mktemp("cwd"), *arguments, **variables)

    return run


@pytest.fixture(scope="session")
def analytics(forked: ForkedCommands, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Finished]:
    """Run ``analytics`` with arguments and environment variables in a home, to its end."""
    folder, numbers = tmp_path_factory.mktemp("output"), itertools.count(1)

    def run(home: Path, *arguments: str, **variables: str) -> Finished:
        number = next(numbers)
        out, err = folder / f"{number}.out", folder / f"{number}.err"
        process = forked.start(arguments, environment(home, **variables), out=out, err=err)
        process.join()
        assert process.exitcode is not None
        return Finished(process.exitcode, out.read_text(errors="replace"), err.read_text(errors="replace"))

    return run


@pytest.fixture(scope="session")
def begin(forked: ForkedCommands, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ForkServerProcess]:
    """Start ``analytics`` in a home and leave it running, to be killed."""
    printed = tmp_path_factory.mktemp("output") / "printed"

    def begin(home: Path, *arguments: str, **variables: str) -> ForkServerProcess:
        return forked.start(arguments, environment(home, **variables), out=printed, err=printed)

    return begin


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """A home that a demo has filled, and what the demo printed; tests must not change its content."""

    def make(folder: Path) -> None:
        (folder / "cwd").mkdir()
        finished = run_installed(folder / "home", folder / "cwd", "demo")
        assert finished.code == 0, finished.err
        finished.save(folder / "finished.json")

    made = made_once(tmp_path_factory, "demo", make)
    # A copy for each worker: the servers of two of them would not share one.
    home = tmp_path_factory.mktemp("demo") / "home"
    shutil.copytree(made / "home", home)
    return home, Finished.load(made / "finished.json")


@pytest.fixture(scope="session")
def three_days(analytics, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What lake and MongoDB hold after a run of three days of the sample that nothing disturbed."""

    def make(folder: Path) -> None:
        assert analytics(folder / "home", *THREE_DAYS, "--json").json()["failures"] == []
        (folder / "stored.json").write_bytes(orjson.dumps(stored(folder / "home")))

    return orjson.loads((made_once(tmp_path_factory, "three-days", make) / "stored.json").read_bytes())


@pytest.fixture(scope="session")
def runs(forked: ForkedCommands, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Runs over many days, which may be killed."""
    chats = made_once(tmp_path_factory, "chats", lambda folder: write_chats(folder / "chats.parquet"))
    return Runs(forked, chats / "chats.parquet")


@pytest.fixture(scope="session")
def undisturbed(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, float]:
    """What an undisturbed run over many days leaves, and the seconds that it takes."""

    def make(folder: Path) -> None:
        began = time.monotonic()
        runs.finish(folder / "home")
        seconds = time.monotonic() - began
        (folder / "made.json").write_bytes(orjson.dumps([content(folder / "home"), seconds]))

    found, seconds = orjson.loads((made_once(tmp_path_factory, "undisturbed", make) / "made.json").read_bytes())
    return found, seconds
