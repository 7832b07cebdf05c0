"""Which texts go on to a dearer expert."""

from __future__ import annotations

import numpy as np
import pytest

from analytics_platform.insights.heads.routing import Route, pool_opinions, uncertainty


def test_a_route_takes_the_doubtful_texts_within_the_budget_where_the_next_expert_is_better() -> None:
    codes = np.zeros(1000, np.int64)
    sure = np.tile([0.95, 0.05], (900, 1))
    torn = np.tile([0.45, 0.55], (100, 1))
    before = np.concatenate([sure, torn])
    after = np.tile([0.9, 0.1], (1000, 1))
    route = Route.fit(before, after, codes, np.ones(1000), 0.2)
    assert route.share == pytest.approx(0.1)
    np.testing.assert_array_equal(route.select(before), np.arange(900, 1000))
    np.testing.assert_array_equal(route.take(before, after), np.concatenate([sure, after[900:]]))


def test_a_route_leads_nowhere_when_the_next_expert_is_no_better() -> None:
    answers = np.random.default_rng(0).dirichlet([1, 1], size=6_000)
    assert len(Route.fit(answers, answers, np.zeros(6_000, np.int64), np.ones(6_000), 0.5).select(answers)) == 0


def test_with_few_answers_the_costlier_expert_is_trusted_within_the_budget() -> None:
    """Fifty examples cannot measure a gain of a few thousandths, so the transformer was never asked."""
    answers = np.random.default_rng(0).dirichlet([1, 1], size=100)
    route = Route.fit(answers, answers, np.zeros(100, np.int64), np.ones(100), 0.2)
    assert 0 < len(route.select(answers)) <= 20


def test_doubt_is_the_second_labels_probability() -> None:
    np.testing.assert_allclose(uncertainty(np.array([[0.5, 0.4, 0.1], [0.2, 0.2, 0.6]])), [0.4, 0.2])


def test_opinions_are_pooled_by_their_weight() -> None:
    first, second = np.array([[0.8, 0.2]]), np.array([[0.2, 0.8]])
    np.testing.assert_allclose(pool_opinions(first, second, (0.5, 0.5)), [[0.5, 0.5]])
    np.testing.assert_allclose(pool_opinions(first, second, (1.0, 0.0)), first)
    surer = pool_opinions(first, first, (0.8, 0.4))
    np.testing.assert_allclose(surer[:, 0] / surer[:, 1], 4**1.2)
    np.testing.assert_allclose(surer.sum(axis=1), 1)


def test_texts_whose_label_is_certain_are_not_sent_on() -> None:
    """With few examples the whole budget was used, on texts whose second label had a probability of 0.00002."""
    second = np.linspace(1e-6, 1e-5, 100)
    answers = np.column_stack([1 - second, second])
    assert len(Route.fit(answers, answers, np.zeros(100, np.int64), np.ones(100), 0.2).select(answers)) == 0
