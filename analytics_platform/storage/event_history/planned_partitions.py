"""The rows of the partitions that a run plans to materialize, made of one event of each asset.

Dagster's UI marks a partition as failed if its newest event is a plan and the run of the plan has failed, so the
history needs a row for each asset and partition. Dagster makes and serializes an event for each. The events of an asset
differ in the partition alone, so here Dagster makes one event of an asset, with the set of its partitions; the event is
serialized once, and the rows differ in the partition's key.
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
    """The rows of planned partitions. The keys of the latest set are kept: the assets of a run mostly share one.

    Args:
        as_row: Returns the row of one event, with its columns ``event`` and ``partition``.
    """

    def __init__(self, as_row: Callable[[EventLogEntry], Row]) -> None:
        self._as_row = as_row
        self._latest: PartitionsSubset | None = None
        self._keys: Sequence[str] = ()

    def batches(self, event: EventLogEntry, subset: PartitionsSubset) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows that Dagster stores for single events of the partitions, some rows at once.

        Args:
            event: The event that plans the partitions.
            subset: The partitions.
        """
        if self._latest is None or self._latest != subset:
            self._latest, self._keys = subset, sorted(subset.get_partition_keys())
        about = event.get_dagster_event()
        planned = about.asset_materialization_planned_data._replace(partitions_subset=None, partition=_PLACEHOLDER)
        row = self._as_row(event._replace(dagster_event=about._replace(event_specific_data=planned)))
        before, after = row["event"].split(json.dumps(_PLACEHOLDER))
        rows = ({**row, "event": f"{before}{json.dumps(key)}{after}", "partition": key} for key in self._keys)
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            yield batch
