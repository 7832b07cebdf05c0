"""Ridge regression beside the equations it solves, and beside refits without one text or one label's texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.insights.heads.ridge import fit_ridge, leave_groups_out

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


@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 20),
    st.integers(1, 5),
    st.integers(0, 2),
)
def test_what_is_left_out_is_predicted_as_by_a_fit_without_it(seed: int, texts: int, labels: int, outside: int) -> None:
    """A text beside copies, or labels, that remain is known better than an unseen one, and confidence is too high."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(texts, 4))
    kernel, ridge = np.exp(-((features[:, None] - features) ** 2).sum(axis=2)), random.uniform(0.1, 2.0, texts)
    groups = random.integers(labels + (outside > 0), size=texts)
    wanted = np.eye(labels + 1, labels)[groups]
    weights, left_out, without = leave_groups_out(kernel.copy(), ridge, wanted, groups)

    def refit(kept: np.ndarray) -> np.ndarray:
        """Return the predictions of all texts by a fit on some."""
        return kernel[:, kept] @ np.linalg.solve(kernel[np.ix_(kept, kept)] + np.diag(ridge[kept]), wanted[kept])

    np.testing.assert_allclose(kernel @ weights, refit(np.ones(texts, np.bool_)), atol=1e-8)
    for row in range(texts):
        np.testing.assert_allclose(left_out[row], refit(np.arange(texts) != row)[row], atol=1e-8)
        refitted = refit(groups != groups[row])[row]
        others = np.arange(labels) != groups[row]
        np.testing.assert_allclose(without[row, others], refitted[others], atol=1e-8)
        if labels > 1 and groups[row] < labels:
            assert without[row, groups[row]] == without[row, others].min()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_kernel_that_is_not_finite_is_refused(value: float) -> None:
    """LAPACK factorises such a kernel without complaint, and every weight is then wrong."""
    kernel = np.eye(30, dtype=np.float32)
    kernel[2, 2] = value
    with pytest.raises(ValueError, match="infs or NaNs"):
        fit_ridge(kernel, 0.1, np.ones((30, 2), np.float32))
