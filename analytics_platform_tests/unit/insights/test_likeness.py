"""What labels are learnt from, and what would be said of a text that was not learnt from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest

from analytics_platform.insights.encoder import static_encoder
from analytics_platform.insights.examples import shipped_slice
from analytics_platform.insights.likeness import Lessons, all_lessons, labels_of, slice_rows, slice_texts
from analytics_platform.insights.static import StaticTier
from analytics_platform.insights.taxonomy import load_taxonomy
from analytics_platform.insights.tier import Documents
from analytics_platform.insights.words import split_words


@pytest.fixture(scope="module")
def topics() -> Lessons:
    return all_lessons(static_encoder().encode, load_taxonomy())["topic"]


@pytest.mark.parametrize("place", [-1, -7, -400])
def test_a_text_left_out_is_answered_as_if_it_had_never_been_there(topics: Lessons, place: int) -> None:
    kept = np.arange(len(topics.weights)) != len(topics.weights) + place
    without = replace(topics, vectors=topics.vectors[kept], targets=topics.targets[kept], weights=topics.weights[kept])
    weights, bias = without.fit()
    np.testing.assert_allclose(topics.left_out(400)[place], topics.vectors[place] @ weights + bias, atol=1e-9)


def test_the_slice_teaches_only_a_taxonomy_that_has_its_labels() -> None:
    content = load_taxonomy()
    rows = slice_rows(content.topics, "topic")
    assert set(shipped_slice()["kind"].take(rows).to_pylist()) == {"topic"}
    assert len(slice_rows(content.topics[:3], "topic")) == 0
    assert slice_texts(content.topics[:3], "topic") == []


def test_texts_that_were_not_learnt_from_are_answered_less_well_than_those_that_were() -> None:
    content, encoder = load_taxonomy(), static_encoder()
    tier = StaticTier(encoder, content)
    for kind, labels in labels_of(content).items():
        texts, rows = slice_texts(labels, kind), slice_rows(labels, kind)
        documents = Documents.of_single(texts, split_words(texts), encoder.encode(texts))
        learnt, unseen = tier.classify(kind, documents), tier.classify_unseen(kind)
        np.testing.assert_allclose(unseen.sum(axis=1), 1)
        codes = pc.index_in(shipped_slice()["label"].take(rows), value_set=pc.cast(list(learnt.labels), "string"))
        right = [(answer.argmax(axis=1) == codes.to_numpy()).mean() for answer in (learnt.confidence, unseen)]
        assert 0.7 < right[1] < right[0]
