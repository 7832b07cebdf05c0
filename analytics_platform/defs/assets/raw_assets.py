"""The ``raw`` group: typed rows of the source, the conversations they form, and the unusable rows."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.tables import raw_tables as tables
from analytics_platform.sources import sample_source
from analytics_platform.sources.base import NO_ROWS, Source, require_usable
from analytics_platform.sources.file_reading import file_source
from analytics_platform.sources.nocodb import source as nocodb_source
from analytics_platform.transform import conversations

SOURCE_ROWS = "source_rows"
"""The asset that represents the source: a sensor observes its state, and no table is stored for it."""
SOURCES = [file_source, sample_source, nocodb_source]
"""The modules behind the resource ``source``."""
_PLACE = GraphPlace("raw", frozenset({"parquet", "source"}))
_AFTER_SOURCE = Upstream(wait_for=[SOURCE_ROWS])


def _source_version(day: str, source: Source) -> Mapping[str, str]:
    return {"source": f"{source.name}:{source.days().get(day, NO_ROWS)}"}


def _counts(day: str, source: Source) -> Mapping[str, str]:
    rows = source.read_day(day)
    counts = {"rows_read": rows.rows_read, "duplicates": rows.duplicates, "quarantined": rows.quarantined_rows}
    return {name: str(count) for name, count in counts.items()}


def _source_counts(day: str, table: pa.Table, source: Source) -> Mapping[str, int]:
    """Return the counts over the whole source; examples of values stay out of metadata."""
    del day, table
    return {f"source_{name}": count for name, count in source.summary().counts().items()}


@table_asset(
    tables.RAW_MESSAGES,
    _PLACE,
    upstream=_AFTER_SOURCE,
    code=SOURCES,
    facts=PartitionFacts(version=_source_version, annotate=_counts),
)
def raw_messages(day: str, source: Source) -> pa.Table:
    """Usable rows of the source, after field mapping, of the conversations that started on the day."""
    require_usable(source.summary())
    return source.read_day(day).messages


@table_asset(
    tables.QUARANTINED_ROWS,
    _PLACE,
    upstream=_AFTER_SOURCE,
    code=SOURCES,
    facts=PartitionFacts(version=_source_version, metadata=_source_counts),
)
def quarantined_rows(day: str, source: Source) -> pa.Table:
    """Rows of the source that cannot be used, each with the reason and its original content."""
    require_usable(source.summary())
    return source.read_day(day).quarantined


def _unplaced_version(day: str, source: Source) -> Mapping[str, str]:
    del day
    return {"source": f"{source.name}:{source.unplaced().version}"}


def _unplaced_counts(day: str, source: Source) -> Mapping[str, str]:
    del day
    rows = source.unplaced()
    return {"rows_read": str(rows.rows_read), "duplicates": str(rows.duplicates)}


@table_asset(
    tables.UNPLACED_ROWS,
    _PLACE,
    upstream=_AFTER_SOURCE,
    code=SOURCES,
    facts=PartitionFacts(version=_unplaced_version, annotate=_unplaced_counts),
    cadence=Cadence.WHOLE,
)
def unplaced_rows(source: Source) -> pa.Table:
    """Rows of the source that cannot be used and belong to no day, each with the reason and its original content."""
    require_usable(source.summary())
    return source.unplaced().read_quarantined()


@table_asset(
    tables.RAW_CONVERSATIONS,
    GraphPlace("raw", frozenset({"parquet", "pandas"})),
    upstream=Upstream({"raw_messages": raw_messages}),
    isolates=True,
)
def raw_conversations(raw_messages: pa.Table) -> pa.Table:
    """Customer, agent, channel, times, rating and outcome of each conversation, as its messages state them."""
    return conversations.raw_conversations(raw_messages)


ASSETS = [raw_messages, quarantined_rows, unplaced_rows, raw_conversations]
OF_SOURCE = [raw_messages, quarantined_rows, unplaced_rows]
"""The assets that read the source."""
