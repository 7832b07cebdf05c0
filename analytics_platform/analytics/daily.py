"""Computes the daily tables: metrics of the whole day, and of its customers, agents and models.

``analytics.summary`` defines the metrics; ``analytics.users`` sums over several days.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.analytics.groups import Groups
from analytics_platform.analytics.pairing import with_insights
from analytics_platform.analytics.summary import summarise
from analytics_platform.model.table import Table
from analytics_platform.model.tables.analytics_tables import AGENT_DAILY, DAILY_METRICS, MODEL_DAILY, USER_DAILY

DATE = "date"


def daily_metrics(
    dates: Sequence[dt.date],
    conversations: pa.Table,
    conversation_insights: pa.Table,
    *,
    failed_conversations: Sequence[int],
    quarantined_rows: Sequence[int],
) -> pa.Table:
    """Compute the metrics of days.

    Args:
        dates: The days.
        conversations: ``CONVERSATIONS`` of the days; may be empty.
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the days, one row per conversation.
        failed_conversations: For each day, number of conversations that could not be processed and are in neither
            table.
        quarantined_rows: For each day, number of source rows that could not be used.

    Returns:
        ``DAILY_METRICS`` with exactly one row a day; on an empty day counts are 0 and means are null.

    Raises:
        ValueError: If a conversation is of another day, or the two tables have different conversations.
    """
    joined = with_insights(conversations, conversation_insights)
    places = pc.index_in(joined[DATE], pa.array(dates, pa.date32()))
    if places.null_count:
        stray = joined.filter(places.is_null()).slice(0, 1).to_pylist()[0]
        raise ValueError(f"conversation {stray['conversation_id']!r} is of {stray['date']}, not of {_listed(dates)}")
    groups = Groups(places.to_numpy().astype(np.int64), len(dates))
    missing = {"failed_conversation_count": failed_conversations, "quarantined_row_count": quarantined_rows}
    return _chosen(DAILY_METRICS, {DATE: dates, **summarise(joined, groups), **missing})


def user_daily(conversations: pa.Table, conversation_insights: pa.Table) -> pa.Table:
    """Compute the metrics of each customer's day, ``USER_DAILY``; conversations without a customer are left out.

    Args:
        conversations: ``CONVERSATIONS`` of one or several days.
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the same days, one row per conversation.

    Raises:
        ValueError: If the two tables have different conversations.
    """
    return _by(USER_DAILY, "user_id", conversations, conversation_insights)


def agent_daily(conversations: pa.Table, conversation_insights: pa.Table) -> pa.Table:
    """Compute the metrics of each agent's day, ``AGENT_DAILY``.

    A conversation counts for the agent who sent most of its messages.

    Args:
        conversations: ``CONVERSATIONS`` of one or several days.
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the same days, one row per conversation.

    Raises:
        ValueError: If the two tables have different conversations.
    """
    return _by(AGENT_DAILY, "agent_id", conversations, conversation_insights)


def model_daily(conversations: pa.Table, conversation_insights: pa.Table) -> pa.Table:
    """Compute the metrics of each LLM's day, ``MODEL_DAILY``; conversations without an LLM are left out.

    Args:
        conversations: ``CONVERSATIONS`` of one or several days.
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the same days, one row per conversation.

    Raises:
        ValueError: If the two tables have different conversations.
    """
    return _by(MODEL_DAILY, "model", conversations, conversation_insights)


def _by(declared: Table, key: str, conversations: pa.Table, conversation_insights: pa.Table) -> pa.Table:
    """Return the metrics of each day and value of ``key``, in canonical form; the tables may span several days."""
    joined = with_insights(conversations, conversation_insights)
    joined = joined.filter(joined[key].is_valid())
    if not joined.num_rows:
        return declared.empty()
    seen = joined.select([DATE, key, "started_at", "ended_at"]).append_column("row", pa.array(range(joined.num_rows)))
    span = seen.group_by([DATE, key]).aggregate([("row", "list"), ("started_at", "min"), ("ended_at", "max")])
    owners = pc.list_parent_indices(span["row_list"].combine_chunks())
    codes = np.empty(joined.num_rows, np.int64)
    codes[pc.list_flatten(span["row_list"]).to_numpy()] = owners.to_numpy()
    return _chosen(
        declared,
        {
            **summarise(joined, Groups(codes, span.num_rows)),
            DATE: span[DATE],
            key: span[key],
            "first_seen_at": span["started_at_min"],
            "last_seen_at": span["ended_at_max"],
        },
    )


def _listed(dates: Sequence[dt.date]) -> str:
    return f"{dates[0]}" if len(dates) == 1 else f"{min(dates)} to {max(dates)}"


def _chosen(declared: Table, metrics: dict[str, object]) -> pa.Table:
    """Return the metrics that the table declares, in canonical form."""
    return declared.conform(pa.table({name: metrics[name] for name in declared.column_names}))
