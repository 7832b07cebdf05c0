"""The protocol of a source: conversations by UTC day, with a version per day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import pyarrow as pa

from analytics_platform.errors import UserError
from analytics_platform.sources.row_rules.row_summary import RowSummary

Progress = Callable[[int, int | None], None]
"""Callback with the number of rows read so far and the number expected (None when unknown)."""


class SourceError(UserError):
    """A source cannot be read; the message is one line that names the place and the remedy."""


class NoMessagesError(SourceError):
    """A table lacks the columns of messages; a folder or zip may contain it beside the messages."""


class NothingUsableError(SourceError):
    """A source has rows, and none of them can be used; nothing that was stored before is replaced."""


def require_usable(summary: RowSummary) -> None:
    """Refuse a source that has rows of which none can be used.

    Raises:
        NothingUsableError: With the most frequent reason, an example, and what mends it.
    """
    if summary.is_total_loss:
        most = summary.reasons[0]
        raise NothingUsableError(
            f"{_none_of(summary.rows_read)} be used, so nothing is computed and nothing "
            f"replaced: {most.rows:,} {most.reason}, e.g. {most.example}; {most.remedy}"
        )


@dataclass(frozen=True)
class SourceDay:
    """The rows of a source for one UTC day; each of the two tables is read at first access.

    ``rows_read`` is counted while rows are read, independently of the two tables, so that
    ``rows_read == messages.num_rows + duplicates + quarantined_rows`` is a meaningful check.

    Attributes:
        read_messages: Reads the usable rows; canonical ``RAW_MESSAGES``.
        read_quarantined: Reads the unusable rows, each with its reason; canonical ``QUARANTINED_ROWS``.
        rows_read: Number of rows read for the day.
        duplicates: Number of rows dropped because an identical message was read before.
        quarantined_rows: Number of unusable rows.
    """

    read_messages: Callable[[], pa.Table]
    read_quarantined: Callable[[], pa.Table]
    rows_read: int
    duplicates: int
    quarantined_rows: int

    @cached_property
    def messages(self) -> pa.Table:
        """The usable rows; canonical ``RAW_MESSAGES``."""
        return self.read_messages()

    @cached_property
    def quarantined(self) -> pa.Table:
        """The unusable rows, each with its reason; canonical ``QUARANTINED_ROWS``."""
        return self.read_quarantined()


def _none_of(rows: int) -> str:
    return "the only row of the source cannot" if rows == 1 else f"none of the {rows:,} rows of the source can"


NO_ROWS = "no rows"
"""Version of a day, or of the unplaced rows, without any row."""


@dataclass(frozen=True)
class UnplacedRows:
    """The rows of a source that belong to no day, because their conversation has no time, or none that is kept.

    Attributes:
        version: Hash of the rows; ``NO_ROWS`` without any.
        read_quarantined: Reads the unusable rows, each with its reason; canonical ``UNPLACED_ROWS``.
        rows_read: Number of rows read that belong to no day.
        duplicates: Number of rows of them that repeat another one of them.
        quarantined_rows: Number of unusable rows.
    """

    version: str
    read_quarantined: Callable[[], pa.Table]
    rows_read: int
    duplicates: int
    quarantined_rows: int


@dataclass(frozen=True)
class SourceStatus:
    """The progress of reading a source.

    Attributes:
        rows: Number of rows read; None when they are not counted.
        complete: Whether the source has been read to its end at least once.
        refreshed_at: Time when the source was last read to its end, ISO 8601; None before the first time.
        reconciled_at: Time when ids were last compared with the source's ids; None when never.
        cursor: Time up to which changes have been read, by the source's clock; None for a source without a cursor.
        expected_rows: Rows that the last refresh had to read.
        rows_per_second: Speed of the last refresh.
        drift: Added and removed columns, one line each.
    """

    rows: int | None = None
    complete: bool = True
    refreshed_at: str | None = None
    reconciled_at: str | None = None
    cursor: str | None = None
    expected_rows: int | None = None
    rows_per_second: float | None = None
    drift: tuple[str, ...] = ()


class Source(Protocol):
    """A source of conversations. A conversation belongs to the UTC day of its first message."""

    @property
    def name(self) -> str:
        """Short name of the source, stored with every row."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Keep one state of the source until the block ends: the state that the block's ``refresh`` or first call read.

        After the block, a state that has no reader may be removed. Every call outside a block counts as a block of its
        own; blocks may be nested.
        """
        ...

    def refresh(self, *, seconds: float | None = None, on_progress: Progress | None = None) -> bool:
        """Read new and changed rows from the source; ``days`` and ``read_day`` return the state of the last refresh.

        Args:
            seconds: Stop after about this long; the next call continues there. None reads to the end.
            on_progress: Called with the progress.

        Returns:
            Whether all new and changed rows have been read.

        Raises:
            SourceError: If the source cannot be read.
        """
        ...

    def reconcile(self, *, accept_loss: bool = False, on_progress: Progress | None = None) -> Mapping[str, int]:
        """Compare all rows with the source, and apply changes that ``refresh`` cannot detect, such as deletions.

        Args:
            accept_loss: Apply deletions even if most of the source is gone.
            on_progress: Called with the progress.

        Returns:
            Number of differing rows by kind of difference.

        Raises:
            SourceError: If the source cannot be read, or most of it is gone.
        """
        ...

    def status(self) -> SourceStatus:
        """Return the progress of reading, without a request to the source."""
        ...

    def days(self) -> Mapping[str, str]:
        """Return the days that have rows, ascending, each with a version.

        The version is a hash of the day's rows, so two results of this call differ exactly in the changed days.

        Raises:
            SourceError: If the source cannot be read.
        """
        ...

    def rows_by_day(self) -> Mapping[str, int]:
        """Return the number of rows read for each day of ``days``, without reading the days.

        Raises:
            SourceError: If the source cannot be read.
        """
        ...

    def summary(self) -> RowSummary:
        """Return what became of all rows of the source, of whatever day; no rows before the source is read.

        Raises:
            SourceError: If the source cannot be read.
        """
        ...

    def read_day(self, day: str) -> SourceDay:
        """Return the rows of one day, ``YYYY-MM-DD``; empty tables for a day without any.

        Raises:
            SourceError: If the source cannot be read.
        """
        ...

    def unplaced(self) -> UnplacedRows:
        """Return the rows that no day of ``days`` has.

        Raises:
            SourceError: If the source cannot be read.
        """
        ...
