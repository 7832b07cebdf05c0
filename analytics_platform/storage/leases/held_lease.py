"""A lease that was granted: its renewal, its release, and the question before each write whether it is still held."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from analytics_platform.errors import UserError
from analytics_platform.storage.leases.lease_table import Expiry, LeaseEntry, LeaseTable
from analytics_platform.storage.leases.registers import LeasesUnreachableError, Register

SAFE_SHARE = 0.75
"""Share of a lease's time in which its holder relies on it without asking; the rest is for requests under way."""
_MOST_CONFLICTS = 50


class LeaseLostError(UserError):
    """Another holder has taken days over; nothing more may be written for them. The message names the days."""


class Lease(Protocol):
    """What a store must know of a lease before it writes.

    Attributes:
        token: Fencing token: a later lease on the same days has a higher one.
        first: First day, ``YYYY-MM-DD``.
        last: Last day, inclusive.
    """

    token: int
    first: str
    last: str

    def require(self) -> None:
        """Return if the lease is held.

        Raises:
            LeaseLostError: If another holder has taken the days over.
            LeasesUnreachableError: If the lease may have expired, and its store does not answer.
        """
        ...

    def confirm(self) -> None:
        """Ask the store, and return if the lease is held; errors as for ``require``."""
        ...


class Fence(Protocol):
    """Tells the lease under which a partition is written."""

    def lease_of(self, key: str) -> Lease | None:
        """Return the lease of a partition; None if no lease was taken for it.

        Args:
            key: The day; empty for an unpartitioned table, which is written under the lease of the run's days.
        """
        ...


@dataclass(frozen=True)
class Clocks:
    """The clocks of a machine, which tests replace.

    Attributes:
        awake: Seconds that do not pass while the machine is suspended.
        always: Seconds that also pass while the machine is suspended.
        now: The time of day.
        sleep: Waits for some seconds.
    """

    awake: Callable[[], float] = time.monotonic
    always: Callable[[], float] = lambda: time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


class HeldLease:
    """A lease that this process was granted; safe to share between threads.

    Args:
        register: Where the table of leases is.
        entry: The lease.
        safe_until: Reading of ``clocks.always`` until which nobody can have taken the days over.
        clocks: The clocks.
    """

    def __init__(self, register: Register, entry: LeaseEntry, safe_until: float, clocks: Clocks) -> None:
        self.entry = entry
        self.token, self.first, self.last = entry.token, entry.first, entry.last
        self._register = register
        self._clocks = clocks
        self._safe_until = safe_until
        self._latest: tuple[LeaseTable, str] | None = None
        self._lost: str | None = None
        self._asking = threading.Lock()

    def require(self) -> None:
        """Return if the lease is held; the store is asked only when the lease may have expired."""
        if self._lost is None and self._clocks.always() < self._safe_until:
            return
        with self._asking:
            if self._lost is None and self._clocks.always() < self._safe_until:
                return  # renewed while this thread waited
            self._renew()

    def confirm(self) -> None:
        """Return if the lease is held according to the store."""
        with self._asking:
            self._renew()

    def release(self, expiry: Expiry) -> None:
        """Give the days back, and remove leases that have expired since ``expiry`` first saw them.

        Raises:
            LeasesUnreachableError: If the store does not answer; the lease expires by itself.
        """
        with self._asking:
            self._lost = self._lost or f"{self.entry.first} to {self.entry.last}: the lease was released"
            for _ in range(_MOST_CONFLICTS):
                asked_at = self._clocks.awake()
                table, version = read_table(self._register)
                gone = expiry.expired_of(table.leases, asked_at, self._clocks.awake()) | {self.entry.identity}
                if not any(one.identity in gone for one in table.leases):
                    return
                if self._register.replace(table.without(gone).text(), version) is not None:
                    return

    def _renew(self) -> None:
        if self._lost is not None:
            raise LeaseLostError(self._lost)
        for _ in range(_MOST_CONFLICTS):
            table, version = self._latest or read_table(self._register)
            if table.find(self.entry.identity) is None:
                self._lost = _loss(self.entry, table)
                raise LeaseLostError(self._lost)
            sent_at = self._clocks.always()
            renewed = table.renewing(self.entry.identity)
            version_after = self._register.replace(renewed.text(), version)
            if version_after is not None:
                self._latest = renewed, version_after
                self._safe_until = sent_at + SAFE_SHARE * self.entry.seconds
                return
            self._latest = None
        raise LeasesUnreachableError(f"{self._register.place}: replaced by others at each of {_MOST_CONFLICTS} tries")


class JoinedLease:
    """A lease that another process holds and renews: that of the run for which a worker computes.

    Nobody tells the worker when the lease was renewed, so that it asks the store each time.

    Args:
        register: Where the table of leases is.
        entry: The lease.
    """

    def __init__(self, register: Register, entry: LeaseEntry) -> None:
        self.entry = entry
        self.token, self.first, self.last = entry.token, entry.first, entry.last
        self._register = register

    def require(self) -> None:
        """Return if the lease is held according to the store."""
        table, _ = read_table(self._register)
        if table.find(self.entry.identity) is None:
            raise LeaseLostError(_loss(self.entry, table))

    def confirm(self) -> None:
        """Return if the lease is held according to the store."""
        self.require()


def read_table(register: Register) -> tuple[LeaseTable, str]:
    """Return the table of leases and its version.

    Raises:
        LeasesUnreachableError: If the store does not answer, or holds something else.
    """
    content, version = register.read()
    try:
        return LeaseTable.parse(content), version
    except ValueError as error:
        raise LeasesUnreachableError(
            f"{register.place}: {error}; if no run is at work on this lake, remove it, and it is made anew"
        ) from error


def _loss(entry: LeaseEntry, table: LeaseTable) -> str:
    later = [one for one in table.overlapping(entry.first, entry.last) if one.token > entry.token]
    who = f"{later[0].holder}, has taken them over" if later else "another run has worked on them"
    return (
        f"{entry.first} to {entry.last}: the lease of this run on these days has expired, and {who} (this process or "
        f"its machine stood still for more than {entry.seconds:g} s); the refused partition keeps the other run's "
        "content; run again to compute what is missing"
    )
