"""Exclusive work on days, among the processes of a home and among the machines that share its lake."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from analytics_platform.storage.leases.day_leases import DayLeases
from analytics_platform.storage.leases.day_locks import days_locked, lock_identity


@contextmanager
def days_held(home: Path, leases: DayLeases | None, first: str, last: str, *, wait_seconds: float) -> Iterator[None]:
    """Keep all other processes away from days, and first wait for a process that works on them.

    The lock comes first: it costs nothing, it is exact, and whoever has it knows that a lease of the same lock file is
    the left-over of a process that died.

    Args:
        home: The home, which holds the lock file.
        leases: The leases of the lake; None for a lake that no other machine shares.
        first: First day, ``YYYY-MM-DD``.
        last: Last day, inclusive.
        wait_seconds: Longest wait for lock and lease together.

    Raises:
        DaysBusyError: If another process still works on one of the days after ``wait_seconds``.
        LeasesUnreachableError: If the leases cannot be read or written.
    """
    lock, deadline = home / "days.lock", time.monotonic() + wait_seconds
    with ExitStack() as held:
        held.enter_context(days_locked(lock, first, last, wait_seconds=wait_seconds))
        if leases is not None:
            left = max(deadline - time.monotonic(), 0.0)
            held.enter_context(leases.held(first, last, wait_seconds=left, local_lock=lock_identity(lock)))
        yield
