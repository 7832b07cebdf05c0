"""The tables that become documents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pyarrow as pa
import pytest

from analytics_platform.analytics.operational_documents import (
    conversation_analytics,
    conversation_categories,
    conversation_messages,
)
from analytics_platform.model import find_violations
from analytics_platform.model.tables.clean_tables import CONVERSATIONS, MESSAGES
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS, MESSAGE_INSIGHTS
from analytics_platform.model.tables.operational_tables import (
    CONVERSATION_ANALYTICS,
    CONVERSATION_CATEGORIES,
    CONVERSATION_MESSAGES,
)
from analytics_platform.model.tables.topic_tables import CONVERSATION_TOPICS

DAY = dt.date(2024, 1, 1)
MakePair = Callable[..., tuple[pa.Table, pa.Table]]


def message(message_id: str, position: int) -> dict[str, object]:
    return {
        "date": DAY,
        "conversation_id": "c",
        "message_id": message_id,
        "position": position,
        "role": "user",
        "time_source": "message",
        "sent_at": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        "text": message_id,
        "code": [],
        "pii": [],
        "language": "und",
        "character_count": 1,
        "word_count": 1,
        "token_count": 1,
    }


def insight(message_id: str, sentiment: float) -> dict[str, object]:
    return {
        "date": DAY,
        "conversation_id": "c",
        "message_id": message_id,
        "sentiment": sentiment,
        "sentiment_confidence": 0.5,
        "urgency": "normal",
        "urgency_confidence": 0.5,
        "resolution": "unclear",
        "resolution_confidence": 0.5,
        "intent": "ask",
        "intent_confidence": 0.5,
        "topics": [{"label": "a", "confidence": 0.5}],
        "tier": "static",
    }


def topics_of(conversations: pa.Table) -> pa.Table:
    texts = {"topic_id": "t-1", "topic_name": "seats", "parent_id": "p-1", "parent_name": "flights"}
    keys = conversations.select(["date", "conversation_id"]).to_pylist()
    return CONVERSATION_TOPICS.from_rows([{**key, **texts, "topic_confidence": 0.5} for key in keys])


def test_a_conversation_has_its_metrics_and_its_insights(make_pair: MakePair) -> None:
    pair = make_pair({"quality_score": 0.1, "sentiment": 0.2}, {"quality_score": 0.3})
    table = conversation_analytics(*pair, topics_of(pair[0]))
    assert find_violations(CONVERSATION_ANALYTICS, table) == []
    assert table["topic_name"].to_pylist() == ["seats", "seats"]
    assert table["quality_score"].to_pylist() == [0.1, 0.3]
    assert table["sentiment"].to_pylist() == [0.2, 0.0]


def test_a_conversation_without_insights_is_refused_by_name(make_pair: MakePair) -> None:
    conversations, insights = make_pair({}, {})
    with pytest.raises(ValueError, match="the first is 'c001'"):
        conversation_analytics(conversations, insights.slice(0, 1), topics_of(conversations))
    with pytest.raises(ValueError, match="conversation_topics lacks 1 conversations, the first is 'c001'"):
        conversation_analytics(conversations, insights, topics_of(conversations).slice(0, 1))


def test_a_message_has_its_own_insights_or_nulls() -> None:
    messages = MESSAGES.from_rows([message("z", 0), message("a", 1), message("m", 2)])
    insights = MESSAGE_INSIGHTS.from_rows([insight("z", 0.9), insight("m", -0.9)])
    table = conversation_messages(messages, insights)
    assert find_violations(CONVERSATION_MESSAGES, table) == []
    assert table["message_id"].to_pylist() == ["z", "a", "m"]
    assert table["sentiment"].to_pylist() == [0.9, None, -0.9]
    assert table["topics"].to_pylist() == [
        [{"label": "a", "confidence": 0.5}],
        None,
        [{"label": "a", "confidence": 0.5}],
    ]


def test_sealed_spans_do_not_leave_the_lake() -> None:
    messages = MESSAGES.from_rows([{**message("a", 0), "pii_spans": b"sealed"}])
    table = conversation_messages(messages, MESSAGE_INSIGHTS.from_rows([insight("a", 0.5)]))
    assert set(MESSAGES.column_names) - set(table.column_names) == {"pii_spans"}
    assert b"sealed" not in str(table.to_pylist()).encode()


def test_insights_of_an_unknown_message_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="message 'ghost', which messages lacks"):
        conversation_messages(MESSAGES.from_rows([message("a", 0)]), MESSAGE_INSIGHTS.from_rows([insight("ghost", 0)]))


def test_each_topic_becomes_a_row_and_none_becomes_other(make_pair: MakePair) -> None:
    two = [{"label": "z", "confidence": 0.8}, {"label": "a", "confidence": 0.3}]
    _, insights = make_pair({"confidence": 0.4}, {"topics": two}, {"topics": two[:1]})
    table = conversation_categories(insights)
    assert find_violations(CONVERSATION_CATEGORIES, table) == []
    rows = [tuple(row.values())[1:] for row in table.to_pylist()]
    assert rows == [("c000", "other", 0.4, 1), ("c001", "z", 0.8, 1), ("c001", "a", 0.3, 2), ("c002", "z", 0.8, 1)]


def test_an_empty_day_gives_empty_tables() -> None:
    assert (
        conversation_analytics(
            CONVERSATIONS.empty(), CONVERSATION_INSIGHTS.empty(), CONVERSATION_TOPICS.empty()
        ).num_rows
        == 0
    )
    assert conversation_messages(MESSAGES.empty(), MESSAGE_INSIGHTS.empty()).equals(CONVERSATION_MESSAGES.empty())
    assert conversation_categories(CONVERSATION_INSIGHTS.empty()).equals(CONVERSATION_CATEGORIES.empty())
