from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.insights.heads.stacking import Calibration, Stack
from analytics_platform.insights.quality.evaluate import expected_calibration_error
from analytics_platform.insights.tiers.tier import choose

ROWS, LABELS = 4000, 5


def fit(scores: list[np.ndarray], codes: np.ndarray) -> Stack:
    return Stack.fit(scores, codes, [1.0] * len(scores), [100.0] * len(scores))


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    return np.random.default_rng(0).integers(LABELS, size=ROWS)


def scores(codes: np.ndarray, strength: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(len(codes), LABELS))
    return (noise + strength * np.eye(LABELS)[codes]).astype(np.float32)


def test_the_better_expert_counts_more_and_both_together_are_better_than_either(codes: np.ndarray) -> None:
    good, poor = scores(codes, 2.0, 1), scores(codes, 1.0, 2)
    stack = fit([good, poor], codes)
    assert stack.weights[0] > stack.weights[1] > 0
    together = (stack.predict([good, poor]).argmax(axis=1) == codes).mean()
    assert together > max((score.argmax(axis=1) == codes).mean() for score in (good, poor))


def test_an_expert_that_knows_nothing_counts_nothing(codes: np.ndarray) -> None:
    stack = fit([scores(codes, 2.0, 1), scores(codes, 0.0, 2)], codes)
    assert stack.weights[1] < 0.1


def test_a_stacks_confidence_can_be_believed(codes: np.ndarray) -> None:
    score = scores(codes, 2.0, 1)
    answers = fit([score], codes).predict([score])
    assert expected_calibration_error(answers.max(axis=1), answers.argmax(axis=1) == codes) < 0.02


def test_an_expert_counts_no_more_than_its_largest_weight(codes: np.ndarray) -> None:
    """Examples contain a label's keywords more often than other texts do."""
    keywords, other = scores(codes, 6.0, 1), scores(codes, 1.0, 2)
    assert Stack.fit([keywords, other], codes, [1.0, 1.0], [2.0, 100.0]).weights[0] == pytest.approx(2.0)


def test_hardly_any_texts_leave_the_usual_weights(codes: np.ndarray) -> None:
    few = [scores(codes[:2], 2.0, 1), scores(codes[:2], 2.0, 2)]
    np.testing.assert_allclose(Stack.fit(few, codes[:2], [1.0, 13.0], [100.0] * 2).weights, [1.0, 13.0], rtol=0.5)


@pytest.mark.parametrize("outside", [None, 0])
@pytest.mark.parametrize("temperature", [0.3, 3.0])
def test_calibration_mends_confidence_and_changes_no_label(
    codes: np.ndarray, temperature: float, outside: int | None
) -> None:
    score = scores(codes, 2.0, 1)
    true = fit([score], codes)
    wrong = Stack(true.weights * temperature).predict([score])
    mended = Calibration.fit(wrong, codes, np.ones(ROWS), outside).apply(wrong)
    chosen = choose(wrong, outside)
    np.testing.assert_array_equal(choose(mended, outside), chosen)
    np.testing.assert_allclose(mended.sum(axis=1), 1)
    assert mended.min() >= 0
    right, rows = chosen == codes, np.arange(ROWS)
    assert expected_calibration_error(wrong[rows, chosen], right) > 0.08
    assert expected_calibration_error(mended[rows, chosen], right) < 0.02


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.tuples(st.floats(0, 10), st.floats(0, 10), st.floats(-20, 20)),
    st.tuples(st.floats(0, 10), st.floats(0, 10), st.floats(-20, 20)),
    st.booleans(),
)
def test_no_calibration_curve_changes_a_label(
    seed: int, labels: int, inside: tuple[float, ...], outside: tuple[float, ...], closing: bool
) -> None:
    """Confidence that was lowered to an even split, or below the bar of ``other``, gave a text another label."""
    answers = np.random.default_rng(seed).dirichlet(np.full(labels, 0.7), size=50)
    column = labels - 1 if closing else None
    mended = Calibration((np.array(inside), np.array(outside)), column).apply(answers)
    np.testing.assert_array_equal(choose(mended, column), choose(answers, column))
    np.testing.assert_allclose(mended.sum(axis=1), 1)
    assert mended.min() >= 0


def test_calibration_on_hardly_any_answers_stays_near_what_was_said() -> None:
    answers = np.array([[0.8, 0.2], [0.3, 0.7]])
    np.testing.assert_allclose(
        Calibration.fit(answers, np.array([0, 1]), np.ones(2), None).apply(answers), answers, atol=0.1
    )
