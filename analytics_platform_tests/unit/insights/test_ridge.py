"""Ridge regression beside the equations it solves, and beside refits without one text."""

from __future__ import annotations

import numpy as np
import pytest

from analytics_platform.insights.heads.ridge import fit_ridge

RIDGE = 0.3


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel of 12 texts and what should be predicted of them."""
    random = np.random.default_rng(0)
    features = random.normal(size=(12, 5))
    return (features @ features.T).astype(np.float32), random.normal(size=(12, 2)).astype(np.float32)


def test_weights_solve_the_regularised_equations() -> None:
    kernel, wanted = problem()
    weights, _ = fit_ridge(kernel.copy(), RIDGE, wanted)
    np.testing.assert_allclose((kernel + RIDGE * np.eye(12)) @ weights, wanted, atol=1e-3)


def test_a_text_left_out_is_predicted_as_by_a_fit_without_it() -> None:
    kernel, wanted = problem()
    _, left_out = fit_ridge(kernel.copy(), RIDGE, wanted)
    for row in range(12):
        others = np.arange(12) != row
        weights, _ = fit_ridge(kernel[np.ix_(others, others)], RIDGE, wanted[others])
        np.testing.assert_allclose(left_out[row], kernel[row, others] @ weights, atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_kernel_that_is_not_finite_is_refused(value: float) -> None:
    """LAPACK factorises such a kernel without complaint, and every weight is then wrong."""
    kernel = np.eye(30, dtype=np.float32)
    kernel[2, 2] = value
    with pytest.raises(ValueError, match="infs or NaNs"):
        fit_ridge(kernel, 0.1, np.ones((30, 2), np.float32))
