"""Finds overdue tables: tables older than their inputs, and source tables not read for too long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping


def overdue_since(
    updated: Mapping[str, float],
    inputs: Mapping[str, Collection[str]],
    first_after: Callable[[str, float], float],
    now: float,
    hours: float,
) -> dict[str, float]:
    """Return the overdue tables, each with the start of its lag in seconds since the epoch.

    A table with inputs lags since the first update of an input after its own last update. A table without inputs, that
    is, of the source, lags since the source was last read. A table is overdue when it has lagged for more than
    ``hours``. A table that was never computed is not overdue, because nobody relies on it yet.

    Args:
        updated: Time of each table's last update, in seconds since the epoch; tables without an update are absent.
        inputs: The tables that each table reads.
        first_after: Returns the time of a table's first update after a given time; called only if there is one and the
            result matters.
        now: Seconds since the epoch.
        hours: Hours that a table may lag.
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
