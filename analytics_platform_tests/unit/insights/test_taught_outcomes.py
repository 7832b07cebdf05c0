"""Labelled conversations teach urgency and resolution beside the rules, and only where they help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.heads.label_model import make_model
from analytics_platform.insights.heads.training_set import LabelledVectors
from analytics_platform.insights.quality.feedback import CORRECTION_WEIGHT, taught_by
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.insights.tiers.examples import EXAMPLES
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.verdicts.taught_outcomes import TaughtOutcome

LABELS, RULES = ("good", "bad"), ("first", "second")


def labelled(labels: Sequence[str], rules: Sequence[str], weight: float = 1.0) -> LabelledVectors:
    """Return conversations that the rules call ``good`` with a confidence of 0.7."""
    count = len(labels)
    vectors = np.random.default_rng(0).normal(size=(count, 512))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    answers = np.tile([0.7, 0.3], (count, 1))
    return LabelledVectors(vectors, labels, np.full(count, weight), rules=rules, answers=answers)


def fit(taught: LabelledVectors) -> TaughtOutcome | None:
    return TaughtOutcome.fit(static_encoder(), LABELS, RULES, taught)


def test_a_rule_means_what_it_means_to_the_company() -> None:
    taught = fit(labelled(["good"] * 20 + ["bad"] * 20, ["first"] * 20 + ["second"] * 20))
    assert taught is not None
    assert taught.counts.tolist() == [[20, 0], [0, 20]]


@pytest.mark.parametrize(
    "taught",
    [
        pytest.param(labelled(["bad"] * 19, ["second"] * 19), id="too few"),
        pytest.param(labelled(["bad"] * 40, ["second"] * 40, CORRECTION_WEIGHT), id="only what is wrong is corrected"),
        pytest.param(labelled(["good", "bad", "bad"] * 20, ["gone"] * 60), id="rules of another version"),
        pytest.param(labelled(["good"] * 7 + ["bad"] * 3 + ["good"] * 7 + ["bad"] * 3, ["first"] * 20), id="no better"),
    ],
)
def test_labelled_conversations_that_tell_nothing_new_change_nothing(taught: LabelledVectors) -> None:
    """Corrections of wrong labels alone made two labels in three of all conversations wrong."""
    assert fit(taught) is None


def test_corrections_that_also_confirm_teach() -> None:
    labels = ["good"] * 30 + ["bad"] * 20
    assert fit(labelled(labels, ["first"] * 30 + ["second"] * 20, CORRECTION_WEIGHT)) is not None


def test_a_model_teaches_the_engine_but_never_that_an_unanswered_question_is_resolved(
    build_messages: Callable[[Sequence[Any]], pa.Table],
) -> None:
    engine = build_engine(taxonomy_path=("general",))
    texts = {
        "unanswered": [("user", "where is my parcel {}?")],
        "advised": [("user", "my lamp {} flickers"), ("agent", "please try another bulb")],
    }
    rows = [
        {
            "item": f"{name}{number}",
            "kind": "resolution",
            "label": "resolved",
            "source": "training",
            "messages": [{"role": role, "text": text.format(number)} for role, text in said],
        }
        for name, said in texts.items()
        for number in range(30)
    ]
    model = make_model(engine.encoder, engine.taxonomy, taught_by(engine, EXAMPLES.from_rows(rows)))
    assert model.taught()["resolution"].rules == taught_by(engine, EXAMPLES.from_rows(rows))["resolution"].rules
    messages = build_messages([(name, role, text.format("x")) for name, said in texts.items() for role, text in said])
    found = []
    for one in (engine, build_engine(taxonomy_path=("general",), model=model)):
        embeddings = one.embed_messages(messages)
        labels = one.label_conversations(messages, embeddings, one.label_messages(messages, embeddings)).to_pylist()
        found.append({row["conversation_id"]: row for row in labels})
    plain, taught = found
    assert load_taxonomy(("general",)).version == model.taxonomy_version
    assert (plain["advised"]["resolution"], taught["advised"]["resolution"]) == ("unclear", "resolved")
    assert taught["unanswered"]["resolution"] == "unresolved"
    rules = [reason["rule"] for reason in taught["advised"]["reasons"] if reason["kind"] == "resolution"]
    assert rules == ["labelled_conversations"]
