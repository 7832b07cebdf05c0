"""Corrections become lessons or gold labels, models are files, and a worse model is told from an equal one."""

from __future__ import annotations

import csv
import datetime as dt
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import numpy as np
import orjson
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.insights.heads import training_sample
from analytics_platform.insights.heads.label_model import LabelModel, make_model
from analytics_platform.insights.heads.training_set import LabelledVectors, labels_of
from analytics_platform.insights.quality.feedback import (
    as_examples,
    draw_examples,
    find_said,
    judge_feedback,
    taught_by,
)
from analytics_platform.insights.quality.promotion_gate import evaluate_model, why_worse
from analytics_platform.insights.taxonomies.taxonomy import OTHER, load_taxonomy
from analytics_platform.insights.tiers.examples import GOLD_PATH, SLICE_PATH, as_messages, shipped_gold, shipped_slice
from analytics_platform.insights.tiers.tier import Classified
from analytics_platform.insights.tiers.transformer_tier import TransformerTier
from analytics_platform.insights.vectors.multilingual_transformer import MULTILINGUAL_DIMENSIONS
from analytics_platform.model import find_violations
from analytics_platform.model.tables.insight_tables import EMBEDDING_DIMENSIONS
from analytics_platform.model.tables.learning_tables import GOLD_LABELS, LABEL_FEEDBACK, MODEL_EVALUATION

pytestmark = pytest.mark.slow  # fits models

NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
GOLD_CSV = Path(__file__).parents[3] / "training" / "labels" / "gold.csv"
HELD_OUT, TAUGHT = "c2", "c0"  # by their hashes


def day(*ids: str) -> pa.Table:
    rows = [
        {"conversation_id": name, "message_id": f"{name}-{n}", "position": n, "role": role, "text": text}
        for name in ids
        for n, (role, text) in enumerate([("user", "my printer jams"), ("agent", "is there paper in it?")])
    ]
    return pa.Table.from_pylist(rows)


def correction(name: str, **changes: object) -> dict[str, object]:
    return {
        "feedback_id": name, "conversation_id": TAUGHT, "kind": "topic", "label": "networking", "author": "ann",
        "corrected_at": NOON, **changes,
    }  # fmt: skip


def judged(*rows: dict[str, object], gold: frozenset[tuple[str, str]] = frozenset()) -> dict[str, dict[str, object]]:
    said = find_said(rows, [day(TAUGHT), day(HELD_OUT)])
    table = judge_feedback(rows, load_taxonomy(), said, gold)
    assert find_violations(LABEL_FEEDBACK, table) == []
    return {row["feedback_id"]: row for row in table.to_pylist()}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "mood"}, "kind is none of intent, resolution, sentiment, topic, urgency"),
        ({"label": "printers"}, "label is no topic of the taxonomy"),
        ({"label": None}, "label is no topic of the taxonomy"),
        ({"corrected_at": "0001-01-01T00:00:00+05:00"}, "corrected_at is no time"),
        ({"conversation_id": "nobody"}, "conversation is not known"),
        ({"message_id": "nothing"}, "message is not known"),
        ({"message_id": f"{HELD_OUT}-0"}, "message is not of that conversation"),
        ({"conversation_id": " "}, "neither conversation_id nor message_id"),
        ({"corrected_at": "yesterday"}, "corrected_at is no time"),
        ({"author": ""}, "author is missing"),
    ],
)
def test_a_correction_that_cannot_be_used_is_kept_with_the_reason(changes, reason):
    row = judged(correction("a", **changes))["a"]
    assert (row["status"], row["reason"]) == ("quarantined", reason)


def test_the_latest_usable_correction_of_an_item_counts():
    later = NOON + dt.timedelta(hours=1)
    rows = judged(
        correction("new", corrected_at=later.isoformat(), label="audio"),
        correction("old"),
        correction("bad", corrected_at=later + dt.timedelta(1), label="nonsense"),
        correction("intent", kind="intent", label="complain"),
    )
    assert {name: row["status"] for name, row in rows.items()} == {
        "new": "training", "old": "superseded", "bad": "quarantined", "intent": "training",
    }  # fmt: skip


