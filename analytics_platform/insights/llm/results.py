"""The outcome of labelling by an LLM: the tables of labels and failures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from analytics_platform.insights.encoders.words import quoted
from analytics_platform.insights.llm.answer import Labels
from analytics_platform.insights.llm.questions import FailedQuestion
from analytics_platform.insights.llm.transcript import Transcript
from analytics_platform.insights.taxonomies.taxonomy import OTHER, REMAINDERS
from analytics_platform.model.tables.llm_tables import LLM_FAILURES, LLM_INSIGHTS

_DECIMALS = 4
SILENT: Labels = {
    "topics": [],
    "no_topic_confidence": 0.0,
    "intent": REMAINDERS["intent"],
    "intent_confidence": 0.0,
    "sentiment": 0.0,
    "sentiment_confidence": 0.0,
    "urgency": REMAINDERS["urgency"],
    "urgency_confidence": 0.0,
    "resolution": REMAINDERS["resolution"],
    "resolution_confidence": 0.0,
    "reasons": [],
}
"""Labels of a conversation without spoken text, equal to the engine's; the model is not asked."""


@dataclass(frozen=True)
class LlmOutcome:
    """Result of the LLM tier for a table of messages.

    Attributes:
        insights: ``LLM_INSIGHTS`` of the labelled conversations.
        calls: ``LLM_CALLS`` of this run; empty if every answer was stored.
        failures: ``LLM_FAILURES`` of all other conversations, including those that the next run asks again.
    """

    insights: pa.Table
    calls: pa.Table
    failures: pa.Table

    @property
    def not_done(self) -> list[str]:
        """Conversations left for another run, because the budget was spent or the endpoint did not answer."""
        return list(self.failures.filter(self.failures["will_retry"])["conversation_id"].to_pylist())


def insights_table(
    results: Sequence[tuple[Transcript, Labels]], taxonomy_version: str, model: str, prompt: str
) -> pa.Table:
    """Return ``LLM_INSIGHTS`` of labelled conversations."""
    constants = {"tier": "llm", "taxonomy_version": taxonomy_version, "model": model, "prompt_version": prompt}
    return LLM_INSIGHTS.from_rows([{**_row(transcript, labels), **constants} for transcript, labels in results])


def failures_table(failures: Sequence[tuple[Transcript, FailedQuestion]]) -> pa.Table:
    """Return ``LLM_FAILURES`` of conversations without labels."""
    return LLM_FAILURES.from_rows(
        [{"date": t.date, "conversation_id": t.conversation_id, **vars(failure)} for t, failure in failures]
    )


def _row(transcript: Transcript, labels: Labels) -> dict[str, Any]:
    topics = labels["topics"]
    named = topics[0] if topics else {"label": OTHER, "confidence": labels["no_topic_confidence"]}
    certainties = [named["confidence"], labels["intent_confidence"], labels["sentiment_confidence"]]
    stated = [certainty for certainty in certainties if certainty is not None]  # none for «no topic» as an empty list
    kept = {name: value for name, value in labels.items() if name != "no_topic_confidence"}
    certain = {"topic": {topic["label"]: topic["confidence"] for topic in topics}} | {
        kind: labels[f"{kind}_confidence"] for kind in ("intent", "sentiment", "urgency", "resolution")
    }
    return {
        **kept,
        "date": transcript.date,
        "conversation_id": transcript.conversation_id,
        "primary_topic": named["label"],
        "confidence": round(math.prod(stated) ** (1 / len(stated)), _DECIMALS),
        "reasons": [_reason(reason, transcript, certain[reason["kind"]]) for reason in labels["reasons"]],
        "was_cut": transcript.was_cut,
    }


def _reason(reason: dict[str, Any], transcript: Transcript, certain: Any) -> dict[str, Any]:
    """Return the stored form of a reason; its weight is the confidence in its label."""
    return {
        "kind": reason["kind"],
        "label": reason["label"],
        "message_id": transcript.by_number[reason["message"]].message_id,
        "words": quoted(reason["words"]),
        "weight": certain.get(reason["label"], 0.0) if isinstance(certain, dict) else certain,
        "rule": None,
    }
