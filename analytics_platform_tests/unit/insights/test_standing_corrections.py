"""A label that a person gave a conversation is the conversation's label, whatever else speaks."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.learning.standing_corrections import NO_CORRECTIONS, standing_corrections
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.model import find_violations
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS

NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
EVERY_KIND = {
    "topic": "audio", "intent": "complain", "sentiment": "negative", "urgency": "critical", "resolution": "unresolved",
}  # fmt: skip


def correction(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "feedback_id": name, "origin": "file", "conversation_id": "c0", "kind": "topic", "label": "audio",
        "author": "ann", "corrected_at": NOON, **changes,
    }  # fmt: skip


def test_the_latest_valid_correction_of_a_conversation_and_kind_holds() -> None:
    later = NOON + dt.timedelta(hours=1)
    standing = standing_corrections(
        [
            correction("a", corrected_at=later, label="networking"),
            correction("b"),
            correction("c", corrected_at=later + dt.timedelta(1), label="nonsense"),
            correction("d", message_id="m1"),
            correction("e", conversation_id="c1", kind="resolution", label="resolved"),
            correction("f", corrected_at="soon"),
        ],
        load_taxonomy(),
    )
    assert [tuple(row.values()) for row in standing.labels.to_pylist()] == [
        ("c0", "topic", "networking"), ("c1", "resolution", "resolved"),
    ]  # fmt: skip
    assert standing.problem.startswith(
        "2 corrections cannot be used (c: label is no topic of the taxonomy; f: corrected_at is no time)"
    )


@pytest.mark.parametrize("place", ["c.csv", "nocodb"])
def test_the_later_of_two_rows_without_times_holds(place: str) -> None:
    """Row 9 beat row 10, because the ids were compared as texts."""
    rows = [correction(f"{place}:{row}", label=label) for row, label in ((9, "audio"), (10, "networking"))]
    for ordered in (rows, rows[::-1]):
        assert standing_corrections(ordered, load_taxonomy()).labels["label"].to_pylist() == ["networking"]


def test_the_version_is_of_the_labels_of_the_conversations_alone() -> None:
    """A correction of one conversation must make no other day stale."""
    rows = [correction("a"), correction("b", conversation_id="c1")]
    standing = standing_corrections(rows, load_taxonomy())
    mine, others = (standing.of(pa.chunked_array([[name]])) for name in ("c0", "c9"))
    again = standing_corrections([correction("x", author="bob", corrected_at=NOON.isoformat())], load_taxonomy())
    assert mine.version == again.version != standing.version
    assert others.version == NO_CORRECTIONS.version == ""


@pytest.mark.slow
@pytest.mark.parametrize("conversation", ["howto", "silent"])
def test_a_correction_of_every_kind_is_what_stands_and_says_so(messages: pa.Table, conversation: str) -> None:
    """Corrections of sentiment, urgency and resolution changed nothing, and those of topics and intents taught only."""
    engine = build_engine()
    embeddings = engine.embed_messages(messages)
    labelled = engine.label_messages(messages, embeddings)
    ids = sorted(set(messages["conversation_id"].to_pylist()))
    resolved = pa.table({"conversation_id": ids, "resolved": [True] * len(ids)})
    rows = [
        correction(kind, conversation_id=conversation, kind=kind, label=label) for kind, label in EVERY_KIND.items()
    ]
    standing = standing_corrections(rows, load_taxonomy())
    plain = engine.label_conversations(messages, embeddings, labelled, resolved)
    table = engine.label_conversations(messages, embeddings, labelled, resolved, corrected=standing.by_kind)
    assert find_violations(CONVERSATION_INSIGHTS, table) == []
    before, after = ({row["conversation_id"]: row for row in made.to_pylist()} for made in (plain, table))
    row = after.pop(conversation)
    assert before.pop(conversation) != row
    assert after == before
    assert (row["topics"], row["primary_topic"]) == ([{"label": "audio", "confidence": 1.0}], "audio")
    names = ("intent", "sentiment", "urgency", "resolution")
    assert [row[name] for name in names] == ["complain", -1.0, "critical", "unresolved"]
    assert {row[f"{name}_confidence"] for name in names} | {row["confidence"]} == {1.0}
    told = [(reason["kind"], reason["label"], reason["rule"]) for reason in row["reasons"]]
    expected = [(kind, label, "corrected by a person") for kind, label in EVERY_KIND.items()]
    assert told == (expected if conversation != "silent" else [])  # no message with text to name


@pytest.mark.slow
def test_a_correction_goes_before_the_answer_of_an_llm(messages: pa.Table) -> None:
    engine = build_engine()
    embeddings = engine.embed_messages(messages)
    labelled = engine.label_messages(messages, embeddings)
    own = engine.label_conversations(messages, embeddings, labelled)
    by_llm = {
        "primary_topic": "networking", "topics": [{"label": "networking", "confidence": 0.9}], "intent": "thank",
        "sentiment": 1.0, "urgency": "low", "resolution": "resolved", "reasons": [],
    }  # fmt: skip
    answers = pa.Table.from_pylist([{**row, **by_llm} for row in own.to_pylist()], own.schema)
    standing = standing_corrections([correction("a", conversation_id="howto")], load_taxonomy())
    table = engine.label_conversations(
        messages, embeddings, labelled, answers=answers, corrected=standing.by_kind
    ).to_pylist()
    row = next(row for row in table if row["conversation_id"] == "howto")
    assert (row["primary_topic"], row["topics"]) == ("audio", [{"label": "audio", "confidence": 1.0}])
    assert (row["intent"], row["tier"]) == ("thank", "llm")
    assert [reason["rule"] for reason in row["reasons"]] == ["corrected by a person"]