def test_a_correction_of_sentiment_teaches_or_judges_as_topics_do():
    rows = judged(
        correction("held", conversation_id=HELD_OUT, kind="sentiment", label="negative"),
        correction("free", kind="sentiment", label="negative"),
        correction("old", kind="sentiment", label="positive", corrected_at=NOON - dt.timedelta(hours=1)),
    )
    assert {name: row["status"] for name, row in rows.items()} == {
        "held": "gold", "free": "training", "old": "superseded",
    }  # fmt: skip


def test_a_message_is_an_item_of_its_own_and_says_what_it_says():
    row = judged(correction("a", conversation_id=None, message_id=f"{TAUGHT}-1"))["a"]
    assert (row["status"], row["messages"]) == ("training", [{"role": "user", "text": "is there paper in it?"}])


def test_some_conversations_and_those_with_shipped_gold_labels_are_never_learnt_from():
    rows = judged(
        correction("a", conversation_id=HELD_OUT),
        correction("b", conversation_id=HELD_OUT, kind="intent", label="thank"),
    )
    assert {row["status"] for row in rows.values()} == {"gold"}
    assert judged(correction("a"), gold=frozenset([(TAUGHT, "intent")]))["a"]["status"] == "gold"


def test_a_shipped_gold_label_counts_before_corrections_of_its_kind():
    rows = judged(
        correction("a"),
        correction("b", kind="intent", label="thank"),
        correction("c", message_id=f"{TAUGHT}-0"),
        gold=frozenset([(TAUGHT, "topic")]),
    )
    assert {name: row["status"] for name, row in rows.items()} == {"a": "superseded", "b": "gold", "c": "gold"}


def test_messages_of_one_id_in_two_conversations_are_two_items():
    """A correction of message 1 of one conversation changed the label of message 1 of another conversation."""
    rows = day(TAUGHT, "c9").to_pylist()
    for row in rows:
        row["message_id"] = str(row["position"])
        row["text"] = f"{row['conversation_id']} {row['position']}"
    given = [
        correction("a", message_id="0"),
        correction("b", conversation_id="c9", message_id="0"),
        correction("c", conversation_id=None, message_id="0"),
        correction("d", conversation_id="c8", message_id="0"),
    ]
    found = judge_feedback(given, load_taxonomy(), find_said(given, [pa.Table.from_pylist(rows)]), ()).to_pylist()
    judged_rows = {row["feedback_id"]: row for row in found}
    texts = {name: [line["text"] for line in row["messages"]] for name, row in judged_rows.items()}
    assert texts == {"a": [f"{TAUGHT} 0"], "b": ["c9 0"], "c": [], "d": []}
    assert {name: row["reason"] for name, row in judged_rows.items()} == {
        "a": None,
        "b": None,
        "c": "message_id is in several conversations, and conversation_id is missing",
        "d": "message is not of that conversation",
    }


def test_a_conversation_and_a_message_of_the_same_id_are_two_items():
    days = [day(TAUGHT, "c9")]
    rows = days[0].to_pylist()
    rows[2]["message_id"] = TAUGHT  # of the other conversation
    rows[2]["text"] = "i want a refund"
    given = [correction("a"), correction("b", conversation_id=None, message_id=TAUGHT, label="payment_problem")]
    said = find_said(given, [pa.Table.from_pylist(rows)])
    table = judge_feedback(given, load_taxonomy(), said, ())
    texts = {row["feedback_id"]: [line["text"] for line in row["messages"]] for row in table.to_pylist()}
    assert texts == {"a": ["my printer jams", "is there paper in it?"], "b": ["i want a refund"]}
    examples = as_examples(table, "training")
    assert len(set(examples["item"].to_pylist())) == examples.num_rows


