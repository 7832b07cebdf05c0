"""Kernel ridge regression in its dual form, with exact leave-one-out predictions."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, get_lapack_funcs

from analytics_platform.insights.tiers.tier import Singles


def fit_ridge(kernel: Singles, ridge: float, wanted: Singles) -> tuple[Singles, Singles]:
    """Return the weight of each text, and the leave-one-out prediction for each text.

    The predictions are exact and need no second fit: the error of a text that is left out is its weight divided by the
    diagonal of the inverse. The kernel is overwritten; no second matrix of its size is made.

    Args:
        kernel: Kernel values of the texts; symmetric, shape (texts, texts).
        ridge: Regularisation strength.
        wanted: Targets; shape (texts, outputs).

    Returns:
        Weights and predictions, both of shape (texts, outputs).

    Raises:
        LinAlgError: If the kernel is not positive definite.
        ValueError: If the kernel contains a value that is not finite.
    """
    if not np.isfinite(kernel.sum()):  # SciPy's own check makes a mask of the kernel's size
        raise ValueError(f"the kernel of {len(kernel):,} texts must not contain infs or NaNs")
    kernel[np.diag_indices_from(kernel)] += ridge
    factorise, invert = get_lapack_funcs(("potrf", "potri"), (kernel,))
    factor, failed = factorise(kernel.T, lower=False, overwrite_a=True, clean=False)
    if failed:
        raise LinAlgError(f"potrf: the kernel of {len(kernel):,} texts is not positive definite ({failed})")
    weights = np.asarray(cho_solve((factor, False), wanted, check_finite=False), np.float32)
    inverse, failed = invert(factor, lower=False, overwrite_c=True)
    if failed:
        raise LinAlgError(f"potri: the kernel of {len(kernel):,} texts cannot be inverted ({failed})")
    return weights, np.asarray(wanted - weights / np.diag(inverse)[:, None], np.float32)
