"""An LLM's answers become lessons where nobody has labelled the conversation, and are never gold labels."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from analytics_platform.insights.learning.llm_lesson_choice import COLUMNS, llm_lessons
from analytics_platform.model import find_violations
from analytics_platform.model.tables.learning_tables import LABEL_FEEDBACK, LLM_LESSONS
from analytics_platform.model.tables.llm_tables import LLM_INSIGHTS

HELD_OUT, FREE = "c2", "c0"  # by their hashes


def answer(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "conversation_id": name, "topics": [{"label": "audio", "confidence": 0.9}], "primary_topic": "audio",
        "intent": "complain", "intent_confidence": 0.8, "taxonomy_version": "t", "was_cut": False, **changes,
    }  # fmt: skip


def lessons(*answers: dict[str, Any], feedback: pa.Table | None = None) -> dict[tuple[str, str], str]:
    schema = pa.schema([LLM_INSIGHTS.empty().schema.field(name) for name in COLUMNS])
    day = pa.Table.from_pylist(list(answers), schema)
    messages = [
        {
            "conversation_id": row["conversation_id"],
            "message_id": "m",
            "position": 0,
            "role": "user",
            "text": "no sound",
        }
        for row in answers
        if row["conversation_id"] != "gone"
    ]
    table = llm_lessons(
        [day], {"d": pa.Table.from_pylist(messages)}, LABEL_FEEDBACK.empty() if feedback is None else feedback, "t"
    )
    assert find_violations(LLM_LESSONS, table) == []
    assert all(row["messages"] == [{"role": "user", "text": "no sound"}] for row in table.to_pylist())
    return {(row["item"], row["kind"]): row["label"] for row in table.to_pylist()}


def test_confident_labels_of_free_conversations_are_lessons() -> None:
    assert lessons(
        answer(FREE),
        answer("c3", intent_confidence=0.6),
        answer("c4", primary_topic="other", topics=[], intent="other"),
        answer("c5", taxonomy_version="old"),
        answer("c6", was_cut=True),
        answer("gone"),
        answer(HELD_OUT),
    ) == {(FREE, "topic"): "audio", (FREE, "intent"): "complain", ("c3", "topic"): "audio"}


def test_labels_of_people_go_before_lessons_of_an_llm() -> None:
    def by_person(name: str, kind: str, status: str) -> dict[str, Any]:
        return dict.fromkeys(LABEL_FEEDBACK.column_names) | {
            "feedback_id": f"{name}{kind}", "origin": "file", "conversation_id": name, "kind": kind, "label": "x",
            "status": status, "messages": [],
        }  # fmt: skip

    feedback = LABEL_FEEDBACK.from_rows(
        [
            by_person(FREE, "topic", "training"),
            by_person("c3", "intent", "gold"),
            by_person("c7", "topic", "quarantined"),
        ]
    )
    found = lessons(answer(FREE), answer("c3"), answer("c7"), feedback=feedback)
    assert set(found) == {(FREE, "intent"), ("c7", "topic"), ("c7", "intent")}


def test_without_answers_no_message_is_read() -> None:
    class Unread(dict[str, pa.Table]):
        def values(self) -> Any:
            raise AssertionError("messages are not needed")

    empty = LLM_INSIGHTS.empty().select(list(COLUMNS))
    assert llm_lessons([empty], Unread(), LABEL_FEEDBACK.empty(), "t").num_rows == 0
