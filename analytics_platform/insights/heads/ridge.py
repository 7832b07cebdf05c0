"""Kernel ridge regression in its dual form, with exact predictions for documents, or labels, that are left out."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, get_lapack_funcs

from analytics_platform.insights.tiers.tier import Floats, Ints


def fit_ridge(kernel: np.ndarray, ridge: float | Floats, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of each document, and the leave-one-out prediction for each document.

    The predictions are exact and need no second fit: the error of a document that is left out is its weight divided by
    the diagonal of the inverse. The kernel is overwritten; no second matrix of its size is made.

    Args:
        kernel: Kernel values of the documents; symmetric, shape (documents, documents).
        ridge: Regularisation strength, one number or one per document.
        wanted: Targets; shape (documents, outputs).

    Returns:
        Weights and predictions, both of shape (documents, outputs).

    Raises:
        LinAlgError: If the kernel is not positive definite.
        ValueError: If the kernel contains a value that is not finite.
    """
    weights, inverse = _solve(kernel, ridge, wanted)
    return weights, np.asarray(wanted - weights / np.diag(inverse)[:, None])


def leave_groups_out(
    kernel: np.ndarray, ridge: float | Floats, wanted: np.ndarray, groups: Ints
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what ``fit_ridge`` does, and the prediction for each document without all documents of its group.

    The own column of a group's documents becomes the lowest of their other predictions, as nothing of the group is
    known. Documents of a group beyond the columns of ``wanted`` keep all columns.

    Args:
        kernel: As for ``fit_ridge``.
        ridge: As for ``fit_ridge``.
        wanted: As for ``fit_ridge``.
        groups: Group of each document, the column of ``wanted`` that is its own.

    Returns:
        Weights, leave-one-out predictions, leave-group-out predictions; each of shape (documents, outputs).
    """
    weights, inverse = _solve(kernel, ridge, wanted)
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    left_out = wanted - weights / np.diag(inverse)[:, None]
    without = np.array(wanted)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        block = inverse[np.ix_(rows, rows)]
        without[rows] = wanted[rows] - np.linalg.solve(block, weights[rows])
        if group < wanted.shape[1] > 1:
            without[rows, group] = np.delete(without[rows], group, axis=1).min(axis=1)
    return weights, np.asarray(left_out), without


def _solve(kernel: np.ndarray, ridge: float | Floats, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights and the upper triangle of the inverse of the regularised kernel."""
    if not np.isfinite(kernel.sum()):  # SciPy's own check makes a mask of the kernel's size
        raise ValueError(f"the kernel of {len(kernel):,} texts must not contain infs or NaNs")
    kernel[np.diag_indices_from(kernel)] += ridge
    factorise, invert = get_lapack_funcs(("potrf", "potri"), (kernel,))
    factor, failed = factorise(kernel.T, lower=False, overwrite_a=True, clean=False)
    if failed:
        raise LinAlgError(f"potrf: the kernel of {len(kernel):,} texts is not positive definite ({failed})")
    weights = np.asarray(cho_solve((factor, False), wanted, check_finite=False))
    inverse, failed = invert(factor, lower=False, overwrite_c=True)
    if failed:
        raise LinAlgError(f"potri: the kernel of {len(kernel):,} texts cannot be inverted ({failed})")
    return weights, inverse
