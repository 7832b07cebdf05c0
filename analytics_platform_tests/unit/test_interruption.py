"""A signal at the very end of a command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analytics_platform.system.interruption import MESSAGE

SCRIPT = """
import os, signal, sys
from analytics_platform.system import interruption

restore = signal.signal

def late(number, handler):
    os.kill(os.getpid(), int(sys.argv[1]))
    return restore(number, handler)

with interruption.heeded():
    interruption.signal.signal = late
"""


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_signal_while_the_handlers_are_restored_ends_the_command_with_the_line(number: int, code: int) -> None:
    """The command ended by an error that its standard error, silenced by then, did not show, and without the line."""
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(number)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (finished.returncode, finished.stderr.splitlines()) == (code, [MESSAGE])


WITH_SEMAPHORES = """
import multiprocessing, os, sys, time
from analytics_platform.system import interruption

with interruption.heeded():
    locks = [multiprocessing.get_context("spawn").Lock() for _ in range(2)]  # as dbt makes them
    print(*[lock._semlock.name for lock in locks], flush=True)
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(30)
"""


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_open_semaphores_add_no_line_and_are_removed(number: int, code: int) -> None:
    """Late in a run, two lines about leaked semaphores followed, printed by a process of Python's own."""
    finished = subprocess.run(
        [sys.executable, "-c", WITH_SEMAPHORES, str(number)], capture_output=True, text=True, timeout=60, check=False
    )  # returns when the last process closes standard error
    assert (finished.returncode, finished.stderr.splitlines()) == (code, [MESSAGE])
    names = finished.stdout.split()
    assert len(names) == 2
    assert not [name for name in names if Path(f"/dev/shm/sem.{name.removeprefix('/')}").exists()]
