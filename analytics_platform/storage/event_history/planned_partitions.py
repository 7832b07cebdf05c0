"""The rows of the partitions that a run plans to materialize, made of one event of each asset.

Dagster's UI marks a partition as failed if its newest event is a plan and the run of the plan has failed, so the
history needs a row for each asset and partition. Dagster makes and serializes an event for each of these rows. The
planned events of an asset differ in the partition alone, so here Dagster makes one event of an asset, with the set of
its partitions. Its text is serialized with a placeholder for the key, and each row gets its own key instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from dagster import DagsterEventType, EventLogEntry
from dagster._core.definitions.partitions.subset import PartitionsSubset

Row = Mapping[str, Any]
"""A row of Dagster's table of events, by column."""

ROWS_AT_ONCE = 1000
"""Rows of one statement; a row of a plan has about 700 bytes."""
_PLACEHOLDER = "\x00partition\x00"
"""Stands for the key in the serialized event; no key of a partition has such characters."""


def planned_partitions(event: EventLogEntry) -> PartitionsSubset | None:
    """Return the partitions that an event plans to materialize; None for any other event."""
    if event.dagster_event is None or event.dagster_event_type is not DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
        return None
    return event.dagster_event.partitions_subset


class PlannedRows:
    """The rows of planned partitions; safe to share between threads.

    Args:
        as_row: Returns the row of one event, with its columns ``event`` and ``partition``.
    """

    def __init__(self, as_row: Callable[[EventLogEntry], Row]) -> None:
        self._as_row = as_row
        self._latest: tuple[PartitionsSubset, Sequence[str]] | None = None
        """The latest set of partitions and its keys, ascending: the assets of a run mostly share one set."""

    def batches(self, event: EventLogEntry, subset: PartitionsSubset) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows that Dagster stores for single events of the partitions, at most 1,000 at once.

        The first row is also made of its own event. If the two rows differ, as they may in another version of Dagster,
        every row is made of its own event.

        Args:
            event: The event that plans the partitions.
            subset: The partitions.
        """
        keys = self._keys(subset)
        rows = (dict(self._as_row(_planning(event, key))) for key in keys)
        if keys and (like_first := self._like_first(event, keys)) is not None:
            rows = (like_first(key) for key in keys)
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            yield batch

    def _keys(self, subset: PartitionsSubset) -> Sequence[str]:
        latest = self._latest
        if latest is None or latest[0] != subset:
            latest = self._latest = subset, sorted(subset.get_partition_keys())
        return latest[1]

    def _like_first(self, event: EventLogEntry, keys: Sequence[str]) -> Callable[[str], dict[str, Any]] | None:
        """Return what makes the row of a key without an event; None if it would not make Dagster's row."""
        row = self._as_row(_planning(event, _PLACEHOLDER))
        before, *after = row["event"].split(json.dumps(_PLACEHOLDER))
        if len(after) != 1:
            return None

        def row_of(key: str) -> dict[str, Any]:
            return {**row, "event": f"{before}{json.dumps(key)}{after[0]}", "partition": key}

        return row_of if row_of(keys[0]) == self._as_row(_planning(event, keys[0])) else None


def _planning(event: EventLogEntry, key: str) -> EventLogEntry:
    """Return the event that plans one partition, instead of the set of partitions that the given event plans."""
    about = event.get_dagster_event()
    planned = about.asset_materialization_planned_data._replace(partitions_subset=None, partition=key)
    return event._replace(dagster_event=about._replace(event_specific_data=planned))
