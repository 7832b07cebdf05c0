"""`analytics` as a process of its own: installed and started as users do, or forked with all imports done.

Importing takes most of the CPU time of a short command. A forked command runs the same `main` with the same
arguments, environment, signals and file descriptors; it lacks only the imports.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Self

import dbt.adapters.duckdb
import dbt.cli.main
import dbt.task.build
import orjson

from analytics_platform import definitions
from analytics_platform.analytics.reports import page
from analytics_platform.cli import app, console, doctor, graph_commands, graphless, lookups
from analytics_platform.operations.runs import graph_run
from analytics_platform.settings.validators import PREFIXES
from analytics_platform.storage.event_history import sqlite_history

_POLL_SECONDS = 0.1
ANALYTICS = Path(sys.executable).with_name("analytics")
# Modules and not their names: an import that fails in the server of forks would go unnoticed, and only cost time.
_PRELOADED = [
    module.__name__
    for module in (
        *(app, console, definitions, doctor, graph_commands, graphless, lookups),
        *(graph_run, page, sqlite_history, dbt.adapters.duckdb, dbt.cli.main, dbt.task.build),  # of a run
    )
]
# A process of `multiprocessing` ends without what is registered with atexit.
_CODE = """
import atexit, os, sys
for number, path in enumerate(({out!r}, {err!r}), start=1):
    os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND), number)
os.chdir({folder!r})
os.environ.clear()
os.environ.update({environment!r})
sys.argv = ["analytics", *{arguments!r}]
from {cli} import main
try:
    main()
finally:
    atexit._run_exitfuncs()
"""


@dataclass
class Finished:
    """What a command left behind.

    Attributes:
        code: Exit status; negative when a signal ended it.
        out: Standard output.
        err: Standard error.
        peak_megabytes: Peak resident memory of the process itself; 0 of a forked one.
        cpu_seconds: CPU time of the process and of the children that it waited for; 0 of a forked one.
    """

    code: int
    out: str
    err: str
    peak_megabytes: float = 0.0
    cpu_seconds: float = 0.0

    def json(self) -> dict[str, object]:
        """Return standard output, parsed."""
        assert self.code in (0, 1), self.err
        return orjson.loads(self.out)

    def save(self, path: Path) -> None:
        """Write it to a file."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it from a file."""
        return cls(**json.loads(path.read_text()))


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a user who has set only these variables."""
    others = (*PREFIXES, "AWS_", "DAGSTER")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {**kept, "ANALYTICS_HOME": str(home), **variables}


def heed_interrupts() -> None:
    """Undo what a shell does to commands in the background: a test run there would start processes deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def peak_of(process: int) -> float:
    """Return the peak of a running process's own memory in MiB; 0 if it has none any more.

    ``ru_maxrss`` would count the process that started it as well: the peak of a fork begins with its parent's.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def run_installed(home: Path, folder: Path, *arguments: str, **variables: str) -> Finished:
    """Run the installed command to its end.

    Args:
        home: Home of the platform.
        folder: Working directory, and where what it prints is kept.
        arguments: Of the command.
        variables: Environment variables beside the home's.
    """
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [ANALYTICS, *arguments],
            env=environment(home, **variables),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        peak = 0.0
        while not (waited := os.wait4(process.pid, os.WNOHANG))[0]:
            peak = max(peak, peak_of(process.pid))
            time.sleep(_POLL_SECONDS)
        _, status, usage = waited
        process.returncode = os.waitstatus_to_exitcode(status)
    texts = [(folder / name).read_text(errors="replace") for name in ("out", "err")]
    return Finished(
        process.returncode,
        *texts,
        peak_megabytes=peak,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
    )


class ForkedCommands:
    """Starts commands from a process that has imported everything.

    Args:
        folder: Working directory of the commands.
        classifiers: Folder of fitted classifiers that the homes share, because each fit takes seconds.
    """

    def __init__(self, folder: Path, classifiers: Path) -> None:
        self._folder = folder
        self._classifiers = classifiers
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._running: list[ForkServerProcess] = []

    def start(
        self, arguments: Sequence[str], variables: Mapping[str, str], *, out: Path, err: Path
    ) -> ForkServerProcess:
        """Start one and leave it running.

        Args:
            arguments: Of the command.
            variables: Its whole environment.
            out: File that standard output is appended to.
            err: File that standard error is appended to.
        """
        if arguments[0] == "run":
            self.share_classifiers(Path(variables["ANALYTICS_HOME"]))
        code = _CODE.format(
            out=str(out), err=str(err), folder=str(self._folder), environment=dict(variables),
            arguments=list(arguments), cli=app.__name__,
        )  # fmt: skip
        process = self._context.Process(target=exec, args=(code,))
        process.start()
        self._running.append(process)
        return process

    def share_classifiers(self, home: Path) -> None:
        """Make a home that exists use the shared classifiers, unless it has its own, or a disk of its own."""
        kept = home / "classifiers"
        if home.exists() and not kept.exists() and not os.path.ismount(home.parent):
            kept.symlink_to(self._classifiers)

    def close(self) -> None:
        """Kill the commands that still run."""
        for process in self._running:
            process.kill()
            process.join()
