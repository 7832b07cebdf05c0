"""The measures of drift: what they are for equal, shuffled and different conversations."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.insights.quality.drift import count_labels, distance, find_changes
from analytics_platform_tests.sizes import by_day_or_night

COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12).filter(
    lambda pairs: all(sum(side) > 0 for side in zip(*pairs, strict=True))
)


def conversations(topics: list[str], confidence: float = 0.6, spread: float = 0.1) -> pa.Table:
    values = confidence + spread * np.random.default_rng(1).normal(size=len(topics))
    return pa.table({"primary_topic": topics, "intent": topics, "confidence": np.clip(values, 0, 1)})


@given(COUNTS)
def test_distance_is_symmetric_and_within_bounds_and_nought_for_equal_shares(pairs: list[tuple[int, int]]) -> None:
    now, before = np.array(pairs).T
    assert 0 <= distance(now, before) <= 1
    assert distance(now, before) == pytest.approx(distance(before, now))
    assert distance(now, 3 * now) == pytest.approx(0, abs=1e-7)


def test_distance_is_one_where_no_label_is_shared_and_known_between() -> None:
    assert distance(np.array([5, 0]), np.array([0, 9])) == pytest.approx(1)
    half = 0.5 * math.log2(1 / 0.75) + 0.5 * (0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(0.5 / 0.25))
    assert distance(np.array([2, 0]), np.array([1, 1])) == pytest.approx(math.sqrt(half))


@settings(max_examples=by_day_or_night(20, 200))
@given(st.randoms(use_true_random=False))
def test_the_order_of_conversations_does_not_matter(random: object) -> None:
    topics = ["a"] * 40 + ["b"] * 30 + ["c"] * 5
    mixed = topics.copy()
    random.shuffle(mixed)  # type: ignore[attr-defined]
    before = conversations(["a"] * 60 + ["b"] * 20)
    one, other = (find_changes(conversations(order), before) for order in (topics, mixed))
    assert one[:2] == other[:2]


def test_conversations_of_one_kind_do_not_drift() -> None:
    random = np.random.default_rng(0)
    warned = 0
    for _ in range(100):
        now, before = (random.choice(["a", "b", "c", "d"], size=size, p=[0.4, 0.3, 0.2, 0.1]) for size in (40, 400))
        warned += any(change.drifted for change in find_changes(conversations(list(now)), conversations(list(before))))
    assert warned <= 1  # chance of each: 1 in 1,000


def test_other_labels_drift_and_confidence_does_not() -> None:
    now, before = conversations(["a"] * 20 + ["b"] * 30), conversations(["a"] * 260 + ["b"] * 40)
    topic, intent, confidence = find_changes(now, before)
    assert (topic.drifted, intent.drifted, confidence.drifted) == (True, True, False)
    assert str(topic).startswith("shares of primary_topic differ by 0.")


def test_a_large_difference_of_few_and_a_small_one_of_many_are_no_drift() -> None:
    few = find_changes(conversations(["a", "b", "b"]), conversations(["a"] * 3 + ["b"]))[0]
    many = find_changes(conversations(["a"] * 52_000 + ["b"] * 48_000), conversations(["a", "b"] * 50_000))[0]
    assert (few.size > few.limit, few.drifted) == (True, False)
    assert (many.chance < 0.001, many.drifted) == (True, False)


@pytest.mark.parametrize(("confidence", "spread", "drifted"), [(0.5, 0.1, True), (0.59, 0.1, False), (0.5, 0.0, True)])
def test_confidence_drifts_by_its_mean(confidence: float, spread: float, drifted: bool) -> None:
    now, before = conversations(["a"] * 60, confidence, spread), conversations(["a"] * 300, 0.6, spread)
    change = find_changes(now, before)[2]
    assert change.size == pytest.approx(confidence - 0.6, abs=0.02)
    assert change.drifted is drifted


def with_confidence(values: list[float]) -> pa.Table:
    return pa.table({"primary_topic": ["a"] * len(values), "intent": ["b"] * len(values), "confidence": values})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("now", "before", "chance", "drifted"),
    [
        ([0.5] * 30, [0.0] * 13 + [1.0] * 17, 0.47, False),  # the half is within what the others scatter by
        ([0.0] * 13 + [1.0] * 17, [0.5] * 30, 0.47, False),
        ([0.5] * 30, [0.59, 0.61] * 15, 0.0, True),
        ([0.1] * 60, [0.1] * 31, 1.0, False),  # whose means differ by rounding
        ([0.1] * 60, [0.2] * 60, 0.0, True),
    ],
)
def test_confidence_that_is_the_same_for_all_of_a_side_is_weighed_by_what_the_other_scatters(
    now: list[float], before: list[float], chance: float, drifted: bool
) -> None:
    change = find_changes(with_confidence(now), with_confidence(before))[2]
    assert (round(change.chance, 2), change.drifted) == (chance, drifted)


def test_labels_are_counted_on_both_sides() -> None:
    names, counts = count_labels(pa.chunked_array([["b", "a"], ["b"]]), pa.chunked_array([["c"]]))
    assert names == ["a", "b", "c"]
    assert counts.tolist() == [[1, 2, 0], [0, 0, 1]]
