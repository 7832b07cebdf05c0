"""Worker processes on this machine: the interpreter lock lets the threads of one process use little more than a core.

A process takes seconds to start and holds its own engine, so it is started only for runs with rows enough.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from analytics_platform.defs.executors.deliveries import accepted, leased
from analytics_platform.settings.loader import Settings
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.work.orders import Delivered, Order, Stored
from analytics_platform.system import lifeline

if TYPE_CHECKING:  # a worker imports it when it starts; the process of the run does without
    from analytics_platform.defs.executors.workbench import Workbench

logger = logging.getLogger(__name__)

LEAST_ROWS = 60_000
"""Rows to compute from which processes are worth the seconds of their start."""


class LocalProcesses:
    """Passes orders to worker processes, which start at ``start`` or at the first order, and end with this process.

    Args:
        settings: The settings of the workers.
        processes: Number of workers.
        lake: Returns the lake of this process.
        least_rows: Number of rows from which the workers are started.
    """

    def __init__(
        self, settings: Settings, processes: int, lake: Callable[[], Lake], *, least_rows: int = LEAST_ROWS
    ) -> None:
        self.least_rows = least_rows
        self._settings = settings
        self._processes = processes
        self._lake = lake
        self._broken = False

    @property
    def width(self) -> int:
        """Number of worker processes."""
        return self._processes

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        # Not forked: threads of Arrow, BLAS and S3 do not survive in a copy of a process.
        return ProcessPoolExecutor(
            self._processes, multiprocessing.get_context("spawn"), initializer=_start, initargs=(self._settings,)
        )

    def start(self) -> None:
        """Start the workers unless they run; they import what they need while this process goes on."""
        if "_pool" in self.__dict__:
            return
        # An order meets the same error, and this process then computes the partitions of the order.
        with contextlib.suppress(OSError, BrokenProcessPool):
            for _ in range(self._processes):  # the pool starts a process for each task that finds none without work
                self._pool.submit(_nothing)

    def deliver(self, order: Order) -> Mapping[str, Stored]:
        """Have a worker compute an order; nothing is delivered once a worker has died."""
        if self._broken:
            return {}
        try:
            delivery = self._pool.submit(_work, leased(order, self._lake())).result()
        except BrokenProcessPool:
            if not self._broken:
                logger.warning("a worker process died, so this process computes what is left")
            self._broken = True
            return {}
        except Exception as error:  # noqa: BLE001  (of any kind: this process computes the order, and raises its errors)
            delivery = Delivered(declined=f"{type(error).__name__}: {error}")
        return accepted(order, delivery, self._lake())

    def close(self) -> None:
        """End the workers."""
        if "_pool" in self.__dict__:
            self._pool.shutdown(wait=not self._broken, cancel_futures=True)
            del self._pool


_bench: Workbench | None = None


def _start(settings: Settings) -> None:
    """Prepare a worker process."""
    from analytics_platform.defs.executors.workbench import Workbench  # noqa: PLC0415  (only workers need it)
    from analytics_platform.defs.resources.platform import Platform  # noqa: PLC0415  (see above)

    global _bench
    lifeline.end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the run's process acts
    logging.disable(logging.WARNING)  # the run's process gives the same warnings
    pa.set_cpu_count(1)
    _bench = Workbench(Platform(settings, stages=False))


def _nothing() -> None:
    """Do nothing, in a worker process that thereby starts."""


def _work(order: Order) -> Delivered:
    assert _bench is not None
    return _bench.work(order)
