"""The tables whose rows become documents for applications.

Belongs here: clean and insight tables put side by side in the shape of ``model.operational_tables``. Does not belong
here: numbers that are not in those tables yet, MongoDB (``storage``).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.analytics.pairing import with_insights
from analytics_platform.model.clean_tables import MESSAGES, STAYS_IN_THE_LAKE
from analytics_platform.model.insight_tables import CONVERSATION_INSIGHTS, MESSAGE_INSIGHTS
from analytics_platform.model.operational_tables import (
    CONVERSATION_ANALYTICS,
    CONVERSATION_CATEGORIES,
    CONVERSATION_MESSAGES,
)

OTHER = "other"


def conversation_analytics(conversations: pa.Table, conversation_insights: pa.Table) -> pa.Table:
    """Put each conversation's metrics and insights together: ``CONVERSATION_ANALYTICS``.

    Args:
        conversations: ``CONVERSATIONS`` of the day.
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the day, one row per conversation.

    Raises:
        ValueError: If the two tables do not fit each other; names the first conversation that does not.
    """
    return CONVERSATION_ANALYTICS.conform(with_insights(conversations, conversation_insights))


def conversation_messages(messages: pa.Table, message_insights: pa.Table) -> pa.Table:
    """Put each message and its insights together: ``CONVERSATION_MESSAGES``.

    Args:
        messages: ``MESSAGES`` of the day.
        message_insights: ``MESSAGE_INSIGHTS`` of the day; a message without any gets nulls.

    Raises:
        ValueError: If there are insights of a message that the day does not have; names the first.
    """
    left, right = MESSAGES.conform(messages), MESSAGE_INSIGHTS.conform(message_insights)
    stray = right.filter(pc.invert(pc.is_in(right["message_id"], left["message_id"].combine_chunks())))
    if stray.num_rows:
        raise ValueError(f"message_insights names message {stray['message_id'][0].as_py()!r}, which messages lacks")
    rows = pc.index_in(left["message_id"], right["message_id"].combine_chunks())
    added = [name for name in right.column_names if name not in left.column_names]
    left = left.drop_columns(list(STAYS_IN_THE_LAKE))
    columns = [*left.columns, *(right[name].take(rows) for name in added)]
    return CONVERSATION_MESSAGES.conform(pa.table(columns, names=[*left.column_names, *added]))


def conversation_categories(conversation_insights: pa.Table) -> pa.Table:
    """List each conversation's topics: ``CONVERSATION_CATEGORIES``.

    Args:
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the day.

    Returns:
        One row per topic, ranked as the insights rank them. A conversation without a topic gets ``other`` at rank 1
        with the confidence of its labels taken together: how sure it is that no topic fits is not told otherwise.
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
