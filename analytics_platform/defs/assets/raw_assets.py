"""The ``raw`` group: what the source holds, typed, and the rows that could not be used."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
import pyarrow as pa

from analytics_platform import sources, transform
from analytics_platform.defs.framework.table_asset import table_asset
from analytics_platform.model import raw_tables as tables
from analytics_platform.sources.base import Source
from analytics_platform.transform import conversations

SOURCE_ROWS = dg.AssetKey("source_rows")
"""What the source holds; observed, not stored (``sensors``)."""


def _source_version(day: str, source: Source) -> Mapping[str, str]:
    return {"source": f"{source.name}:{source.days().get(day, 'no rows')}"}


def _counts(day: str, source: Source) -> Mapping[str, str]:
    rows = source.read_day(day)
    counts = {"rows_read": rows.rows_read, "duplicates": rows.duplicates, "quarantined": rows.quarantined_rows}
    return {name: str(count) for name, count in counts.items()}


@table_asset(
    tables.RAW_MESSAGES,
    group="raw",
    code=[sources],
    version=_source_version,
    annotate=_counts,
    deps=[SOURCE_ROWS],
    kinds=frozenset({"parquet", "source"}),
)
def raw_messages(day: str, source: Source) -> pa.Table:
    """The usable rows of the source, after field mapping, for the conversations that started on the day."""
    return source.read_day(day).messages


@table_asset(
    tables.QUARANTINED_ROWS,
    group="raw",
    code=[sources],
    version=_source_version,
    deps=[SOURCE_ROWS],
    kinds=frozenset({"parquet", "source"}),
)
def quarantined_rows(day: str, source: Source) -> pa.Table:
    """The rows of the source that could not be used, each with its reason and its original content."""
    return source.read_day(day).quarantined


@table_asset(
    tables.RAW_CONVERSATIONS,
    group="raw",
    code=[transform],
    upstream={"raw_messages": raw_messages},
    isolates=True,
    kinds=frozenset({"parquet", "pandas"}),
)
def raw_conversations(raw_messages: pa.Table) -> pa.Table:
    """What the messages of a conversation state about it: who, where, when, outcome."""
    return conversations.raw_conversations(raw_messages)


ASSETS = [raw_messages, quarantined_rows, raw_conversations]
