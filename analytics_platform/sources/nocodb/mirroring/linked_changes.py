"""Read again the rows whose linked records have changed.

A row's own time does not change when it is linked to another record, or when a field of the linked record changes: the
server changes the linked record's time, or no time at all. ``NocoSource.reconcile`` finds the changes without a time.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from analytics_platform.sources.nocodb.mirroring.mirror import MESSAGES, OpenMirror
from analytics_platform.sources.nocodb.mirroring.pull import OVERLAP
from analytics_platform.sources.nocodb.noco_api.client import NocoClient
from analytics_platform.sources.nocodb.noco_api.filters import changed_since, one_of
from analytics_platform.sources.nocodb.noco_api.nocodb_tables import NocoTable
from analytics_platform.sources.nocodb.noco_api.pages import Row
from analytics_platform.sources.nocodb.noco_tables.linked_records import CHANGE_TIMES, Link
from analytics_platform.sources.nocodb.noco_tables.record_reading import RecordReading
from analytics_platform.sources.nocodb.noco_tables.records import ID, newest_stamp

_IDS_PER_REQUEST = 100

Store = Callable[[Iterable[list[Row]]], "np.ndarray[Any, np.dtype[np.int64]]"]


class LinkedChanges:
    """One pass over the changed records of the tables that a table links; it can stop and continue later.

    A record counts as changed if its time differs from the one stored with a row, or lies no more than ``OVERLAP``
    before the pass before, because the server's times have whole seconds and records may be committed late.

    Args:
        mirror: The mirror that stores the rows.
        table: Number of the table whose rows are read again.
        description: The server's description of this table.
        reading: How the records of this table are read.
        client: Client of the server.
        store: Stores pages of rows of this table, and returns their ids.
    """

    def __init__(
        self,
        mirror: OpenMirror,
        table: int,
        description: NocoTable,
        reading: RecordReading,
        client: NocoClient,
        store: Store,
    ) -> None:
        self._mirror = mirror
        self._table = table
        self._description = description
        self._links = [link for link in reading.links if link.is_followed]
        self._reading = reading
        self._client = client
        self._store = store
        self._fact = f"linked_{'messages' if table == MESSAGES else 'conversations'}"
        self._states: dict[str, dict[str, Any]] = mirror.facts().get(self._fact, {})

    def run(self, deadline: float | None) -> bool:
        """Read the rows again; return whether the pass reached its end.

        Args:
            deadline: Value of ``time.monotonic()`` after which the pass stops; None for no deadline.
        """
        tables = dict.fromkeys(link.table.id for link in self._links)
        return all(self._follow(table, deadline) for table in tables)

    def _follow(self, linked_table: str, deadline: float | None) -> bool:
        state = self._states.get(linked_table)
        if state is None:  # the rows have just been read for the first time, with their linked records
            self._states[linked_table] = self._first_state()
            self._mirror.remember({self._fact: self._states})
            return True
        if "began" not in state:
            state |= {"began": _now().isoformat(), "after": 0, "newest": None}
        since = _time(state["seen_until"]) - OVERLAP
        recent = _time(state["looked_at"]) - OVERLAP
        pages = self._client.pages(
            linked_table, where=changed_since(since.replace(microsecond=0)), fields=CHANGE_TIMES, after=state["after"]
        )
        for page in pages:
            self._read_again(linked_table, self._changed(linked_table, page, recent))
            state["after"] = page[-1][ID]
            state["newest"] = max(filter(None, (state["newest"], newest_stamp(page))), default=None)
            self._mirror.remember({self._fact: self._states})
            if deadline is not None and time.monotonic() > deadline:
                return False
        newest = max(filter(None, (state["newest"], state["seen_until"])))
        self._states[linked_table] = {"seen_until": min(newest, state["began"]), "looked_at": state["began"]}
        self._mirror.remember({self._fact: self._states})
        return True

    def _first_state(self) -> dict[str, Any]:
        pulled = self._mirror.facts().get("messages" if self._table == MESSAGES else "conversations", {})
        now = _now().isoformat()
        return {"seen_until": pulled.get("seen_until") or now, "looked_at": pulled.get("began") or now}

    def _changed(self, linked_table: str, page: Sequence[Row], recent: dt.datetime) -> list[int]:
        stamps = {row[ID]: row.get("UpdatedAt") or row.get("CreatedAt") for row in page}
        stored = self._mirror.linked_stamps(linked_table, list(stamps))
        return [
            key
            for key, stamp in stamps.items()
            if stamp is None or _time(stamp) >= recent or stored.get(key, {stamp}) != {stamp}
        ]

    def _read_again(self, linked_table: str, linked_ids: Sequence[int]) -> None:
        """Read the rows that link certain records now, and those that did when they were read last."""
        columns = [self._foreign_key(link) for link in self._links if link.table.id == linked_table]
        for start in range(0, len(linked_ids), _IDS_PER_REQUEST):
            asked = linked_ids[start : start + _IDS_PER_REQUEST]
            known = self._mirror.rows_that_link(self._table, linked_table, asked)
            for column in filter(None, columns):
                read = self._store(self._pages(column, asked))
                known = np.setdiff1d(known, read)
            for first in range(0, len(known), _IDS_PER_REQUEST):
                ids = [int(number) for number in known[first : first + _IDS_PER_REQUEST]]
                self._store(self._pages(ID, ids))

    def _pages(self, column: str, values: Sequence[int]) -> Iterable[list[Row]]:
        return self._client.pages(
            self._description.id, where=one_of(column, values), linked=self._reading.linked_fields
        )

    def _foreign_key(self, link: Link) -> str | None:
        """Return the title of the column of this table that holds the linked record's key; None if it has none."""
        column = self._description.column_by_id(link.column.foreign_key)
        return column.title if column is not None and column.type == "ForeignKey" else None


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
