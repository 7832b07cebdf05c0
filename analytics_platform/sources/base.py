"""What a source is: conversations by UTC day, with a version per day.

Belongs here: the protocol that every source fulfils, and the error that all of them raise. Does not belong
here: any particular source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import pyarrow as pa

from analytics_platform.errors import UserError

Progress = Callable[[int, int | None], None]
"""Told how many rows have been read, and how many are expected (None when that is not known)."""


class SourceError(UserError):
    """A source cannot be read; the message is one line that names the place and what to do."""


@dataclass(frozen=True)
class SourceDay:
    """What a source holds for one UTC day; its two tables are read when they are asked for.

    ``rows_read`` is counted where rows are read, apart from what becomes of them, so that
    ``rows_read == messages.num_rows + duplicates + quarantined_rows`` is worth checking.

    Attributes:
        read_messages: Reads the rows that can be used; canonical ``RAW_MESSAGES``.
        read_quarantined: Reads the rows that cannot be used, each with its reason; canonical ``QUARANTINED_ROWS``.
        rows_read: Number of rows that were read for the day.
        duplicates: Number of rows dropped because the very same message was read before.
        quarantined_rows: Number of rows that cannot be used.
    """

    read_messages: Callable[[], pa.Table]
    read_quarantined: Callable[[], pa.Table]
    rows_read: int
    duplicates: int
    quarantined_rows: int

    @cached_property
    def messages(self) -> pa.Table:
        """The rows that can be used; canonical ``RAW_MESSAGES``."""
        return self.read_messages()

    @cached_property
    def quarantined(self) -> pa.Table:
        """The rows that cannot be used, each with its reason; canonical ``QUARANTINED_ROWS``."""
        return self.read_quarantined()


@dataclass(frozen=True)
class SourceStatus:
    """How far the platform has come with reading a source.

    Attributes:
        rows: Rows that are known; None when they are not counted.
        complete: Whether the source has been read to its end at least once.
        refreshed_at: When it was last found to be read to its end, ISO 8601; None before the first time.
        reconciled_at: When ids were last compared with the source's; None when never.
        cursor: How far changes have been read, in the source's own time; None where there is no such thing.
        expected_rows: Rows that the last look had to read.
        rows_per_second: How fast it read them.
        drift: Columns that came or went, one line each.
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
    """A place conversations come from. A conversation belongs to the UTC day of its first message."""

    @property
    def name(self) -> str:
        """Short name of the source, kept with every row."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Keep one state of the source until the block ends: what ``refresh``, or the first call, found in the block.

        Afterwards, a state that nobody reads any more may be removed. Every other call is such a block of its own;
        blocks may be nested.
        """
        ...

    def refresh(self, *, seconds: float | None = None, on_progress: Progress | None = None) -> bool:
        """Look for what is new or changed at the source; ``days`` and ``read_day`` speak of what was found last.

        Args:
            seconds: Stop after about this long; the next call goes on from there. To the end when None.
            on_progress: Told how far it has come.

        Returns:
            Whether all that is new has been read.

        Raises:
            SourceError: If the source cannot be read.
        """
        ...

    def reconcile(self, *, accept_loss: bool = False, on_progress: Progress | None = None) -> Mapping[str, int]:
        """Compare everything with the source, and take over what left no trace when it changed, such as deletions.

        Args:
            accept_loss: Believe the source even when most of it is gone.
            on_progress: Told how far it has come.

        Returns:
            Number of rows that were different, by what was the matter.

        Raises:
            SourceError: If the source cannot be read, or most of it is gone.
        """
        ...

    def status(self) -> SourceStatus:
        """Return how far reading has come, without asking the source."""
        ...

    def days(self) -> Mapping[str, str]:
        """Return the days that hold any row, ascending, each with a version.

        The version is a hash of what the source holds for the day, so the days that have changed since an
        earlier call are the difference of the two mappings.

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

    def read_day(self, day: str) -> SourceDay:
        """Return the rows of one day, ``YYYY-MM-DD``; empty tables for a day without any.

        Raises:
            SourceError: If the source cannot be read.
        """
        ...
