"""One complete row of ``conversation_insights``, from which tests make their own rows.

A new column that may not be null needs a value here, and nowhere else in the tests.
"""

from __future__ import annotations

from typing import Any

from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS

_ROW: dict[str, Any] = {
    "topics": [],
    "primary_topic": "other",
    "intent": "ask",
    "intent_confidence": 0.5,
    "sentiment": 0.0,
    "sentiment_confidence": 0.5,
    "urgency": "normal",
    "urgency_confidence": 0.5,
    "resolution": "unclear",
    "resolution_confidence": 0.5,
    "confidence": 0.5,
    "reasons": [],
    "tier": "static",
    "taxonomy_version": "1",
}


def insight_row(**values: Any) -> dict[str, Any]:
    """Return a row with these values; the other columns have ordinary values, or null."""
    return dict.fromkeys(CONVERSATION_INSIGHTS.column_names) | _ROW | values
