"""Joins conversations with their insights and topics, and verifies that a day's tables have the same ones."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.table import Table
from analytics_platform.model.tables.clean_tables import CONVERSATIONS
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS
from analytics_platform.model.tables.topic_tables import CONVERSATION_TOPICS

_ID = "conversation_id"


def with_insights(conversations: pa.Table, conversation_insights: pa.Table) -> pa.Table:
    """Join each conversation with its insights.

    Args:
        conversations: ``CONVERSATIONS`` of a day.
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the same day.

    Returns:
        The columns of ``conversations``, then the columns that only the insights have; sorted by conversation.

    Raises:
        SchemaError: If an input does not have its declared schema.
        ValueError: If a conversation has no insights or several, or insights have no conversation; names the first.
    """
    return _paired(CONVERSATIONS.conform(conversations), CONVERSATION_INSIGHTS, conversation_insights)


def with_topics(conversations: pa.Table, conversation_topics: pa.Table) -> pa.Table:
    """Join each conversation with its discovered topic.

    Args:
        conversations: Any columns of the conversations of a day, sorted by conversation.
        conversation_topics: ``CONVERSATION_TOPICS`` of the same day.

    Returns:
        The columns of ``conversations``, then the columns that only the topics have.

    Raises:
        SchemaError: If the topics do not have their declared schema.
        ValueError: As ``with_insights``.
    """
    return _paired(conversations, CONVERSATION_TOPICS, conversation_topics)


def _paired(left: pa.Table, declared: Table, rows: pa.Table) -> pa.Table:
    right = declared.conform(rows)
    if not left[_ID].equals(right[_ID]):
        raise ValueError(_mismatch(left[_ID].combine_chunks(), right[_ID].combine_chunks(), declared.name))
    added = [name for name in right.column_names if name not in left.column_names]
    columns = [*left.columns, *(right[name] for name in added)]
    return pa.table(columns, names=[*left.column_names, *added])


def _mismatch(ids: pa.Array, insight_ids: pa.Array, name: str) -> str:
    missing = ids.filter(pc.invert(pc.is_in(ids, insight_ids)))
    if len(missing):
        return f"{name} lacks {len(missing)} conversations, the first is {missing[0].as_py()!r}"
    stray = insight_ids.filter(pc.invert(pc.is_in(insight_ids, ids)))
    if len(stray):
        return f"conversations lacks {len(stray)} that {name} has, the first is {stray[0].as_py()!r}"
    counts = pc.value_counts(pa.concat_arrays([ids, insight_ids])).to_pylist()
    repeated = next(item["values"] for item in counts if item["counts"] != 2)
    return f"conversation {repeated!r} stands more than once in conversations or {name}"
