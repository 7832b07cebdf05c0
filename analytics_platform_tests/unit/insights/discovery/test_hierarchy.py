"""Identifiers of topics: which founding texts they depend on, and that no two are equal."""

from __future__ import annotations

import numpy as np

from analytics_platform.insights.discovery.hierarchy import topic_ids


def keys(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint64)


def test_a_text_more_or_less_changes_no_identifier_but_for_the_smallest() -> None:
    assert topic_ids([keys(5, 7, 9)]) == topic_ids([keys(9, 5)]) == topic_ids([keys(5)])
    assert topic_ids([keys(5, 7)]) != topic_ids([keys(7)])


def test_an_identifier_that_is_taken_is_passed_over() -> None:
    taken = topic_ids([keys(5)])
    assert topic_ids([keys(5, 7)], taken) == topic_ids([keys(7)])
    first, second = topic_ids([keys(5), keys(5, 7)])
    assert (first, second) == (*taken, *topic_ids([keys(7)]))
    several = topic_ids([keys(5)] * 4, taken)
    assert len({*several, *taken}) == 5
