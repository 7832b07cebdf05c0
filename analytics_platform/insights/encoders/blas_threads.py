"""Products of matrices on one core each, while other threads use the other cores.

Threads of BLAS wait for each other busily. Experts that score in threads of their own did 5,000 texts a second with
two BLAS threads each, and 15,000 with one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import scipy.linalg  # noqa: F401  (its BLAS is another one than numpy's, and must be loaded to be limited)
from threadpoolctl import threadpool_limits

_LOCK = threading.Lock()
_LIMITS: list[Any] = []
"""The limit in force, once for each block that is running."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread in this process until the last such block ends, in whichever thread it runs.

    Sums of products differ in their last digits with the number of threads, so what is fitted or labelled within is
    the same on any number of cores. Libraries that are loaded within the outermost block are not limited.
    """
    with _LOCK:
        _LIMITS.append(_LIMITS[0] if _LIMITS else threadpool_limits(limits=1))
    try:
        yield
    finally:
        with _LOCK:
            limit = _LIMITS.pop()
            if not _LIMITS:
                limit.restore_original_limits()
