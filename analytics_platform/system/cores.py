"""The cores that this process may use."""

import os


def usable_cores() -> int:
    """Return the number of cores that this process may use; fewer than the machine's where it is confined to some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
