"""Commands that are interrupted: one line, the exit status that shells expect, nothing left running, nothing lost."""

from __future__ import annotations

import math
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from analytics_platform_tests.e2e.commands import ANALYTICS, environment, heed_interrupts
from analytics_platform_tests.e2e.conftest import THREE_DAYS
from analytics_platform_tests.e2e.many_days import stored
from analytics_platform_tests.sizes import by_day_or_night

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LINE = "interrupted; run again to go on"
ENDS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


def catches_terminations(process: subprocess.Popen[str]) -> bool:
    """Tell whether a process has come so far that it handles SIGTERM; Python takes a second on a busy machine."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return bool(int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (signal.SIGTERM - 1) & 1)


def interrupt(
    home: Path, arguments: tuple[str, ...], when: Callable[[], bool], *signals: int
) -> tuple[int, str, float]:
    """Start a command, send it the signals when ``when`` holds; return exit status, standard error, seconds to end."""
    process = subprocess.Popen(
        [ANALYTICS, *arguments],
        env=environment(home),
        cwd=home.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    while not (catches_terminations(process) and when()):
        assert process.poll() is None, f"the command ended by itself: {process.communicate()[1]}"
        time.sleep(0.02)
    sent = time.monotonic()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.05)
    _, told = process.communicate(timeout=60)
    return process.returncode, told, time.monotonic() - sent


def run_statuses(home: Path) -> set[str]:
    """Return the statuses of the runs in the event history of a home; none if no run has opened the history."""
    history = home / "dagster" / "history" / "runs.db"
    if not history.exists():
        return set()
    with sqlite3.connect(history) as runs:
        return {status for (status,) in runs.execute("select status from runs")}


def processes_of(home: Path) -> list[psutil.Process]:
    """Return the processes whose command names a home."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(home) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize(
    ("appeared", "number", "code"),
    [
        *by_day_or_night([], [("lake/messages", signal.SIGINT, 130)]),
        ("mongo/server.log", signal.SIGTERM, 143),
        ("warehouse.duckdb.build", signal.SIGINT, 130),
    ],
)
def test_interrupted_run_says_one_line_and_the_next_run_completes_it(
    three_days, analytics, tmp_path, appeared, number, code
):
    home = tmp_path / "home"
    returned, told, seconds = interrupt(home, THREE_DAYS, (home / appeared).exists, number)
    assert (returned, told.strip().splitlines()) == (code, [LINE])
    assert seconds < 12
    assert processes_of(home) == []
    assert run_statuses(home) <= {"FAILURE"}  # the server starts before any run does
    assert analytics(home, *THREE_DAYS, "--json").json()["failures"] == []
    assert stored(home) == three_days


def test_second_ctrl_c_ends_the_run_at_once(tmp_path):
    """The shortest of at most three tries counts, because a busy machine may hold up any one of them."""
    shortest = math.inf
    for trial in range(3):
        home = tmp_path / f"home-{trial}"
        appeared = (home / "lake/messages").exists
        returned, told, seconds = interrupt(home, THREE_DAYS, appeared, signal.SIGINT, signal.SIGINT)
        assert (returned, told.strip().splitlines()) == (130, [LINE])
        for left in processes_of(home):
            left.kill()
        shortest = min(shortest, seconds)
        if shortest < 1:
            break
    assert shortest < 1


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [("reconcile", *ENDS[0]), ("redrive", *ENDS[1]), ("repair", *ENDS[0]), ("train", *ENDS[1]), ("doctor", *ENDS[0])],
)
def test_any_interrupted_command_says_one_line(tmp_path, command, number, code):
    home = tmp_path / "home"
    began = time.monotonic()
    returned, told, _ = interrupt(home, (command,), lambda: time.monotonic() - began > 1.2, number)
    assert (returned, told.strip().splitlines()[-1:]) == (code, [LINE])
    assert "Traceback" not in told


def test_run_started_with_interrupts_ignored_goes_on_ignoring_them(analytics, tmp_path):
    """``nohup`` and a shell's background jobs start commands so; heeding Ctrl-C would end them."""
    process = subprocess.Popen(
        [ANALYTICS, "status"],
        env=environment(tmp_path),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    time.sleep(1.2)
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
