"""Who computes the blocks of a run beside its own process, by the settings."""

from __future__ import annotations

import os
from collections.abc import Callable

from analytics_platform.defs.executors.dask_cluster import DaskCluster
from analytics_platform.defs.executors.process_pool import LocalProcesses
from analytics_platform.settings.loader import Settings
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.work.orders import Delegate


def delegate_of(settings: Settings, lake: Callable[[], Lake]) -> Delegate | None:
    """Return who computes blocks for a run; None if the run's process computes all.

    A GPU is used by one process.

    Args:
        settings: The settings.
        lake: Returns the lake of this process.
    """
    if settings.executor == "dask":
        return DaskCluster(settings.dask_scheduler or "", lake)
    processes = settings.workers or os.cpu_count() or 1
    if settings.executor == "threads" or processes == 1 or settings.engine == "gpu":
        return None
    return LocalProcesses(settings, processes, lake)
