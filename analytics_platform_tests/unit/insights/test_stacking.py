from __future__ import annotations

import numpy as np
import pytest

from analytics_platform.insights.heads.stacking import Calibration, Stack
from analytics_platform.insights.quality.evaluate import expected_calibration_error

ROWS, LABELS = 4000, 5


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    return np.random.default_rng(0).integers(LABELS, size=ROWS)


def scores(codes: np.ndarray, strength: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(len(codes), LABELS))
    return (noise + strength * np.eye(LABELS)[codes]).astype(np.float32)


def test_the_better_expert_counts_more_and_both_together_are_better_than_either(codes: np.ndarray) -> None:
    good, poor = scores(codes, 2.0, 1), scores(codes, 1.0, 2)
    stack = Stack.fit([good, poor], codes, np.ones(ROWS), None)
    assert stack.weights[0] > stack.weights[1] > 0
    together = (stack.predict([good, poor]).argmax(axis=1) == codes).mean()
    assert together > max((score.argmax(axis=1) == codes).mean() for score in (good, poor))


def test_an_expert_that_knows_nothing_counts_nothing(codes: np.ndarray) -> None:
    stack = Stack.fit([scores(codes, 2.0, 1), scores(codes, 0.0, 2)], codes, np.ones(ROWS), None)
    assert stack.weights[1] < 0.1


def test_a_stacks_confidence_can_be_believed(codes: np.ndarray) -> None:
    score = scores(codes, 2.0, 1)
    answers = Stack.fit([score], codes, np.ones(ROWS), None).predict([score])
    assert expected_calibration_error(answers.max(axis=1), answers.argmax(axis=1) == codes) < 0.02


def test_texts_out_of_scope_that_count_more_are_recognised_more_often(codes: np.ndarray) -> None:
    score = scores(codes, 1.5, 1)
    found = []
    for importance in (1.0, 10.0):
        weights = np.where(codes == 0, importance, 1.0)
        found.append((Stack.fit([score], codes, weights, 0).predict([score]).argmax(axis=1) == 0).mean())
    assert found[0] < found[1]


@pytest.mark.parametrize("outside", [None, 0])
@pytest.mark.parametrize("temperature", [0.3, 3.0])
def test_calibration_mends_confidence_and_changes_no_label(
    codes: np.ndarray, temperature: float, outside: int | None
) -> None:
    score = scores(codes, 2.0, 1)
    true = Stack.fit([score], codes, np.ones(ROWS), None)
    wrong = Stack(true.weights * temperature, None, (0.0, 0.0)).predict([score])
    mended = Calibration.fit(wrong, codes, np.ones(ROWS), outside).apply(wrong)
    np.testing.assert_array_equal(mended.argmax(axis=1), wrong.argmax(axis=1))
    np.testing.assert_allclose(mended.sum(axis=1), 1)
    assert mended.min() >= 0
    right = wrong.argmax(axis=1) == codes
    assert expected_calibration_error(wrong.max(axis=1), right) > 0.08
    assert expected_calibration_error(mended.max(axis=1), right) < 0.02


def test_calibration_on_hardly_any_answers_stays_near_what_was_said() -> None:
    answers = np.array([[0.8, 0.2], [0.3, 0.7]])
    np.testing.assert_allclose(
        Calibration.fit(answers, np.array([0, 1]), np.ones(2), None).apply(answers), answers, atol=0.1
    )
