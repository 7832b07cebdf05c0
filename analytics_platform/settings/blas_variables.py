"""The variable by which BLAS learns its number of threads when it is loaded; later limits do not reach every thread."""

from __future__ import annotations

import os


def use_one_blas_thread() -> None:
    """Give BLAS one thread in this process and its children, unless the environment says otherwise.

    Blocks of days run side by side, so more threads would only wait for each other. And sums of products differ in
    their last digits with the number of threads: the same labels on every machine need one number. A limit that is set
    later, in another thread than the main one, has no effect on OpenBLAS 0.3.31.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
