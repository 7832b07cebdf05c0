"""The ``analytics`` group: metrics of days, customers, agents and LLMs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

from analytics_platform.analytics import daily, users
from analytics_platform.defs.assets import clean_assets, insight_assets, processing_errors, raw_assets
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.tables import analytics_tables as tables
from analytics_platform.storage.partitions import PartitionStream

KINDS = frozenset({"parquet", "pandas"})
PLACE = GraphPlace("analytics", KINDS)
UPSTREAM = {
    "conversations": clean_assets.conversations,
    "conversation_insights": insight_assets.conversation_insights,
    "processing_errors": processing_errors.processing_errors,
}


@table_asset(
    tables.DAILY_METRICS,
    PLACE,
    upstream=Upstream({**UPSTREAM, "quarantined_rows": raw_assets.quarantined_rows}),
    spans_days=True,
)
def daily_metrics(
    days: Sequence[str],
    conversations: pa.Table,
    conversation_insights: pa.Table,
    processing_errors: PartitionStream,
    quarantined_rows: PartitionStream,
) -> pa.Table:
    """Conversations, response times, topics and sentiment of the day, and how many conversations and rows it lacks."""
    failed = processing_errors.select("conversation_id")
    unused = [quarantined_rows.info(day) for day in days]
    return daily.daily_metrics(
        [dt.date.fromisoformat(day) for day in days],
        conversations,
        conversation_insights,
        failed_conversations=[len(failed[day]["conversation_id"].unique()) for day in days],
        quarantined_rows=[info.rows if info else 0 for info in unused],
    )


@table_asset(tables.USER_DAILY, PLACE, upstream=Upstream(UPSTREAM), spans_days=True)
def user_daily(conversations: pa.Table, conversation_insights: pa.Table) -> pa.Table:
    """Conversations, response times, topics and sentiment of each customer on the day."""
    return daily.user_daily(conversations, conversation_insights)


@table_asset(tables.AGENT_DAILY, PLACE, upstream=Upstream(UPSTREAM), spans_days=True)
def agent_daily(conversations: pa.Table, conversation_insights: pa.Table) -> pa.Table:
    """Conversations, response times, topics and sentiment of each agent, person or assistant, on the day."""
    return daily.agent_daily(conversations, conversation_insights)


@table_asset(tables.MODEL_DAILY, PLACE, upstream=Upstream(UPSTREAM), spans_days=True)
def model_daily(conversations: pa.Table, conversation_insights: pa.Table) -> pa.Table:
    """Conversations, response times, topics, sentiment, tokens and cost of each LLM on the day."""
    return daily.model_daily(conversations, conversation_insights)


@table_asset(
    tables.USER_ANALYTICS,
    PLACE,
    upstream=Upstream({"user_daily": user_daily}),
    cadence=Cadence.WHOLE,
)
def user_analytics(user_daily: PartitionStream) -> pa.Table:
    """Conversations, usual hours and weekdays, topics and sentiment of each customer over all stored days."""
    return users.user_analytics(user_daily.values())


ASSETS = [daily_metrics, user_daily, agent_daily, model_daily, user_analytics]
