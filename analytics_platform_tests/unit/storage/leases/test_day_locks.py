"""One run per day at a time, across processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from analytics_platform.storage.leases.day_locks import DaysBusyError, days_locked

HOLD = """
import sys
from pathlib import Path
from analytics_platform.storage.leases.day_locks import days_locked
with days_locked(Path(sys.argv[1]), sys.argv[2], sys.argv[3], wait_seconds=0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "days.lock"


@pytest.fixture
def other_process(lock):
    """Hold 2024-01-05 to 2024-01-09 elsewhere."""
    command = [sys.executable, "-c", HOLD, str(lock), "2024-01-05", "2024-01-09"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_day_that_is_held_elsewhere_is_refused_by_name(lock, other_process):
    refused = pytest.raises(DaysBusyError, match="2024-01-09 to 2024-01-12: another run")
    with refused, days_locked(lock, "2024-01-09", "2024-01-12", wait_seconds=0):
        pass


def test_days_beside_those_that_are_held_are_free(lock, other_process):
    with days_locked(lock, "2024-01-01", "2024-01-04", wait_seconds=0):
        pass
    with days_locked(lock, "2024-01-10", "2024-01-31", wait_seconds=0):
        pass


def test_the_days_of_a_process_that_was_killed_are_free(lock, other_process):
    other_process.kill()
    other_process.wait()
    with days_locked(lock, "2024-01-05", "2024-01-09", wait_seconds=0):
        pass
