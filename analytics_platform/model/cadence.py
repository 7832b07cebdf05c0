"""The cadence of a table: how often it gets a new partition, and which partition a day belongs to.

Assets can be ``DAILY`` or ``WHOLE``. ``WEEKLY`` and ``MONTHLY`` are kinds of reports: a weekly report is a daily asset
that reads seven days (``docs/adding-a-report.md``).
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum


class Cadence(StrEnum):
    """The period that one partition of a table covers."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    WHOLE = "whole"
    """One partition holds the whole table."""

    def partition_of(self, day: str) -> str:
        """Return the key of the partition that a day belongs to.

        Args:
            day: ``YYYY-MM-DD``.

        Returns:
            The day itself, the Monday of its week, the first day of its month, or ``""`` for the whole table.

        >>> Cadence.WEEKLY.partition_of("2006-06-01")
        '2006-05-29'
        """
        match self:
            case Cadence.DAILY:
                return day
            case Cadence.WHOLE:
                return ""
            case Cadence.WEEKLY:
                date = dt.date.fromisoformat(day)
                return (date - dt.timedelta(days=date.weekday())).isoformat()
            case Cadence.MONTHLY:
                return dt.date.fromisoformat(day).replace(day=1).isoformat()


SUPPORTED = (Cadence.DAILY, Cadence.WHOLE)
"""Cadences that an asset can have; partitions, locks, checks and repair know no other."""
