"""Workers of a Dask cluster, each with the settings of its own machine.

A run sends the names of partitions and what it decided about them; the workers read and write the lake themselves.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from analytics_platform.defs.executors.deliveries import accepted, leased
from analytics_platform.errors import UserError
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.work.orders import Delivered, Order, Stored

if TYPE_CHECKING:  # a worker imports it when it starts; the process of the run does without
    from analytics_platform.defs.executors.workbench import Workbench

CONNECT_SECONDS = 20.0
"""Longest time to find the scheduler; Dask's setting ``distributed.comm.timeouts.connect`` may shorten it."""
_WORKING = threading.Lock()
_benches: list[Workbench] = []
"""The workbench of a process of the cluster, once it has one."""


class DaskError(UserError):
    """The Dask cluster cannot be used; the message names its address and the way out."""


class DaskCluster:
    """Passes orders to the workers of a Dask scheduler.

    Args:
        address: Address of the scheduler, such as ``tcp://scheduler:8786``.
        lake: Returns the lake of this process.
    """

    least_rows = 1

    def __init__(self, address: str, lake: Callable[[], Lake]) -> None:
        self._address = address
        self._lake = lake
        self._connecting = threading.Lock()
        self._connected: Any = None

    @property
    def _client(self) -> Any:
        with self._connecting:
            if isinstance(self._connected, DaskError):
                raise self._connected  # a run would wait for the scheduler once for each of its tables
            if self._connected is None:
                try:
                    self._connected = self._connect()
                except DaskError as error:
                    self._connected = error
                    raise
            return self._connected

    def _connect(self) -> Any:
        try:
            client = importlib.import_module("distributed").Client
            seconds = min(CONNECT_SECONDS, _dask_connect_seconds())
        except ImportError:
            raise DaskError(
                "ANALYTICS_EXECUTOR=dask needs the package distributed: pip install 'analytics-platform[dask]'"
            ) from None
        try:
            return client(self._address, timeout=seconds, set_as_default=False)
        except (OSError, ValueError) as error:  # a scheduler that does not answer raises a TimeoutError, an OSError
            raise DaskError(
                f"ANALYTICS_DASK_SCHEDULER: {self._address} does not answer as a Dask scheduler within "
                f"{seconds:.0f} s ({type(error).__name__}); start one, or unset ANALYTICS_EXECUTOR"
            ) from None  # the run reports the cause of an error, and this one says less

    @property
    def width(self) -> int:
        """Number of threads of all workers, and at least one: a cluster without workers waits for the first.

        Raises:
            DaskError: If the scheduler does not answer.
        """
        threads: Mapping[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def start(self) -> None:
        """Do nothing: the cluster's workers run already."""

    def deliver(self, order: Order) -> Mapping[str, Stored]:
        """Have a worker compute an order; Dask gives the order of a worker that died to another one.

        Raises:
            DaskError: If the scheduler does not answer.
        """
        future: Any = self._client.submit(_work, leased(order, self._lake()), pure=False)
        try:
            delivery = future.result()
        except Exception as error:  # noqa: BLE001  (of any kind: this process computes the order, and raises its errors)
            delivery = Delivered(declined=f"{type(error).__name__}: {error}")
        return accepted(order, delivery, self._lake())

    def close(self) -> None:
        """Leave the cluster; its workers go on."""
        if self._connected is not None and not isinstance(self._connected, DaskError):
            self._connected.close()
        self._connected = None


def _dask_connect_seconds() -> float:
    """Return Dask's own limit, 30 s unless a user of Dask has set another."""
    limit = importlib.import_module("dask.config").get("distributed.comm.timeouts.connect")
    return float(importlib.import_module("dask.utils").parse_timedelta(limit))


def _work(order: Order) -> Delivered:
    """Compute an order in a process of the cluster, which makes its workbench at its first order."""
    from analytics_platform.defs.executors.workbench import Workbench  # noqa: PLC0415  (only workers need it)
    from analytics_platform.defs.resources.platform import Platform  # noqa: PLC0415  (see above)

    with _WORKING:
        if not _benches:
            _benches.append(Workbench(Platform(load_settings(), stages=False)))
    return _benches[0].work(order)
