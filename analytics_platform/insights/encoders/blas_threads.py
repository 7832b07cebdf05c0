"""Products of matrices on one core each, while other threads use the other cores.

Threads of BLAS wait for each other busily. Experts that score in threads of their own did 5,000 texts a second with
two BLAS threads each, and 15,000 with one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

_LOCK = threading.Lock()
_LIMITS: list[Any] = []
"""The limit in force, once for each block that is running."""


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread in this process until the last such block ends, in whichever thread it runs."""
    with _LOCK:
        _LIMITS.append(_LIMITS[0] if _LIMITS else _controller().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _LOCK:
            limit = _LIMITS.pop()
            if not _LIMITS:
                limit.restore_original_limits()
