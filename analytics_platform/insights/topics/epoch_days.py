"""The calendar of topic epochs: their dates and their days, and how many are in force on a day.

The module imports nothing that takes long, because every command that looks for stale days uses it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

FOUNDING = 400
"""Conversations that the first epoch waits for; until then, it is computed anew from all stored days."""
WINDOW_DAYS = 28
"""Days before an epoch that new topics are looked for in; a topic without a conversation on them is dead."""
_WEEK = 7


@dataclass(frozen=True)
class EpochDays:
    """The days of an epoch.

    Attributes:
        date: The Monday from which it is in force; of the first epoch, its last day.
        days: The stored days that it is computed from, ascending.
    """

    date: dt.date
    days: tuple[str, ...]


def plan_epochs(counts: Mapping[str, int], founding: int = FOUNDING) -> list[EpochDays]:
    """Return the epochs that some stored days have, the earliest first.

    The first epoch reads all days before the first Monday by which enough conversations are stored; while there is no
    such Monday, all stored days. Each later Monday, up to the last stored day, is an epoch if conversations are stored
    in the week before it.

    Args:
        counts: Number of conversations by stored day.
        founding: Conversations that the first epoch waits for.
    """
    days = sorted(day for day, count in counts.items() if count)
    if not days:
        return []
    epochs: list[EpochDays] = []
    for monday in _mondays(days[0], days[-1]):
        before = [day for day in days if day < monday.isoformat()]
        if epochs:
            window = _since(before, monday, WINDOW_DAYS)
            if _since(window, monday, _WEEK):
                epochs.append(EpochDays(monday, window))
        elif sum(counts[day] for day in before) >= founding:
            epochs.append(EpochDays(dt.date.fromisoformat(before[-1]), tuple(before)))
    return epochs or [EpochDays(dt.date.fromisoformat(days[-1]), tuple(days))]


def _mondays(first: str, last: str) -> Iterator[dt.date]:
    """Yield each Monday after the first day, up to the last day."""
    day = dt.date.fromisoformat(first)
    day += dt.timedelta(days=_WEEK - day.weekday())
    while day <= dt.date.fromisoformat(last):
        yield day
        day += dt.timedelta(days=_WEEK)


def _since(days: Sequence[str], monday: dt.date, count: int) -> tuple[str, ...]:
    first = (monday - dt.timedelta(days=count)).isoformat()
    return tuple(day for day in days if day >= first)


def count_in_force(dates: Sequence[dt.date], day: str) -> int:
    """Return how many epochs are in force on a day; the first one is so on all earlier days, too.

    Args:
        dates: Date of each epoch, ascending.
        day: ``YYYY-MM-DD``.
    """
    date = dt.date.fromisoformat(day)
    return min(len(dates), 1) + sum(one <= date for one in dates[1:])
