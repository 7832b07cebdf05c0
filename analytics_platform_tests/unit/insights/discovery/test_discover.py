"""Topics are found, and what makes them: order, repetition, few texts, names."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from analytics_platform.insights.discovery.topic_model import TopicModel, TopicModelError
from analytics_platform_tests.unit.insights.discovery.synthetic import encode, found, ids, texts_of

EXAMPLES = 100 if os.environ.get("NIGHTLY") else 8
KINDS = 6


@pytest.fixture(scope="module")
def kinds() -> tuple[list[str], list[int]]:
    texts = [text for kind in range(KINDS) for text in texts_of(kind, 30)]
    return texts, [kind for kind in range(KINDS) for _ in range(30)]


def test_clear_kinds_become_topics_without_their_number(kinds) -> None:
    texts, truth = kinds

    discovery = found(texts)

    assert len(discovery.model.ids) == KINDS
    assert adjusted_rand_score(truth, discovery.topics) > 0.95
    assert (discovery.topics < 0).mean() < 0.1


def test_a_topic_is_named_by_the_word_of_its_texts(kinds) -> None:
    texts, _ = kinds

    discovery = found(texts)

    named = {
        discovery.model.names[topic].split(",")[0].split(" ")[0] for topic in set(discovery.topics.tolist()) - {-1}
    }
    assert named == {"parcel", "refund", "password", "invoice", "newsletter", "flight"}


@pytest.mark.slow  # discovers topics twice
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_order_gives_the_same_ids_and_confidence(kinds, random) -> None:
    """Communities of a graph differ with the order of its nodes; texts are ordered by their hashes before."""
    texts, _ = kinds
    order = list(range(len(texts)))
    random.shuffle(order)

    plain, shuffled = found(texts), found([texts[place] for place in order])

    assert ids(shuffled) == [ids(plain)[place] for place in order]
    assert (shuffled.confidence == plain.confidence[order]).all()


def test_repeated_texts_have_one_topic_and_change_none(kinds) -> None:
    texts, _ = kinds

    once, often = found(texts), found([*texts, *texts[:40], texts[0]])

    assert ids(often)[: len(texts)] == ids(once)
    assert ids(often)[len(texts) :] == [*ids(once)[:40], ids(once)[0]]


def test_texts_without_words_fit_nowhere(kinds) -> None:
    texts, _ = kinds

    discovery = found([*texts, "", None, "!!!"])

    assert ids(discovery)[-3:] == [None, None, None]
    assert (discovery.confidence[-3:] == 0).all()


@pytest.mark.parametrize(("texts", "expected"), [(["parcel 1 a"], 0), (["parcel 1 a", "refund 1 a"], 0), ([""], 0)])
def test_few_texts_are_no_topic(texts: list[str], expected: int) -> None:
    assert len(found(texts).model.ids) == expected


def test_one_text_repeated_is_a_topic() -> None:
    """The vector of a lone text is zero after centring."""
    discovery = found(["parcel where is it"] * 10)

    assert ids(discovery) == [discovery.model.ids[0]] * 10


def test_a_stored_model_assigns_as_before(kinds) -> None:
    texts, _ = kinds
    discovery = found(texts)

    stored = TopicModel.from_text(discovery.model.to_text())

    space = stored.space.place(encode(texts).astype(np.float16))
    assert stored.assign(space).topics.tolist() == discovery.topics.tolist()
    assert stored.names == discovery.model.names


def test_a_damaged_model_is_refused(kinds) -> None:
    text = found(kinds[0]).model.to_text()

    with pytest.raises(TopicModelError, match="damaged"):
        TopicModel.from_text(text[: len(text) // 2])


def test_parents_group_topics(kinds) -> None:
    discovery = found(kinds[0])

    assert 1 <= len(set(discovery.model.parents)) <= KINDS // 2
    assert set(discovery.model.parents) == set(discovery.model.parent_names)
