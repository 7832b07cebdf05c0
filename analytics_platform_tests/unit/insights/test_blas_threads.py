from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack

import numpy as np
from threadpoolctl import ThreadpoolController

from analytics_platform.insights.encoders.blas_threads import one_blas_thread


def blas_threads() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()}


def test_overlapping_blocks_give_blas_its_threads_back_at_the_last_end() -> None:
    """Blocks that end in the order in which they began would restore the limit of the earlier one for ever."""
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = blas_threads()
        first, second = ExitStack(), ExitStack()
        first.enter_context(one_blas_thread())
        second.enter_context(one_blas_thread())
        first.close()
        assert blas_threads() == {1}
        second.close()
        assert blas_threads() == before


def test_blas_has_one_thread_in_every_thread_of_a_process_that_uses_the_platform() -> None:
    """Labels of a worker with one thread differed in their last digits from those of a run with two."""
    script = (
        "import analytics_platform, numpy, scipy.linalg, threading; from threadpoolctl import threadpool_info;"
        "show = lambda: print({one['num_threads'] for one in threadpool_info()});"
        "show(); thread = threading.Thread(target=show); thread.start(); thread.join()"
    )
    variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    ran = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["{1}", "{1}"]
