"""Leases on days: machines that share a lake work on a day one after the other.

A lease is granted for a range of days, renewed by a thread, and released at the end. The lease of a machine that died
or sleeps expires, and another machine takes the days over. The sleeper finds out before it writes, because
``HeldLease.require`` raises an error.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from analytics_platform.storage.leases.day_locks import DaysBusyError
from analytics_platform.storage.leases.held_lease import (
    SAFE_SHARE,
    Clocks,
    HeldLease,
    JoinedLease,
    LeaseLostError,
    read_table,
)
from analytics_platform.storage.leases.lease_table import Expiry, LeaseEntry, LeaseTable
from analytics_platform.storage.leases.registers import LeasesUnreachableError, Register
from analytics_platform.system import interruption

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
RENEWALS_PER_LEASE = 3
_LONGEST_POLL_SECONDS = 5.0


class DayLeases:
    """The leases of one process on the days of one lake.

    Args:
        register: Where the table of leases is; not contacted before the first lease.
        seconds: Time after which others take over the days of a holder that renews no more.
        clocks: The clocks.
        renews: Whether a thread renews the leases.
    """

    def __init__(
        self, register: Register, *, seconds: float = LEASE_SECONDS, clocks: Clocks | None = None, renews: bool = True
    ) -> None:
        self._register = register
        self._seconds = seconds
        self._clocks = clocks or Clocks()
        self._renews = renews
        self._held: list[HeldLease] = []
        self._joined: dict[str, JoinedLease] = {}
        self._ends_with_release = False
        self._is_reliable: bool | None = None

    def lease_of(self, key: str) -> HeldLease | JoinedLease | None:
        """Return the latest lease that covers a day, or the latest lease for the key of an unpartitioned table."""
        leases: list[HeldLease | JoinedLease] = [*self._joined.values(), *self._held]
        return next((one for one in reversed(leases) if not key or one.entry.covers(key)), None)

    def join(self, entry: LeaseEntry | None) -> None:
        """Write the days of a lease under it from now on, although another process holds it.

        Args:
            entry: The lease of the run for which this process computes; None if the run has none. It stays until
                another run's lease on one of its days is joined.
        """
        if entry is None:
            self._joined = {}
        elif entry.identity not in self._joined:
            others = {
                name: one for name, one in self._joined.items() if not one.entry.overlaps(entry.first, entry.last)
            }
            self._joined = {**others, entry.identity: JoinedLease(self._register, entry)}

    @contextmanager
    def held(self, first: str, last: str, *, wait_seconds: float, local_lock: str = "") -> Iterator[HeldLease | None]:
        """Hold a lease on days; wait while another machine holds one of them.

        Args:
            first: First day, ``YYYY-MM-DD``.
            last: Last day, inclusive.
            wait_seconds: Longest wait.
            local_lock: Identity of the lock file in which this process has locked the days. A lease of the same file is
                then the left-over of a process that died, and is replaced at once.

        Yields:
            The lease; None if the store cannot keep machines apart, which is logged.

        Raises:
            DaysBusyError: If another machine still works on one of the days after ``wait_seconds``.
            LeasesUnreachableError: If the store does not answer.
        """
        if not self._keeps_apart():
            yield None
            return
        expiry = Expiry()
        wanted = LeaseEntry(
            identity=uuid.uuid4().hex,
            token=0,
            first=first,
            last=last,
            seconds=self._seconds,
            host=socket.gethostname(),
            process=os.getpid(),
            since=f"{self._clocks.now():%Y-%m-%d %H:%M:%S} UTC",
            local_lock=local_lock,
        )
        lease = self._granted(wanted, wait_seconds, expiry)
        self._held.append(lease)
        if not self._ends_with_release:
            self._ends_with_release = True
            interruption.before_forced_end(self.release_all)
        stop = threading.Event()
        thread = threading.Thread(target=self._renew_until, args=(lease, stop), name="leases", daemon=True)
        if self._renews:
            thread.start()
        try:
            yield lease
        finally:
            stop.set()
            self._held.remove(lease)
            try:
                lease.release(expiry)
            except LeasesUnreachableError as error:
                logger.warning("%s to %s: the lease stays for %g s: %s", first, last, self._seconds, error)

    def describe(self) -> str:
        """Return in words whether machines are kept apart, and who holds which days; nothing is written.

        Raises:
            LeasesUnreachableError: If the store does not answer.
        """
        table, _ = read_table(self._register)
        if table.is_reliable is None:
            return "the first run finds out whether they can be kept apart"
        if not table.is_reliable:
            return "they are not kept apart, because the store does not honour conditional writes"
        held = [f"{one.first} to {one.last} by {one.holder}" for one in table.leases]
        return f"they are kept apart; {'; '.join(held) if held else 'no day is worked on'}"

    def release_all(self) -> None:
        """Release every lease, for a process that ends without leaving its contexts."""
        for lease in [*self._held]:
            lease.release(Expiry())

    def _keeps_apart(self) -> bool:
        """Tell whether the store keeps writers apart; try it once per lake, and again when it did not."""
        if self._is_reliable is None:
            table, version = read_table(self._register)
            self._is_reliable = bool(table.is_reliable) or self._try_store(table, version)
        return self._is_reliable

    def _try_store(self, table: LeaseTable, version: str) -> bool:
        fault = self._register.fault()
        if fault is None:
            self._register.replace(table.judged(is_reliable=True).text(), version)
            return True
        logger.warning(
            "%s: machines that share this lake are not kept apart, because %s; give each machine days of its own, or "
            "use a server with conditional writes",
            self._register.place,
            fault,
        )
        if table.is_reliable is None:
            self._register.overwrite(table.judged(is_reliable=False).text())
        return False

    def _granted(self, wanted: LeaseEntry, wait_seconds: float, expiry: Expiry) -> HeldLease:
        """Return the wanted lease as soon as no other lease covers one of its days."""
        deadline, warned_of = self._clocks.awake() + wait_seconds, ""
        while True:
            began = self._clocks.awake()
            result = self._attempt(wanted, expiry)
            if isinstance(result, HeldLease):
                return result
            if result is None:
                self._clocks.sleep(random.uniform(0, 0.1))  # noqa: S311  (spreads writers that met)
                continue
            if began >= deadline:
                raise DaysBusyError(
                    f"{wanted.first} to {wanted.last}: {result.holder}, still works on {result.first} to {result.last} "
                    f"after {wait_seconds:.0f} s; try again when it has finished"
                )
            if warned_of != result.identity:
                days = wanted.first, wanted.last, result.holder, result.first, result.last
                logger.warning("%s to %s: waiting for %s, which works on %s to %s", *days)
                warned_of = result.identity
            self._clocks.sleep(min(self._seconds / 12, _LONGEST_POLL_SECONDS))

    def _attempt(self, wanted: LeaseEntry, expiry: Expiry) -> HeldLease | LeaseEntry | None:
        """Return the lease, or another one that covers one of its days; None if another writer was quicker."""
        asked_at, sent_at = self._clocks.awake(), self._clocks.always()
        table, version = read_table(self._register)
        entry = table.find(wanted.identity)  # after a replacement whose answer was lost
        if entry is None:
            ours = {one.entry.identity for one in self._held}
            gone = expiry.expired_of(table.leases, asked_at, self._clocks.awake())
            gone |= {one.identity for one in table.leases if _is_left_over(one, wanted)}
            for one in table.overlapping(wanted.first, wanted.last):
                if one.identity not in gone | ours:
                    return one
            milliseconds = int(self._clocks.now().timestamp() * 1000)
            granting, entry = table.granting(wanted, gone - ours, beside=ours, least_token=milliseconds)
            if self._register.replace(granting.text(), version) is None:
                return None
        return HeldLease(self._register, entry, sent_at + SAFE_SHARE * entry.seconds, self._clocks)

    def _renew_until(self, lease: HeldLease, stop: threading.Event) -> None:
        """Renew a lease until it is released or lost; an unreachable store is asked again sooner."""
        pause = self._seconds / RENEWALS_PER_LEASE
        while not stop.wait(pause):
            pause = self._seconds / RENEWALS_PER_LEASE
            try:
                lease.confirm()
            except LeaseLostError:
                return  # the next write says so
            except LeasesUnreachableError as error:
                logger.debug("%s", error)
                pause /= 4


def _is_left_over(lease: LeaseEntry, wanted: LeaseEntry) -> bool:
    """Tell whether a lease's holder has ended, because its lock on one of the days belongs to the asking process."""
    return (
        bool(lease.local_lock) and lease.local_lock == wanted.local_lock and lease.overlaps(wanted.first, wanted.last)
    )
