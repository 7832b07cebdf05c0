"""Defines every metric of a group of conversations once; the tables of ``analytics_tables`` select by name."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.analytics.groups import Groups, ratio

NEGATIVE_BELOW = -0.25
POSITIVE_ABOVE = 0.25


def summarise(conversations: pa.Table, groups: Groups) -> dict[str, Any]:
    """Compute every metric of every group.

    Args:
        conversations: Conversations with their insights (``pairing.with_insights``), sorted.
        groups: The group of each conversation.

    Returns:
        Metric name to one value per group. A mean over no values is null; a count of no rows is 0.
    """
    answered = groups.count(pc.greater(conversations["answer_count"], 0))
    with_outcome = groups.count(conversations["resolved"].is_valid())
    resolved = groups.count(conversations["resolved"])
    count = groups.count()
    has_hour = pc.is_in(conversations["time_source"], pa.array(["message", "conversation"]))
    return {
        "conversation_count": count,
        "message_count": groups.total(conversations["message_count"]).fill_null(0),
        "user_count": groups.distinct(conversations["user_id"]),
        "agent_count": groups.distinct(conversations["agent_id"]),
        "answered_count": answered,
        "timed_count": groups.count(pc.equal(conversations["time_source"], "message")),
        "outcome_count": with_outcome,
        "resolved_count": resolved,
        "closed_count": groups.count(conversations["closed"]),
        "rated_count": groups.count(conversations["rating"].is_valid()),
        "duration_seconds_mean": groups.mean(conversations["duration_seconds"]),
        "first_response_seconds_p50": groups.quantile(conversations["first_response_seconds"], 0.5),
        "first_response_seconds_p90": groups.quantile(conversations["first_response_seconds"], 0.9),
        "answered_rate": ratio(answered, count),
        "resolved_rate": ratio(resolved, with_outcome),
        "rating_mean": groups.mean(conversations["rating"]),
        "quality_score_mean": groups.mean(conversations["quality_score"]),
        "sentiment_mean": groups.mean(conversations["sentiment"]),
        "topics": groups.shares(conversations["primary_topic"]),
        "intents": groups.shares(conversations["intent"]),
        "hourly_conversations": groups.hourly(
            pc.if_else(has_hour, conversations["started_at"], pa.scalar(None, conversations["started_at"].type))
        ),
        "negative_count": groups.count(pc.less(conversations["sentiment"], NEGATIVE_BELOW)),
        "positive_count": groups.count(pc.greater(conversations["sentiment"], POSITIVE_ABOVE)),
        "tokens": groups.total(conversations["tokens"]),
        "cost": groups.total(conversations["cost"]),
    }
