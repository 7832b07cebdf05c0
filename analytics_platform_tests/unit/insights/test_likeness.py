"""What labels are learnt from, and what would be said of a text that was not learnt from."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from analytics_platform.insights.encoders.encoder import static_encoder, unit
from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.heads.likeness import Lessons, all_lessons, labels_of, slice_rows
from analytics_platform.insights.taxonomies.taxonomy import Label, load_taxonomy
from analytics_platform.insights.tiers.examples import shipped_slice
from analytics_platform.insights.tiers.static import StaticTier
from analytics_platform.insights.tiers.tier import Documents

pytestmark = pytest.mark.slow  # fits models


@pytest.fixture(scope="module")
def topics() -> Lessons:
    return all_lessons(static_encoder().encode, load_taxonomy())["topic"]


@pytest.mark.parametrize("place", [-1, -7, -400])
def test_a_text_left_out_is_answered_as_if_it_had_never_been_there(topics: Lessons, place: int) -> None:
    kept = np.arange(len(topics.weights)) != len(topics.weights) + place
    without = replace(topics, vectors=topics.vectors[kept], targets=topics.targets[kept], weights=topics.weights[kept])
    weights, bias = without.fit()
    np.testing.assert_allclose(topics.left_out()[place], topics.vectors[place] @ weights + bias, atol=1e-9)


def test_heads_are_judged_by_the_slice_where_it_is_of_the_taxonomy(topics: Lessons) -> None:
    rows = slice_rows(load_taxonomy().topics, "topic")
    assert set(shipped_slice()["kind"].take(rows).to_pylist()) == {"topic"}
    assert topics.judged.tolist() == list(range(len(topics.weights) - len(rows), len(topics.weights)))
    assert topics.texts == [said[0]["text"] for said in shipped_slice()["messages"].take(rows).to_pylist()]
    names = [label.label for label in load_taxonomy().topics]
    assert [[*names, "other"][code] for code in topics.codes] == shipped_slice()["label"].take(rows).to_pylist()


def test_heads_of_another_taxonomy_are_judged_by_its_own_examples() -> None:
    content = load_taxonomy()
    few = content.model_copy(update={"topics": content.topics[:3]})
    lessons = all_lessons(static_encoder().encode, few)["topic"]
    wanted = [(text, code) for code, label in enumerate(few.topics) for text in (label.description, *label.examples)]
    assert list(zip(lessons.texts, lessons.codes.tolist(), strict=True)) == wanted
    assert len(slice_rows(few.topics, "topic")) == 0
    assert StaticTier(static_encoder(), few).classify_unseen("topic").shape == (len(wanted), 4)


def test_texts_that_were_not_learnt_from_are_answered_less_well_than_those_that_were() -> None:
    content, encoder = load_taxonomy(), static_encoder()
    tier = StaticTier(encoder, content)
    for kind, lessons in all_lessons(encoder.encode, content).items():
        documents = Documents.of_single(lessons.texts, split_words(lessons.texts), encoder.encode(lessons.texts))
        learnt, unseen = tier.classify(kind, documents).confidence, tier.classify_unseen(kind)
        np.testing.assert_allclose(unseen.sum(axis=1), 1)
        right = [(answer.argmax(axis=1) == lessons.codes).mean() for answer in (learnt, unseen)]
        assert 0.7 < right[1] < right[0]
    assert set(labels_of(content)) == {"topic", "intent"}


def test_learning_many_labels_takes_no_matrix_of_documents_times_labels() -> None:
    """Ten thousand labels with six examples each took 4.8 GB before anything was fitted."""
    labels = [Label(label=f"l{number}", description=f"thing {number}", examples=("a", "b")) for number in range(3_000)]

    def encode(texts: Sequence[str]) -> np.ndarray:
        return unit(np.random.default_rng(0).standard_normal((len(texts), 8)))

    tracemalloc.start()
    try:
        weights, bias = Lessons.of(encode, labels, "topic").fit()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert weights.shape == (8, 3_001)
    assert bias.shape == (3_001,)
    assert peak < 9_000 * 3_000 * 8 / 4
