"""Allow one run per day at a time, across the processes of one machine.

A day is one byte of a lock file, so one call locks a range of days, and the operating system releases the lock when
the process dies. Machines that share a lake do not share this lock; ``day_leases`` keeps them apart.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

_POLL_SECONDS = 1.0


class DaysBusyError(TimeoutError):
    """Another run still holds the lock on the days after the wait; the message names the days."""


@contextmanager
def days_locked(path: Path, first: str, last: str, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock on the days from ``first`` to ``last``, inclusive; wait while another process holds one of them.

    Args:
        path: The lock file; created when missing.
        first: First day, ``YYYY-MM-DD``.
        last: Last day, ``YYYY-MM-DD``.
        wait_seconds: Longest wait.

    Raises:
        DaysBusyError: If another process still holds one of the days after ``wait_seconds``.
    """
    start = dt.date.fromisoformat(first).toordinal()
    length = dt.date.fromisoformat(last).toordinal() - start + 1
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline, warned = time.monotonic() + wait_seconds, False
        while not _taken(descriptor, start, length):
            if time.monotonic() > deadline:
                raise DaysBusyError(
                    f"{first} to {last}: another run is still working on these days after {wait_seconds:.0f} s; "
                    "try again when it has finished"
                )
            if not warned:
                logger.warning("%s to %s: waiting for another run that is working on these days", first, last)
                warned = True
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)  # releases the lock too


def lock_identity(path: Path) -> str:
    """Return a text that two processes share only if the same locks keep them apart; empty if the system lacks one.

    Args:
        path: The lock file, which exists.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    file = path.stat()
    return f"{boot}:{file.st_dev}:{file.st_ino}"


def _taken(descriptor: int, start: int, length: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
    except BlockingIOError:
        return False
    return True