def test_a_model_is_judged_by_the_labels_that_it_would_give():
    """The gate compared the most probable labels, among them an improbable ``other`` that the engine does not give."""
    answer = Classified(("audio", "networking", OTHER), np.array([[0.3, 0.28, 0.32]] * 2))
    engine = SimpleNamespace(
        conversation_documents=lambda _: (pa.array(["c0", "c1"]), {"topic": None}),
        tier=SimpleNamespace(classify=lambda *_: answer),
        version="e",
        taxonomy=load_taxonomy(),
    )
    gold = many(2, 30).set_column(1, "kind", [["topic"] * 2]).set_column(2, "label", [["audio", OTHER]])
    model = make_model(build_engine().encoder, load_taxonomy())
    (row,) = evaluate_model(engine, model, GOLD_LABELS.conform(gold), NOON).to_pylist()
    assert [one["answer"] for one in row["outcomes"]] == ["audio", "audio"]
    assert [one["confidence"] for one in row["outcomes"]] == pytest.approx([0.3, 0.3])
    assert row["accuracy"] == 0.5


def test_corrections_change_the_label_where_they_apply():
    engine, rows = build_engine(), [correction(str(n), conversation_id=f"c{n}") for n in range(40)]
    feedback = judge_feedback(rows, engine.taxonomy, find_said(rows, [day(*(f"c{n}" for n in range(40)))]), ())
    examples = as_examples(feedback, "training")
    assert 20 < examples.num_rows < 40
    taught = taught_by(engine, examples)
    assert taught["topic"].read is None  # the tier static has no transformer
    assert taught["topic"].vectors.shape == (examples.num_rows, 2 * EMBEDDING_DIMENSIONS)
    model = make_model(engine.encoder, engine.taxonomy, taught)
    gold = as_examples(feedback, "gold")
    before, after = (
        evaluate_model(
            build_engine(model=one), make_model(engine.encoder, engine.taxonomy) if one is None else one, gold, NOON
        )
        for one in (None, model)
    )
    assert (before["accuracy"].to_pylist(), after["accuracy"].to_pylist()) == ([0.0], [1.0])
    assert engine.version != build_engine(model=model).version


def test_a_model_is_a_file_that_says_what_it_fits():
    engine = build_engine()
    vectors = np.eye(2 * EMBEDDING_DIMENSIONS)[:1]
    model = make_model(engine.encoder, engine.taxonomy, {"intent": LabelledVectors(vectors, [OTHER], np.ones(1))})
    again = make_model(engine.encoder, engine.taxonomy, {"intent": LabelledVectors(vectors, [OTHER], np.ones(1))})
    assert model.content == again.content
    assert (model.corrections, model.taxonomy_version) == (1, engine.taxonomy.version)
    stored = LabelModel(bytes(model.content))
    assert stored.fits(engine.taxonomy, engine.encoder.name)
    (intents,) = stored.taught().values()
    np.testing.assert_array_equal(intents.vectors, vectors)
    assert (intents.labels, intents.weights.tolist(), intents.read) == ([OTHER], [1.0], None)
    other = engine.taxonomy.model_copy(update={"topics": engine.taxonomy.topics[:3]})
    assert not stored.fits(other, engine.encoder.name)


def test_a_few_corrections_of_urgency_are_learnt_from_and_change_no_other_conversation():
    engine = build_engine()
    rows = [correction("a", kind="urgency", label="low")]
    feedback = judge_feedback(rows, engine.taxonomy, find_said(rows, [day(TAUGHT)]), ())
    training = as_examples(feedback, "training")
    taught = taught_by(engine, training)
    assert (training.num_rows, list(taught), taught["urgency"].rules) == (1, ["urgency"], ["nothing_urgent"])
    messages = as_messages(as_examples(feedback, "training"))
    labels = [
        one.judge_outcomes(messages)["urgency"].answer.confidence.tolist()
        for one in (engine, build_engine(model=make_model(engine.encoder, engine.taxonomy, taught)))
    ]
    assert labels[0] == labels[1]


