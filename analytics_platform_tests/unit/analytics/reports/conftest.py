"""Builders of small, valid tables: a test states only what it is about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.model.tables.analytics_tables import AGENT_DAILY, DAILY_METRICS
from analytics_platform.model.tables.clean_tables import CONVERSATIONS
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS
from analytics_platform_tests.insight_rows import insight_row

DATE = dt.date(2006, 6, 8)
MIDNIGHT = dt.datetime(2006, 6, 8, tzinfo=dt.UTC)

_AVERAGES = {
    "duration_seconds_mean": 300.0,
    "first_response_seconds_p50": 60.0,
    "first_response_seconds_p90": 240.0,
    "answered_rate": 0.9,
    "resolved_rate": None,
    "rating_mean": None,
    "quality_score_mean": 0.7,
    "sentiment_mean": 0.1,
}


def metrics(date: dt.date = DATE, conversations: int = 100, **changed: Any) -> pa.Table:
    """One row of daily metrics; ``topics`` may be given as a dictionary."""
    row = {
        "date": date,
        "conversation_count": conversations,
        "message_count": conversations * 5,
        "user_count": conversations,
        "agent_count": 4,
        "answered_count": conversations * 9 // 10,
        "timed_count": conversations,
        "outcome_count": 0,
        "resolved_count": 0,
        "closed_count": 0,
        "rated_count": 0,
        **(_AVERAGES if conversations else dict.fromkeys(_AVERAGES)),
        "topics": {"sound": conversations} if conversations else {},
        "intents": [],
        "hourly_conversations": [0] * 9 + [conversations] + [0] * 14,
        "negative_count": 0,
        "positive_count": 0,
        "tokens": None,
        "cost": None,
        "failed_conversation_count": 0,
        "quarantined_row_count": 0,
        **changed,
    }
    row["topics"] = [{"label": label, "count": count} for label, count in row["topics"].items()]
    return DAILY_METRICS.from_rows([row])


def conversation(name: str, **changed: Any) -> dict[str, Any]:
    """One conversation."""
    return {
        "date": DATE,
        "conversation_id": name,
        "user_id": f"customer of {name}",
        "agent_id": "ana",
        "model": None,
        "channel": None,
        "language": "en",
        "started_at": MIDNIGHT,
        "ended_at": MIDNIGHT,
        "time_source": "message",
        "answer_count": 1,
        "duration_seconds": 0.0,
        "message_count": 2,
        "user_message_count": 1,
        "agent_message_count": 1,
        "turn_count": 2,
        "first_response_seconds": 60.0,
        "token_count": 10,
        "quality_score": 0.7,
        **changed,
    }


def insight(name: str, sentiment: float = 0.0, topic: str = "sound", reasons: Any = ()) -> dict[str, Any]:
    """The insights of one conversation; reasons as (kind, label, message id, words, weight, rule if any)."""
    keys = ("kind", "label", "message_id", "words", "weight", "rule")
    return insight_row(
        date=DATE,
        conversation_id=name,
        topics=[{"label": topic, "confidence": 0.9}],
        primary_topic=topic,
        intent="question",
        intent_confidence=0.9,
        sentiment=sentiment,
        sentiment_confidence=0.9,
        confidence=0.9,
        reasons=[dict(zip(keys, (*reason, None)[: len(keys)], strict=True)) for reason in reasons],
    )


def agent(name: str, conversations: int, **changed: Any) -> dict[str, Any]:
    """One agent's day."""
    return {
        "date": DATE,
        "agent_id": name,
        "conversation_count": conversations,
        "message_count": conversations,
        "user_count": conversations,
        "answered_count": conversations,
        "outcome_count": 0,
        "resolved_count": 0,
        "timed_count": conversations,
        "closed_count": 0,
        "rated_count": 0,
        "topics": [],
        **changed,
    }


@pytest.fixture
def day() -> Callable[..., dict[str, pa.Table]]:
    """Tables of a day and its history, for ``daily_report``: two ordinary conversations unless told otherwise."""

    def build(
        today: pa.Table | None = None,
        before: list[pa.Table] | None = None,
        conversations: list[dict[str, Any]] | None = None,
        insights: list[dict[str, Any]] | None = None,
        agents: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        rows = [metrics() if today is None else today, *(before or [])]
        return {
            "date": DATE,
            "history": {table["date"][0].as_py().isoformat(): table for table in rows},
            "conversations": CONVERSATIONS.from_rows(
                [conversation("one"), conversation("two")] if conversations is None else conversations
            ),
            "conversation_insights": CONVERSATION_INSIGHTS.from_rows(
                [insight("one"), insight("two")] if insights is None else insights
            ),
            "agent_daily": AGENT_DAILY.from_rows(agents or []),
        }

    return build


@pytest.fixture
def week() -> Callable[..., list[pa.Table]]:
    """Metrics of the seven days before, all alike."""

    def build(**same: Any) -> list[pa.Table]:
        return [metrics(DATE - dt.timedelta(days=n), **same) for n in range(7, 0, -1)]

    return build


@pytest.fixture
def make() -> Any:
    """The builders of this module, for tests that need them one by one."""

    class Make:
        metrics = staticmethod(metrics)
        conversation = staticmethod(conversation)
        insight = staticmethod(insight)
        agent = staticmethod(agent)
        date = DATE

    return Make
