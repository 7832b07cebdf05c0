"""Ridge regression by its dual, with what it would have said of each text had it not seen that text.

Belongs here: the one system of equations that ``experts`` and ``student`` both solve. Does not belong here: kernels.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from analytics_platform.insights.tier import Singles


def fit_ridge(kernel: Singles, ridge: float, wanted: Singles) -> tuple[Singles, Singles]:
    """Return the weight of each text, and the prediction for each text by the other texts alone.

    The second is exact and costs no second fit: the error at a text left out is its weight over the diagonal of the
    inverse. Needs memory twice the size of the kernel, which is overwritten.

    Args:
        kernel: Likeness of the texts; symmetric, shape (texts, texts).
        ridge: Pull of the weights towards zero.
        wanted: What should be predicted; shape (texts, outputs).

    Returns:
        Both of shape (texts, outputs).
    """
    kernel[np.diag_indices_from(kernel)] += ridge
    identity = np.eye(len(kernel), dtype=np.float32, order="F")
    inverse = cho_solve(cho_factor(kernel.T, overwrite_a=True), identity, overwrite_b=True)  # both in place
    weights = np.asarray(inverse @ wanted, np.float32)
    return weights, np.asarray(wanted - weights / np.diag(inverse)[:, None], np.float32)
