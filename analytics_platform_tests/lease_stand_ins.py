"""Stand-ins for tests of leases: a register in memory, a clock that the test moves, and a holder that stands still."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

from analytics_platform.storage.leases.day_leases import DayLeases
from analytics_platform.storage.leases.held_lease import Clocks
from analytics_platform.storage.leases.registers import Register


class MemoryRegister:
    """A register that honours its versions, or, with a fault, one that does not."""

    place = "memory"

    def __init__(self, fault: str | None = None) -> None:
        self.content: bytes | None = None
        self.number = 0
        self.requests = 0
        self._fault = fault
        self._lock = threading.Lock()

    def read(self) -> tuple[bytes | None, str]:
        self.requests += 1
        with self._lock:
            return self.content, str(self.number)

    def replace(self, content: bytes, version: str) -> str | None:
        self.requests += 1
        with self._lock:
            if version != str(self.number):
                return None
            self.content, self.number = content, self.number + 1
            return str(self.number)

    def overwrite(self, content: bytes) -> None:
        with self._lock:
            self.content, self.number = content, self.number + 1

    def fault(self) -> str | None:
        return self._fault


class MovedClock:
    """Seconds that pass only when the test, or a wait, lets them pass."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.while_asleep: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.while_asleep()

    @property
    def clocks(self) -> Clocks:
        return Clocks(
            awake=lambda: self.seconds,
            always=lambda: self.seconds,
            now=lambda: dt.datetime.fromtimestamp(self.seconds, dt.UTC),
            sleep=self.sleep,
        )


def leases_of_sleeper(register: Register, seconds: float) -> DayLeases:
    """Return the leases of a process that never renews, and whose clock has stopped, so that it trusts its leases.

    It stands for a process that was stopped after it asked whether its lease is held, and before it writes.
    """
    return DayLeases(register, seconds=seconds, clocks=Clocks(always=lambda: 0.0), renews=False)
