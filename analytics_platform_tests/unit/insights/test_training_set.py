"""Training sets of classifiers: which texts they hold, and what is said of a text that was not learnt from."""

from __future__ import annotations

import numpy as np
import pytest

from analytics_platform.insights.heads.experts import NeighbourExpert
from analytics_platform.insights.heads.linear import pool
from analytics_platform.insights.heads.training_set import (
    TrainingSet,
    labels_of,
    opening_examples,
    slice_examples,
    training_documents,
    training_sets_of,
)
from analytics_platform.insights.taxonomies.taxonomy import OTHER, Label, load_taxonomy
from analytics_platform.insights.tiers.examples import shipped_slice
from analytics_platform.insights.vectors.static_multilingual import static_encoder

CARD = Label(label="lost_card", description="a lost card", examples=("my card is lost", "my card is lost"))
HOURS = Label(label="hours", description="opening hours", examples=("when do you open",), keywords=("open*",))


def test_the_shipped_slice_is_learnt_from_where_it_is_of_the_taxonomy() -> None:
    rows = slice_examples(load_taxonomy().topics, "topic")
    wanted = shipped_slice().to_pylist()
    assert rows == [(row["messages"][0]["text"], row["label"]) for row in wanted if row["kind"] == "topic"]
    training_set = training_sets_of(load_taxonomy())["topic"]
    assert set(rows) <= set(zip(training_set.texts, training_set.taught_labels, strict=True))
    assert OTHER in training_set.taught_labels


def test_another_taxonomy_is_learnt_from_its_own_texts_alone() -> None:
    content = load_taxonomy()
    few = content.model_copy(update={"topics": content.topics[:3]})
    training_set = training_sets_of(few)["topic"]
    wanted = {
        (text, label.label)
        for label in few.topics
        for text in (f"{label.label.replace('_', ' ')}: {label.description}", *label.examples)
    }
    assert set(zip(training_set.texts, training_set.taught_labels, strict=True)) == wanted
    assert slice_examples(few.topics, "topic") == []
    assert [few.topics[code].label for code in training_set.codes] == training_set.taught_labels


def test_repeated_texts_count_once_and_descriptions_do_not_calibrate() -> None:
    """With copies among the training texts, a text that is left out would still be known."""
    training_set = TrainingSet.of_labels(
        [CARD, HOURS], OTHER, [("my card is lost", "lost_card", True), ("sing a song", OTHER, True)]
    )
    assert sorted(training_set.texts) == sorted(
        ["lost card: a lost card", "hours: opening hours", "my card is lost", "when do you open", "sing a song"]
    )
    about = [text for text, typical in zip(training_set.texts, training_set.typical, strict=True) if not typical]
    assert about == ["lost card: a lost card", "hours: opening hours"]
    assert training_set.codes[training_set.texts.index("sing a song")] == len(training_set.labels) == 2
    assert dict(training_set.keywords) == {"hours": ("open*",)}


def test_texts_of_a_file_and_texts_of_labels_may_fit_no_label() -> None:
    training_set = TrainingSet.of_texts(["a", "b", "a", "x" * 10_000], ["p", OTHER, "p", "q"], OTHER)
    assert (training_set.labels, training_set.texts, training_set.codes.tolist()) == (
        ("p", "q"),
        ["a", "b", "x" * 4_096],
        [0, 2, 1],
    )


@pytest.mark.slow
def test_texts_that_were_not_learnt_from_are_answered_less_well_than_those_that_were() -> None:
    content, encoder = load_taxonomy(), static_encoder()
    for training_set in training_sets_of(content).values():
        vectors = np.asarray(pool(training_documents(training_set.texts, encoder)), np.float32)
        expert = NeighbourExpert(10_000)
        votes = expert.fit(vectors, training_set.codes, len(training_set.labels), training_set.weights)
        inside = training_set.codes < len(training_set.labels)
        learnt, unseen = (
            (scores[inside].argmax(axis=1) == training_set.codes[inside]).mean()
            for scores in (expert.score(vectors)[0], votes.scores)
        )
        assert 0.7 < unseen < learnt
    assert set(labels_of(content)) == {"topic", "intent"}


def test_openings_teach_only_taxonomies_that_have_all_labels_of_their_pack() -> None:
    """Otherwise the same texts would move the labels of a taxonomy that a user wrote."""
    demo, general, both = (load_taxonomy(packs) for packs in (("demo",), ("general",), ("general", "llm_assistant")))
    assert opening_examples(demo.topics[1:], "topic") == []
    assert opening_examples(demo.intents[1:], "intent") == []
    of_demo, of_general, of_both = (set(opening_examples(one.topics, "topic")) for one in (demo, general, both))
    assert of_general < of_both
    assert {label for _, label, _ in of_demo} < {label.label for label in demo.topics}
    assert not of_demo & of_both


def test_openings_with_intents_of_a_larger_pack_teach_that_pack_alone() -> None:
    demo, general, assistant = (
        set(opening_examples(load_taxonomy((pack,)).intents, "intent")) for pack in ("demo", "general", "llm_assistant")
    )
    assert demo < general < assistant
    labels = {label for _, label, _ in general}
    assert "praise" in labels
    assert "refine_answer" not in labels
    assert "praise" not in {label for _, label, _ in demo}
