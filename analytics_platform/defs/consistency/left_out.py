"""Counts what stored partitions leave out: quarantined rows, and conversations that could not be processed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analytics_platform.defs.assets.processing_errors import ISOLATING
from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.model.tables.error_tables import PROCESSING_ERRORS
from analytics_platform.model.tables.raw_tables import QUARANTINED_ROWS, UNPLACED_ROWS
from analytics_platform.storage.failures import Failure, failures_of
from analytics_platform.storage.partitions import PartitionStore


@dataclass(frozen=True)
class FailedConversation:
    """A conversation for which the computation of one table failed.

    Attributes:
        date: Day of the conversation, ``YYYY-MM-DD``.
        conversation_id: Identifier of the conversation.
        table_name: The table whose computation failed.
        error: The error in one line.
        attempts: Number of attempts so far.
    """

    date: str
    conversation_id: str
    table_name: str
    error: str
    attempts: int


def count_quarantined(lake: PartitionStore, days: Sequence[str]) -> int:
    """Return the number of quarantined rows over the stored ones of these days."""
    found = (lake.info(QUARANTINED_ROWS.name, day) for day in days)
    return sum(info.rows for info in found if info is not None)


def count_unplaced(lake: PartitionStore) -> int:
    """Return the number of stored quarantined rows that belong to no day."""
    info = lake.info(UNPLACED_ROWS.name, "")
    return info.rows if info is not None else 0


def days_with_errors(lake: PartitionStore, days: Iterable[str]) -> list[str]:
    """Return the days whose stored ``processing_errors`` has rows."""
    infos = ((day, lake.info(PROCESSING_ERRORS.name, day)) for day in days)
    return [day for day, info in infos if info is not None and info.rows]


def stored_failures(
    lake: PartitionStore, assets: Iterable[TableAsset], days: Sequence[str]
) -> list[tuple[str, str, Failure]]:
    """Return (day, table, failure) for each conversation that failed in a stored partition of these days."""
    names = [asset.recipe.table.name for asset in assets if asset.recipe.isolates]
    return [(day, name, failure) for day in days for name in names for failure in failures_of(lake.info(name, day))]


def failed_conversations(platform: Platform, days: Sequence[str]) -> list[FailedConversation]:
    """Return the failed conversations of all tables over these days."""
    return [
        FailedConversation(day, failure.conversation_id, table, failure.error, failure.attempts)
        for day, table, failure in stored_failures(platform.lake, ISOLATING, days)
    ]
