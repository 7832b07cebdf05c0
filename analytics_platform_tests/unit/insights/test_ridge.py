"""Ridge regression beside the equations it solves, and beside refits without one text."""

from __future__ import annotations

import numpy as np

from analytics_platform.insights.ridge import fit_ridge

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
