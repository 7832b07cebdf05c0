"""Runs a measurement in a fresh process, so that its peak memory and its imports are its own."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any


def _run(task: Callable[..., int], arguments: tuple[Any, ...], warm_up: tuple[Any, ...] | None, results: Any) -> None:
    if warm_up is not None:
        task(*warm_up)
    wall, cpu = time.perf_counter(), time.process_time()
    rows = task(*arguments)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    results.put({"rows": rows, "seconds": wall, "cpu_seconds": cpu, "peak_mb": peak})


def measure(task: Callable[..., int], *arguments: Any, warm_up: tuple[Any, ...] | None = None) -> dict[str, float]:
    """Run a task in a fresh process.

    Args:
        task: Returns the number of rows that it read.
        arguments: Arguments of the task.
        warm_up: Arguments of a first call that counts for nothing but its memory, so that imports do not count.

    Returns:
        ``rows``, ``seconds``, ``cpu_seconds`` of all threads, and ``peak_mb`` of the process.

    Raises:
        RuntimeError: If the process ends without a result.
    """
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_run, args=(task, arguments, warm_up, results))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{task.__name__}{arguments}: ended with exit code {process.exitcode}")
    return results.get()


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure of several runs, rounded for reading."""
    found = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return {
        "rows": int(found["rows"]),
        "seconds": round(found["seconds"], 2),
        "cpu_seconds": round(found["cpu_seconds"], 2),
        "peak_mb": round(found["peak_mb"]),
    }
