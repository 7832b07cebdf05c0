"""An LLM's answers in the place of the engine's labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.insights.taxonomies.taxonomy import DEFAULT_PATH
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS
from analytics_platform.model.tables.llm_tables import LLM_INSIGHTS
from analytics_platform.model.validation import find_violations

pytestmark = pytest.mark.slow  # fits models

ANSWER = {
    "topics": [{"label": "networking", "confidence": 0.9}, {"label": "audio", "confidence": 0.4}],
    "primary_topic": "networking",
    "intent": "give_praise",
    "intent_confidence": 0.8,
    "sentiment": 0.25,
    "sentiment_confidence": 0.7,
    "urgency": "high",
    "urgency_confidence": 0.6,
    "resolution": "resolved",
    "resolution_confidence": 0.5,
    "confidence": 0.79,
    "tier": "llm",
    "was_cut": False,
    "model": "m",
    "prompt_version": "p",
}
SAYS = ["so", "it", "says"]
KINDS = ("topic", "intent", "sentiment", "urgency", "resolution")


def answers(messages: pa.Table, *conversations: str, **changes: Any) -> pa.Table:
    """The same answer for some conversations, with a reason for each kind of label."""
    date = messages["date"][0].as_py()
    rows = []
    for name in conversations:
        given = {"message_id": f"{name}-000", "words": SAYS, "weight": 0.5, "rule": None}
        reasons = [{"kind": kind, "label": "any", **given} for kind in KINDS]
        fixed = {"date": date, "conversation_id": name, "taxonomy_version": "v", "reasons": reasons}
        rows.append({**ANSWER, **fixed, **changes})
    return LLM_INSIGHTS.from_rows(rows)


def labelled(
    engine: InsightEngine, messages: pa.Table, llm: pa.Table | None = None, resolved: pa.Table | None = None
) -> dict[str, dict[str, Any]]:
    embeddings = engine.embed_messages(messages)
    insights = engine.label_messages(messages, embeddings)
    table = engine.label_conversations(messages, embeddings, insights, resolved, llm)
    assert find_violations(CONVERSATION_INSIGHTS, table) == []
    return {row["conversation_id"]: row for row in table.to_pylist()}


@pytest.fixture
def forcing(tmp_path: Path) -> Callable[..., InsightEngine]:
    """Build an engine on the shipped labels and one rule."""

    def build(**rule: Any) -> InsightEngine:
        content = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
        path = tmp_path / "taxonomy.yaml"
        path.write_text(yaml.safe_dump({**content, "rules": [{"name": "r", **rule}]}))
        return build_engine(taxonomy_path=path)

    return build


def test_what_the_llm_answered_is_taken_and_the_rest_stays(engine, messages):
    own, both = labelled(engine, messages), labelled(engine, messages, answers(messages, "boot", "silent"))
    for name in set(own) - {"boot", "silent"}:
        assert both[name] == own[name]
    for name in ("boot", "silent"):
        taken = {column: both[name][column] for column in ANSWER if column in both[name]}
        assert taken == {column: ANSWER[column] for column in taken}
        assert [reason["words"] for reason in both[name]["reasons"]] == [SAYS] * len(KINDS)
        assert both[name]["taxonomy_version"] == own[name]["taxonomy_version"]


def test_no_answers_change_nothing(engine, messages):
    assert labelled(engine, messages, answers(messages)) == labelled(engine, messages)


def test_a_stated_outcome_stands_against_the_llm(engine, messages):
    resolved = pa.table({"conversation_id": ["boot"], "resolved": [False]})
    row = labelled(engine, messages, answers(messages, "boot"), resolved)["boot"]
    assert (row["resolution"], row["resolution_confidence"]) == ("unresolved", 1.0)
    assert (row["intent"], row["tier"]) == ("give_praise", "llm")
    assert "resolution" not in {reason["kind"] for reason in row["reasons"]}


@pytest.mark.parametrize(
    ("rule", "topic"),
    [
        ({"when": ["grub"], "effect": "force", "label": "audio"}, "audio"),
        ({"when": ["grub"], "effect": "forbid", "label": "networking"}, "disks_boot"),
        ({"when": ["grub"], "effect": "boost", "strength": 9.0, "label": "audio"}, "networking"),
        ({"when": ["nowhere"], "effect": "force", "label": "audio"}, "networking"),
    ],
    ids=["forced", "forbidden", "boosted", "not fired"],
)
def test_a_rule_that_forces_or_forbids_stands_against_the_llm(forcing, messages, rule, topic):
    engine = forcing(kind="topic", **rule)
    llm = answers(messages, "boot", confidence=1.0)
    own, row = labelled(engine, messages)["boot"], labelled(engine, messages, llm)["boot"]
    assert (row["primary_topic"], row["intent"]) == (topic, "give_praise")
    by_rule = [reason for reason in row["reasons"] if reason["kind"] == "topic"]
    if topic == "networking":
        assert [reason["words"] for reason in by_rule] == [SAYS]
        assert row["confidence"] == 1.0
    else:
        assert row["topics"] == own["topics"]
        assert by_rule == [reason for reason in own["reasons"] if reason["kind"] == "topic"]
        assert row["confidence"] == own["confidence"]
