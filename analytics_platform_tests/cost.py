"""What a call costs, for tests that bound how cost grows with the input."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def least_seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """Return the processor seconds of this thread for a call: the least of several.

    Garbage collection is off meanwhile: it walks every object that earlier tests left, which made a linear function
    look five times as costly as it is.
    """
    least = float("inf")
    gc.collect()
    gc.disable()
    try:
        for _ in range(repeats):
            begin = time.thread_time()
            call()
            least = min(least, time.thread_time() - begin)
    finally:
        gc.enable()
    return least