def test_a_correction_of_sentiment_changes_what_resembles_it_and_nothing_else():
    engine = build_engine()
    rows = [correction("a", kind="sentiment", label="positive")]
    feedback = judge_feedback(rows, engine.taxonomy, find_said(rows, [day(TAUGHT)]), ())
    taught = taught_by(engine, as_examples(feedback, "training"))
    assert list(taught) == ["sentiment"]
    learnt = build_engine(model=make_model(engine.encoder, engine.taxonomy, taught))
    texts = ["my printer jams", "thanks, that was a wonderful help", "how do I install a driver for my camera"]
    before, after = (one.classify_texts("sentiment", texts).confidence for one in (engine, learnt))
    labels = engine.classify_texts("sentiment", texts[:1]).labels
    assert labels[before[0].argmax()] != "positive"
    assert labels[after[0].argmax()] == "positive"
    np.testing.assert_allclose(after[1:], before[1:], atol=0.15)
    assert (after[1:].argmax(axis=1) == before[1:].argmax(axis=1)).all()


class Axes:
    """Stands for a transformer: each text is a direction of its own."""

    name = "axes/1"
    device: Literal["cpu", "gpu"] = "cpu"
    english_encoder = None

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        directions = np.array([zlib.crc32(text.encode()) % MULTILINGUAL_DIMENSIONS for text in texts], np.int64)
        return np.eye(MULTILINGUAL_DIMENSIONS, dtype=np.float32)[directions]


def test_a_model_keeps_what_a_transformer_read_for_that_transformer_alone():
    engine = build_engine()
    said = np.eye(MULTILINGUAL_DIMENSIONS, dtype=np.float32)[:1]
    taught = LabelledVectors(
        np.eye(2 * EMBEDDING_DIMENSIONS)[:1], [engine.taxonomy.topics[0].label], np.full(1, 50.0), said
    )
    model = make_model(engine.encoder, engine.taxonomy, {"topic": taught}, Axes())
    np.testing.assert_array_equal(model.taught(Axes().name)["topic"].read, said)
    np.testing.assert_array_equal(model.taught("axes/1+of english/1")["topic"].read, said)  # before there was that one
    for name in ("axes/2", "axes/11", None):
        assert model.taught(name)["topic"].read is None
    untaught = make_model(engine.encoder, engine.taxonomy)
    assert (untaught.taught(Axes().name), untaught.corrections) == ({}, 0)


def test_a_model_of_an_earlier_format_is_not_used():
    """Every run failed at the promoted model of an earlier version, which holds weights instead of documents."""
    engine = build_engine()
    facts = {"taxonomy_version": engine.taxonomy.version, "encoder": engine.encoder.name, "corrections": 3}
    weights = {"topic.weights": np.zeros((256, 2), np.float32)}
    earlier = LabelModel(save(weights, metadata={"model": orjson.dumps(facts).decode()}))
    assert not earlier.fits(engine.taxonomy, engine.encoder.name)


def test_no_model_holds_what_was_written():
    """A text that is deleted at the source would stay in the model."""
    engine, rows = build_engine(), [correction(str(n), conversation_id=f"c{n}") for n in range(12)]
    said = find_said(rows, [day(*(f"c{n}" for n in range(12)))])
    examples = as_examples(judge_feedback(rows, engine.taxonomy, said, ()), "training")
    content = make_model(engine.encoder, engine.taxonomy, taught_by(engine, examples)).content
    assert b"networking" in content
    for word in (b"printer", b"jams", b"paper", b"ann"):
        assert word not in content


def evaluation(model: str, answers: str) -> pa.Table:
    outcomes = [{"item": str(n), "truth": "x", "answer": answer, "confidence": 0.5} for n, answer in enumerate(answers)]
    share = answers.count("x") / len(answers)
    row = {
        "evaluated_at": NOON, "model_id": model, "kind": "topic", "gold_version": "g", "engine_version": "e",
        "taxonomy_version": "t", "corrections": 0, "items": len(answers), "accuracy": share, "macro_f1": share,
        "ece": 0.1, "outcomes": outcomes,
    }  # fmt: skip
    return MODEL_EVALUATION.from_rows([row])


