"""Topics of an earlier call are continued: ids stay, and new topics are born only of enough unlike texts."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.insights.discovery.discover import Discovery
from analytics_platform.insights.discovery.topic_model import TopicModel, TopicModelError
from analytics_platform_tests.unit.insights.discovery.synthetic import found, ids, texts_of

EXAMPLES = 100 if os.environ.get("NIGHTLY") else 8
KINDS = 6
OLD = [text for kind in range(KINDS) for text in texts_of(kind, 30)]


@pytest.fixture(scope="module")
def first() -> Discovery:
    return found(OLD)


def stored(discovery: Discovery) -> TopicModel:
    return TopicModel.from_text(discovery.model.to_text())


def test_the_same_texts_keep_their_ids(first: Discovery) -> None:
    again = found(OLD, stored(first))

    assert ids(again) == ids(first)
    assert again.new == 0


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(st.integers(0, KINDS - 1), st.integers(100, 10_000)), min_size=1, max_size=30, unique=True))
def test_new_texts_of_known_kinds_change_no_id(first: Discovery, numbers) -> None:
    new = [texts_of(kind, 1, number)[0] for kind, number in numbers]

    later = found([*new, *OLD], stored(first))

    assert ids(later)[len(new) :] == ids(first)
    assert later.new == 0


def test_enough_texts_of_an_unknown_kind_become_one_topic(first: Discovery) -> None:
    unknown = texts_of(KINDS + 2, 30)

    later = found([*OLD, *unknown], stored(first))

    assert later.new == 1
    assert ids(later)[: len(OLD)] == ids(first)
    assert ids(later)[len(OLD) :].count(later.model.ids[-1]) >= 27
    assert later.model.ids[:-1] == first.model.ids
    assert "pizza" not in first.model.names[0]


def test_few_texts_of_an_unknown_kind_are_born_nowhere(first: Discovery) -> None:
    later = found([*OLD, *texts_of(KINDS + 2, 5)], stored(first))

    assert later.new == 0


def test_a_born_topic_stays_in_the_next_call(first: Discovery) -> None:
    unknown = texts_of(KINDS + 2, 30)
    second = found([*OLD, *unknown], stored(first))

    third = found([*OLD, *unknown, *texts_of(KINDS + 2, 10, 500)], stored(second))

    assert third.new == 0
    assert ids(third)[: len(OLD) + 30] == ids(second)


def test_one_text_that_is_repeated_is_born(first: Discovery) -> None:
    later = found([*OLD, *(texts_of(KINDS + 3, 1) * 12)], stored(first))

    assert later.new == 1


def test_topics_of_nothing_are_found_anew() -> None:
    empty = found(["parcel 1 a"])

    assert found(OLD, stored(empty)).new == len(found(OLD).model.ids)


def test_topics_of_another_encoder_are_refused(first: Discovery) -> None:
    other = replace(first.model, space=replace(first.model.space, encoder="another/1"))

    with pytest.raises(TopicModelError, match="another/1"):
        found(OLD, other)
