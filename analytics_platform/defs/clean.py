"""The ``clean`` group: cleaned messages, and conversations with their metrics."""

from __future__ import annotations

import pyarrow as pa

from analytics_platform import transform
from analytics_platform.defs import raw
from analytics_platform.defs.tables import table_asset
from analytics_platform.model import clean as tables
from analytics_platform.transform.conversations import conversation_metrics
from analytics_platform.transform.messages import clean_messages

KINDS = frozenset({"parquet", "pandas"})


@table_asset(
    tables.MESSAGES,
    group="clean",
    code=[transform],
    upstream={"raw_messages": raw.raw_messages},
    isolates=True,
    kinds=KINDS,
)
def messages(raw_messages: pa.Table) -> pa.Table:
    """Text without markup, control characters and code; language, lengths and response times."""
    return clean_messages(raw_messages)


@table_asset(
    tables.CONVERSATIONS,
    group="clean",
    code=[transform],
    upstream={"messages": messages, "raw_conversations": raw.raw_conversations},
    isolates=True,
    kinds=KINDS,
)
def conversations(messages: pa.Table, raw_conversations: pa.Table) -> pa.Table:
    """Duration, turns, response times, talk ratio, outcome and quality of each conversation."""
    return conversation_metrics(messages, raw_conversations)


ASSETS = [messages, conversations]