@pytest.mark.parametrize(
    ("answers", "worse"),
    [
        ("x" * 30, False),
        ("o" + "x" * 29, False),  # one item is chance
        ("oo" + "x" * 28, True),
        ("oo" + "x" * 18 + "x" * 10, True),
        ("x" * 20, False),
    ],
)
def test_a_model_is_worse_when_it_loses_more_than_chance_explains(answers, worse):
    history = pa.concat_tables([evaluation("new", answers), evaluation("old", "x" * len(answers))])
    assert bool(why_worse(history, "g", "new", ["old", "old"])) is worse


def test_with_hardly_any_gold_labels_nothing_is_promoted():
    history = pa.concat_tables([evaluation("new", "xxx"), evaluation("old", "ooo")])
    (problem,) = why_worse(history, "g", "new", ["old"])
    assert problem.startswith("only 3 gold labels to judge by, fewer than 20: correct more conversations")


def test_the_shipped_labels_are_of_the_taxonomy_and_those_of_the_reader_are_as_written():
    gold, content = shipped_gold(), load_taxonomy()
    known = {kind: {OTHER, *(label.label for label in labels)} for kind, labels in labels_of(content).items()}
    for table in (gold, shipped_slice()):
        pairs = zip(table["kind"].to_pylist(), table["label"].to_pylist(), strict=True)
        assert all(label in known[kind] for kind, label in pairs)
    with GOLD_CSV.open(encoding="utf-8") as file:
        written = {
            (row["conversation_id"], kind, row[kind])
            for row in csv.DictReader(file) for kind in known if row[kind]
        }  # fmt: skip
    names = ("item", "kind", "label")
    assert {tuple(row[name] for name in names) for row in gold.select(names).to_pylist()} == written
    assert find_violations(GOLD_LABELS, gold) == []
    assert SLICE_PATH.stat().st_size + GOLD_PATH.stat().st_size < 500_000


def test_what_was_said_becomes_messages_once_per_item():
    messages = as_messages(shipped_gold())
    assert len(set(messages["message_id"].to_pylist())) == messages.num_rows
    assert set(messages["conversation_id"].to_pylist()) == set(shipped_gold()["item"].to_pylist())


def many(count: int, characters: int) -> pa.Table:
    """Return examples: one conversation each of that many characters, nine in ten of one topic."""
    return GOLD_LABELS.from_rows(
        [
            {
                "item": f"c{number}",
                "kind": "topic",
                "label": "networking" if number % 10 else "hardware",
                "messages": [{"role": "user", "text": f"my printer {number} jams ".ljust(characters, "x")}],
                "source": "feedback",
            }
            for number in range(count)
        ]
    )


def test_corrections_within_the_bounds_are_all_learnt_from():
    examples = many(1_000, 1_000)
    assert draw_examples(examples) == (examples, "")
    assert draw_examples(examples.slice(0, 0))[1] == ""


@pytest.mark.parametrize(("count", "characters", "most"), [(3_000, 4_000, 400), (30_000, 40, 10_000)])
def test_too_many_corrections_are_a_stated_choice_with_each_labels_share(count, characters, most):
    """Training in the tiers that read had no bound: 30,000 corrections took hours."""
    examples = many(count, characters)
    chosen, told = draw_examples(examples)
    assert chosen == draw_examples(examples)[0]
    assert chosen.num_rows == most
    assert chosen["label"].to_pylist().count("hardware") == most // 10
    assert told.startswith(f"{most:,} of {count:,} corrections, ")


def test_a_transformer_is_taught_by_no_more_corrections_than_the_bound(monkeypatch):
    """The bound was of no use where training did not ask for it."""
    monkeypatch.setattr(training_sample, "_MOST_TEXTS", 20)
    engine = build_engine()
    reads = TransformerTier(engine.tier, engine.encoder, engine.taxonomy, Axes(), everywhere=True)
    taught = taught_by(InsightEngine(reads, engine.encoder, engine.taxonomy, "cpu"), many(40, 30))
    assert taught["topic"].read is not None
    assert len(taught["topic"].labels) == len(taught["topic"].read) == 20
    assert len(taught_by(engine, many(40, 30))["topic"].labels) == 40
