"""Selects the conversations of a day that are worth opening, with the reason and the deciding message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.analytics.reports.wording import MINUTE
from analytics_platform.analytics.summary import NEGATIVE_BELOW

LONG_WAIT_SECONDS = 10 * MINUTE
"""Seconds of waiting for a first answer beyond which a conversation may be listed."""

_ID = "conversation_id"


@dataclass(frozen=True)
class Listed:
    """A conversation worth opening.

    Attributes:
        conversation_id: Identifier of the conversation.
        why: Reasons for listing it, e.g. ``("lowest sentiment",)``.
        user_id: The customer; None when unknown.
        agent_id: The agent; None when unknown.
        topic: Its primary topic.
        sentiment: -1 to 1.
        first_response_seconds: Wait for the first answer in seconds; None without an answer.
        message_id: The message that decided the sentiment, or else the topic; None when unknown.
        words: The deciding words of the message.
        rule: The taxonomy's rule that decided; None if no rule decided.
    """

    conversation_id: str
    why: tuple[str, ...]
    user_id: str | None
    agent_id: str | None
    topic: str
    sentiment: float
    first_response_seconds: float | None
    message_id: str | None
    words: tuple[str, ...]
    rule: str | None


def reading_list(conversations: pa.Table, insights: pa.Table, at_most: int = 3) -> list[Listed]:
    """Return the most negative conversations, then the conversations with the longest waits for a first answer.

    Args:
        conversations: ``CONVERSATIONS`` of a day.
        insights: ``CONVERSATION_INSIGHTS`` of the same conversations.
        at_most: The most conversations of each kind.
    """
    whys: dict[str, tuple[str, ...]] = {}
    for row in most_negative(insights, at_most):
        whys[row[_ID]] = ("lowest sentiment",)
    for row in longest_waits(conversations, at_most):
        whys[row[_ID]] = (*whys.get(row[_ID], ()), "longest wait")
    facts, labels = _rows_of(conversations, whys), _rows_of(insights, whys)
    return [_listed(why, facts[name], labels[name]) for name, why in whys.items() if name in facts and name in labels]


def most_negative(insights: pa.Table, at_most: int) -> list[dict[str, Any]]:
    """Return the rows of ``insights`` with the lowest sentiment below ``NEGATIVE_BELOW``, lowest first."""
    return _first(insights, pc.less(insights["sentiment"], NEGATIVE_BELOW), "sentiment", "ascending", at_most)


def longest_waits(conversations: pa.Table, at_most: int) -> list[dict[str, Any]]:
    """Return the rows of ``conversations`` answered after more than ``LONG_WAIT_SECONDS``, slowest first."""
    name = "first_response_seconds"
    return _first(conversations, pc.greater(conversations[name], LONG_WAIT_SECONDS), name, "descending", at_most)


def deciding_reason(reasons: Sequence[Mapping[str, Any]], kind: str, label: str) -> Mapping[str, Any] | None:
    """Return the reason with the largest weight for a label; None if the label has no reason."""
    fitting = [reason for reason in reasons if reason["kind"] == kind and reason["label"] == label]
    return min(fitting, key=lambda reason: (-reason["weight"], reason["message_id"]), default=None)


def _first(table: pa.Table, wanted: pa.ChunkedArray, by: str, order: str, at_most: int) -> list[dict[str, Any]]:
    """Return the first of the selected rows, sorted by a column; ties by conversation id."""
    some = table.filter(wanted)
    places = pc.select_k_unstable(some, at_most, sort_keys=[(by, order), (_ID, "ascending")])
    rows: list[dict[str, Any]] = some.take(places).to_pylist()
    return rows


def _rows_of(table: pa.Table, names: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    wanted = pc.is_in(table[_ID], value_set=pa.array(list(names), pa.string()))
    return {row[_ID]: row for row in table.filter(wanted).to_pylist()}


def _listed(why: tuple[str, ...], facts: Mapping[str, Any], labels: Mapping[str, Any]) -> Listed:
    reasons = labels["reasons"]
    reason = deciding_reason(reasons, "sentiment", "negative") if labels["sentiment"] < NEGATIVE_BELOW else None
    reason = reason or deciding_reason(reasons, "topic", labels["primary_topic"]) or {}
    return Listed(
        conversation_id=labels[_ID],
        why=why,
        user_id=facts["user_id"],
        agent_id=facts["agent_id"],
        topic=labels["primary_topic"],
        sentiment=labels["sentiment"],
        first_response_seconds=facts["first_response_seconds"],
        message_id=reason.get("message_id"),
        words=tuple(reason.get("words", ())),
        rule=reason.get("rule"),
    )
