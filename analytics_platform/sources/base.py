"""What a source is: conversations by UTC day, with a version per day.

Belongs here: the protocol that every source fulfils, and the error that all of them raise. Does not belong
here: any particular source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from analytics_platform.errors import UserError


class SourceError(UserError):
    """A source cannot be read; the message is one line that names the place and what to do."""


@dataclass(frozen=True)
class SourceDay:
    """What a source holds for one UTC day.

    ``rows_read`` is counted where rows are read, apart from what becomes of them, so that
    ``rows_read == messages.num_rows + duplicates + quarantined.num_rows`` is worth checking.

    Attributes:
        messages: Rows that can be used; canonical ``RAW_MESSAGES``.
        quarantined: Rows that cannot be used, each with its reason; canonical ``QUARANTINED_ROWS``.
        rows_read: Number of rows that were read for the day.
        duplicates: Number of rows dropped because the very same message was read before.
    """

    messages: pa.Table
    quarantined: pa.Table
    rows_read: int
    duplicates: int


class Source(Protocol):
    """A place conversations come from. A conversation belongs to the UTC day of its first message."""

    @property
    def name(self) -> str:
        """Short name of the source, kept with every row."""
        ...

    def days(self) -> Mapping[str, str]:
        """Return the days that hold any row, ascending, each with a version.

        The version is a hash of what the source holds for the day, so the days that have changed since an
        earlier call are the difference of the two mappings.

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
