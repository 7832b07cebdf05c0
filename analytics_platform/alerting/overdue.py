"""Which tables are overdue: older than the tables they read, or not read from the source for too long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping


def overdue_since(
    updated: Mapping[str, float],
    inputs: Mapping[str, Collection[str]],
    first_after: Callable[[str, float], float],
    now: float,
    hours: float,
) -> dict[str, float]:
    """Return the overdue tables, each with the time since which it lags, in seconds since the epoch.

    A table that reads others lags since the first time that one of them was updated and it was not. One that reads
    none, a table of the source, lags since the source was last read. It is overdue when it has lagged for ``hours``. A
    table that was never computed is not overdue: nobody relies on it yet.

    Args:
        updated: When each table was last brought up to date; one that never was is absent.
        inputs: The tables that each table reads.
        first_after: Gives the time of a table's first update after a time; asked only where there is one, and where
            the answer decides.
        now: Seconds since the epoch.
        hours: How long a table may lag.
    """
    old = {name: time for name, time in updated.items() if now - time > hours * 3600}
    since: dict[str, float] = {}
    for name, time in old.items():
        newer = [table for table in inputs.get(name, ()) if updated.get(table, time) > time]
        if newer:
            since[name] = min(first_after(table, time) for table in newer)
        elif not inputs.get(name):
            since[name] = time
    return {name: time for name, time in since.items() if now - time > hours * 3600}
