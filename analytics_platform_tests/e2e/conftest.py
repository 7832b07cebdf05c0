"""The command line as a user runs it: in a process of its own, with a home of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil
import pytest

from analytics_platform.settings.validators import PREFIXES
from analytics_platform_tests.e2e.sixty_days import Content, Runs, content, write_chats

ANALYTICS = Path(sys.executable).with_name("analytics")


@dataclass
class Finished:
    """What a command left behind.

    Attributes:
        code: Exit status; negative when a signal ended it.
        out: Standard output.
        err: Standard error.
        peak_megabytes: Peak resident memory of the process itself.
    """

    code: int
    out: str
    err: str
    peak_megabytes: float

    def json(self) -> dict[str, object]:
        assert self.code in (0, 1), self.err
        return orjson.loads(self.out)


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a user who has set only these variables."""
    others = (*PREFIXES, "AWS_", "DAGSTER")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {**kept, "ANALYTICS_HOME": str(home), **variables}


def _heed_interrupts() -> None:
    """Undo what a shell does to commands in the background: a test run there would start processes deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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
                preexec_fn=_heed_interrupts,
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
def analytics(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Finished]:
    """Run ``analytics`` with arguments and environment variables in a home, to its end."""
    elsewhere = tmp_path_factory.mktemp("cwd")

    def run(home: Path, *arguments: str, **variables: str) -> Finished:
        output = tmp_path_factory.mktemp("output")
        with (output / "out").open("wb") as out, (output / "err").open("wb") as err:
            process = subprocess.Popen(
                [ANALYTICS, *arguments],
                env=environment(home, **variables),
                cwd=elsewhere,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        texts = [(output / name).read_text(errors="replace") for name in ("out", "err")]
        return Finished(process.returncode, *texts, peak_megabytes=usage.ru_maxrss / 1024)

    return run


@pytest.fixture(scope="session")
def demo(analytics, tmp_path_factory) -> tuple[Path, Finished]:
    """The home of a finished demo, and what the demo printed; tests must not change it."""
    home = tmp_path_factory.mktemp("demo")
    finished = analytics(home, "demo")
    assert finished.code == 0, finished.err
    return home, finished


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Iterator[Runs]:
    """Runs over sixty days, which may be killed."""
    chats = tmp_path_factory.mktemp("chats") / "chats.parquet"
    write_chats(chats)
    runs = Runs(chats, tmp_path_factory.mktemp("cwd"))
    yield runs
    runs.close()


@pytest.fixture(scope="session")
def undisturbed(runs, tmp_path_factory) -> tuple[Content, float]:
    """What an undisturbed run over sixty days leaves, and the seconds that it takes."""
    home = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    runs.finish(home)
    return content(home), time.monotonic() - began
