"""The cores that this process may use, and from when a second one pays."""

import os

DECODED_BY_THREADS = 20_000
"""Rows from which several threads decode a Parquet file. For fewer, starting them takes longer than they save."""


def usable_cores() -> int:
    """Return the number of cores that this process may use; fewer than the machine's where it is confined to some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
