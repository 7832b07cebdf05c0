"""Joins clean and insight tables into the tables whose rows become documents for applications.

``model.tables.operational_tables`` declares the tables; ``storage`` writes the documents to MongoDB.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.analytics.pairing import with_insights, with_topics
from analytics_platform.model.message_keys import message_keys
from analytics_platform.model.tables.clean_tables import MESSAGES, STAYS_IN_THE_LAKE
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS, MESSAGE_INSIGHTS
from analytics_platform.model.tables.operational_tables import (
    CONVERSATION_ANALYTICS,
    CONVERSATION_CATEGORIES,
    CONVERSATION_MESSAGES,
)

OTHER = "other"


def conversation_analytics(
    conversations: pa.Table, conversation_insights: pa.Table, conversation_topics: pa.Table
) -> pa.Table:
    """Join each conversation's metrics with its insights and its discovered topic, ``CONVERSATION_ANALYTICS``.

    Args:
        conversations: ``CONVERSATIONS`` of the day.
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the day, one row per conversation.
        conversation_topics: ``CONVERSATION_TOPICS`` of the day, one row per conversation.

    Raises:
        ValueError: If two of the tables have different conversations; names the first difference.
    """
    return CONVERSATION_ANALYTICS.conform(
        with_topics(with_insights(conversations, conversation_insights), conversation_topics)
    )


def conversation_messages(messages: pa.Table, message_insights: pa.Table) -> pa.Table:
    """Join each message with its insights, ``CONVERSATION_MESSAGES``.

    Args:
        messages: ``MESSAGES`` of the day.
        message_insights: ``MESSAGE_INSIGHTS`` of the day; a message without insights gets nulls.

    Raises:
        ValueError: If insights belong to a message that the day does not have; names the first.
    """
    left, right = MESSAGES.conform(messages), MESSAGE_INSIGHTS.conform(message_insights)
    known, labelled = message_keys(left), message_keys(right)
    stray = right.filter(pc.invert(pc.is_in(labelled, known)))
    if stray.num_rows:
        raise ValueError(f"message_insights names message {stray['message_id'][0].as_py()!r}, which messages lacks")
    rows = pc.index_in(known, labelled)
    added = [name for name in right.column_names if name not in left.column_names]
    left = left.drop_columns(list(STAYS_IN_THE_LAKE))
    columns = [*left.columns, *(right[name].take(rows) for name in added)]
    return CONVERSATION_MESSAGES.conform(pa.table(columns, names=[*left.column_names, *added]))


def conversation_categories(conversation_insights: pa.Table) -> pa.Table:
    """List each conversation's topics, ``CONVERSATION_CATEGORIES``.

    Args:
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the day.

    Returns:
        One row per topic, in the order of the insights. A conversation without a topic gets ``other`` at rank 1, with
        the overall confidence of its labels, because the insights have no confidence for "no topic fits".
    """
    insights = CONVERSATION_INSIGHTS.conform(conversation_insights)
    topics = insights["topics"].combine_chunks()
    labels, confidences = topics.flatten().flatten()
    parents = pc.list_parent_indices(topics)
    ranks = np.arange(len(parents)) - np.searchsorted(parents.to_numpy(), parents.to_numpy()) + 1
    listed = _categories(insights.take(parents), labels, confidences, pa.array(ranks, pa.int64()))
    without = insights.filter(pc.equal(pc.list_value_length(topics), 0))
    size = without.num_rows
    other = _categories(
        without, pa.repeat(OTHER, size), without["confidence"], pa.repeat(pa.scalar(1, pa.int64()), size)
    )
    return CONVERSATION_CATEGORIES.conform(pa.concat_tables([listed, other]))


def _categories(insights: pa.Table, topics: pa.Array, confidences: pa.Array, ranks: pa.Array) -> pa.Table:
    columns = [insights["date"], insights["conversation_id"], topics, confidences, ranks]
    return pa.table(columns, names=["date", "conversation_id", "topic", "confidence", "rank"])
