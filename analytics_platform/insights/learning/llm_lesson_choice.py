"""Labels that an LLM has given, as training documents of the cheap tiers; no model is judged by them."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.quality.feedback import find_said, is_held_out
from analytics_platform.insights.taxonomies.taxonomy import OTHER
from analytics_platform.model.tables.learning_tables import LLM_LESSONS

SOURCE = "llm"
MOST_CONVERSATIONS = 5_000
"""Most conversations that an LLM's labels are learnt of, a random choice that is the same every time."""
LEAST_CONFIDENCE = 0.7
"""Least confidence, as the LLM states it, of a label that is learnt; a label below it is a guess."""
COLUMNS = ("conversation_id", "topics", "primary_topic", "intent", "intent_confidence", "taxonomy_version", "was_cut")


def llm_lessons(
    answers: Iterable[pa.Table],
    messages: Mapping[str, pa.Table],
    feedback: pa.Table,
    taxonomy_version: str,
    shipped: Collection[str] = (),
) -> pa.Table:
    """Return ``LLM_LESSONS``: the topics and intents of which the LLM is confident.

    Left out are conversations that are held out for evaluation or have a shipped gold label, labels that people gave,
    answers by another taxonomy or about a part of a conversation, and ``other``, which says nothing about the
    conversation.

    Args:
        answers: ``LLM_INSIGHTS`` of each day, with ``COLUMNS``.
        messages: ``MESSAGES`` by day; read only if there is a lesson.
        feedback: ``LABEL_FEEDBACK``.
        taxonomy_version: Version of the present taxonomy.
        shipped: Conversations with a shipped gold label of any kind; models are evaluated on them.
    """
    used = feedback.filter(pc.not_equal(feedback["status"], "quarantined"))
    by_people = set(zip(used["conversation_id"].to_pylist(), used["kind"].to_pylist(), strict=True))
    gold = set(shipped) | {
        name
        for name, status in zip(used["conversation_id"].to_pylist(), used["status"].to_pylist(), strict=True)
        if status in ("gold", "superseded")
    }
    lessons: dict[str, list[dict[str, Any]]] = {}
    for table in answers:
        for row in _confident(table, taxonomy_version):
            name = row["conversation_id"]
            if name not in gold and not is_held_out(name) and (name, row["kind"]) not in by_people:
                lessons.setdefault(name, []).append(row)
    if not lessons:
        return LLM_LESSONS.empty()
    chosen = heapq.nsmallest(MOST_CONVERSATIONS, lessons, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    rows = [row for name in sorted(chosen) for row in lessons[name]]
    said = find_said(rows, messages.values())
    return LLM_LESSONS.from_rows(
        [
            {"item": name, "kind": row["kind"], "label": row["label"], "source": SOURCE, "messages": said[place][1]}
            for row in rows
            if (place := ("conversation", (name := row["conversation_id"]), None)) in said
        ]
    )


def _confident(table: pa.Table, taxonomy_version: str) -> Iterator[dict[str, Any]]:
    fits = pc.and_(pc.equal(table["taxonomy_version"], taxonomy_version), pc.invert(table["was_cut"]))
    for row in table.filter(fits).to_pylist():
        best = max((topic["confidence"] for topic in row["topics"]), default=0.0)
        for kind, label, confidence in (
            ("topic", row["primary_topic"], best),
            ("intent", row["intent"], row["intent_confidence"]),
        ):
            if label != OTHER and confidence >= LEAST_CONFIDENCE:
                yield {"conversation_id": row["conversation_id"], "kind": kind, "label": label}
