"""What labelled texts and corrections teach about sentiment beside the shipped head."""

from __future__ import annotations

import numpy as np
import pytest

from analytics_platform.insights.heads.training_set import training_documents
from analytics_platform.insights.tiers.sentiment import load_sentiment
from analytics_platform.insights.tiers.taught_sentiment import TaughtSentiment
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, Floats
from analytics_platform.insights.vectors.static_multilingual import static_encoder

pytestmark = pytest.mark.slow  # fits models

LABELS = list(SENTIMENT_VALUES)
DRINKS = ("coffee", "tea", "juice", "cocoa", "water", "milk", "beer", "wine", "soda", "cider", "punch", "broth")
COLD = [(f"my {drink} came cold", "negative") for drink in DRINKS]
HOT = [(f"my {drink} came hot", "positive") for drink in DRINKS]
PLAIN = [f"where is the {thing}" for thing in ("station", "invoice", "button", "door", "menu", "printer")]


def sentiments(texts: list[str], labelled: list[tuple[str, str]]) -> tuple[Floats, Floats]:
    """Return probabilities before and after texts were taught."""
    encoder, shipped = static_encoder(), load_sentiment()
    documents = training_documents(texts, encoder)
    own = shipped.classify(documents).confidence
    return own, TaughtSentiment.fit(encoder, shipped, labelled, None).adjust(own, documents)


def test_labelled_texts_teach_what_the_shipped_head_does_not_know() -> None:
    """To the shipped head, hot and cold are neutral."""
    before, after = sentiments(["my latte came cold", "my latte came hot"], COLD + HOT)
    assert [LABELS[column] for column in before.argmax(axis=1)] == ["neutral", "neutral"]
    assert [LABELS[column] for column in after.argmax(axis=1)] == ["negative", "positive"]
    np.testing.assert_allclose(after.sum(axis=1), 1)


def test_complaints_alone_do_not_make_everything_negative() -> None:
    """A file of one label does not say how often the label occurs."""
    before, after = sentiments(PLAIN, COLD)
    assert (after.argmax(axis=1) == before.argmax(axis=1)).all()
    assert np.abs(after - before).max() < 0.2


def test_a_document_without_words_keeps_its_sentiment() -> None:
    before, after = sentiments(["", "  "], COLD + HOT)
    np.testing.assert_array_equal(before, after)


def test_a_text_that_is_taught_has_its_label() -> None:
    _, after = sentiments(["the parcel is here"], [("the parcel is here", "positive")])
    assert LABELS[int(after[0].argmax())] == "positive"


def test_the_sentiment_of_a_text_does_not_depend_on_the_other_texts() -> None:
    texts = [text for text, _ in COLD + HOT] + PLAIN
    together, alone = sentiments(texts, COLD + HOT)[1], [sentiments([text], COLD + HOT)[1][0] for text in texts[::7]]
    np.testing.assert_array_equal(together[::7], alone)
