"""Conversations and their insights in few words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.model.tables.clean_tables import CONVERSATIONS
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS
from analytics_platform_tests.insight_rows import insight_row

DAY = dt.date(2024, 1, 1)  # a Monday
Pair = tuple[pa.Table, pa.Table]
MakePair = Callable[..., Pair]


@pytest.fixture(scope="session")
def make_pair() -> MakePair:
    """Build conversations and insights from dictionaries with values of either; ``hour`` is when they start."""

    def make(*given: dict[str, Any]) -> Pair:
        conversations, insights = [], []
        for number, values in enumerate(given):
            date = values.get("date", DAY)
            start = dt.datetime.combine(date, dt.time(values.get("hour", 0)), dt.UTC)
            row: dict[str, Any] = {
                **dict.fromkeys(CONVERSATIONS.column_names),
                **insight_row(),
                "date": date,
                "conversation_id": f"c{number:03}",
                "language": "en",
                "started_at": start,
                "time_source": "message",
                "answer_count": int(values.get("first_response_seconds") is not None),
                "ended_at": start + dt.timedelta(seconds=values.get("duration_seconds", 0)),
                "duration_seconds": 0,
                "message_count": 1,
                "user_message_count": 1,
                "agent_message_count": 0,
                "turn_count": 1,
                "token_count": 1,
                "quality_score": 0.5,
            } | {name: value for name, value in values.items() if name != "hour"}
            conversations.append({name: row[name] for name in CONVERSATIONS.column_names})
            insights.append({name: row[name] for name in CONVERSATION_INSIGHTS.column_names})
        return CONVERSATIONS.from_rows(conversations), CONVERSATION_INSIGHTS.from_rows(insights)

    return make
