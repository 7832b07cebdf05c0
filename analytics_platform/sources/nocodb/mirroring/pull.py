"""One pass over the rows of a table that have changed since the pass before.

A pass requests changed rows by the server's own times, starting some minutes back, and new rows by row id. It therefore
finds rows that were committed late, have whole-second times, or come from a clock that is off; a row that arrives
unchanged changes nothing. The progress of a pass is stored in the same transaction as its rows.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any

from analytics_platform.sources.base import Progress
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.nocodb.mirroring.mirror import MESSAGES, OpenMirror
from analytics_platform.sources.nocodb.noco_api.client import NocoClient
from analytics_platform.sources.nocodb.noco_api.filters import Filter, any_of, changed_since, gt
from analytics_platform.sources.nocodb.noco_tables.record_reading import RecordReading
from analytics_platform.sources.nocodb.noco_tables.records import ID, columns_of, newest_stamp, to_rows

logger = logging.getLogger(__name__)

OVERLAP = dt.timedelta(minutes=10)
"""Every pass begins this long before the newest time seen, because rows may be committed late."""

_BUFFER_ROWS = 10_000
_DRIFT_KEPT = 20


class Pull:
    """One pass over the changed rows of a table; it can stop between two batches and continue later.

    Args:
        mirror: The mirror that stores the rows.
        table: Number of the table.
        client: Client of the server.
        identity: Id of the table.
        mapping: Field mapping.
        reading: How the records of the table are read.
    """

    def __init__(
        self,
        mirror: OpenMirror,
        table: int,
        client: NocoClient,
        identity: str,
        mapping: FieldMapping,
        reading: RecordReading,
    ) -> None:
        self._mirror = mirror
        self._table = table
        self._client = client
        self._identity = identity
        self._mapping = mapping
        self._reading = reading
        self._fact = "messages" if table == MESSAGES else "conversations"
        known = mirror.facts()
        self._state: dict[str, Any] = known.get(self._fact, {})
        self._drift: list[str] = known.get("drift", [])
        if not self._state.get("pass"):
            self._state["pass"] = self._begin()
        self._pass: dict[str, Any] = self._state["pass"]

    def _begin(self) -> dict[str, Any]:
        seen_until = self._state.get("seen_until")
        since = (dt.datetime.fromisoformat(seen_until) - OVERLAP).isoformat() if seen_until else None
        return {"after": 0, "above": self._state.get("last_id", 0), "since": since, "began": _now().isoformat()}

    def run(self, deadline: float | None, on_progress: Progress | None) -> bool:
        """Store batch after batch of rows; return whether the pass reached its end.

        Args:
            deadline: Value of ``time.monotonic()`` after which the pass stops; None for no deadline.
            on_progress: Called with rows read and rows expected.
        """
        where = self._where()
        expected = self._client.count(self._identity, where)
        started, rows = time.monotonic(), 0
        pages = self._client.pages(
            self._identity, where=where, after=self._pass["after"], linked=self._reading.linked_fields
        )
        for records in _batches(pages):
            rows += len(records)
            seconds = time.monotonic() - started
            self._state |= {"expected": expected, "rows_per_second": round(rows / max(seconds, 1e-3), 1)}
            self._take(records)
            if on_progress:
                on_progress(rows, expected)
            if deadline is not None and time.monotonic() > deadline and len(records) == _BUFFER_ROWS:
                return False
        self._end()
        return True

    def _where(self) -> Filter | None:
        if self._pass["since"] is None:
            return None
        since = dt.datetime.fromisoformat(self._pass["since"]).replace(microsecond=0)
        return any_of(changed_since(since), gt(ID, self._pass["above"]))

    def _take(self, records: list[dict[str, Any]]) -> None:
        read, problems = self._reading.read(records)
        self._note_columns(columns_of(records), columns_of(read))
        last = int(records[-1][ID])
        self._pass["after"] = last
        self._state["last_id"] = max(self._state.get("last_id", 0), last)
        newest = newest_stamp(records)
        self._pass["newest"] = max(filter(None, (self._pass.get("newest"), newest)), default=None)
        rows = to_rows(read, self._table, self._mapping, self._identity, problems)
        facts = {self._fact: self._state, "drift": self._drift}
        self._mirror.put(self._table, rows, self._reading.stamps(records), facts, self._reading.linked(records))

    def _end(self) -> None:
        """Store the newest of the server's times seen, but none after the begin of the pass, in case a clock is off."""
        newest = max(filter(None, (self._pass.get("newest"), self._state.get("seen_until"))), default=None)
        if newest is not None:
            self._state["seen_until"] = min(newest, self._pass["began"])
        self._state["began"] = self._pass["began"]
        self._state["pass"] = None
        self._mirror.remember({self._fact: self._state})

    def _note_columns(self, now: list[str], names: list[str]) -> None:
        """Record columns added or removed since the last batch; refuse a table that lacks a required column.

        Args:
            now: Titles of the columns.
            names: Names under which their values are read.
        """
        before = self._state.get("columns")
        if self._table == MESSAGES:
            self._mapping.require_columns({*now, *names}, f"NocoDB table {self._identity}")
        if before is not None and now != before:
            came, went = sorted(set(now) - set(before)), sorted(set(before) - set(now))
            line = f"{_now().isoformat(timespec='seconds')} table {self._identity}: new {came}, gone {went}"
            logger.warning("columns have changed: %s", line)
            self._drift = [*self._drift[1 - _DRIFT_KEPT :], line]
        self._state["columns"] = now


def _batches(pages: Iterable[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """Join pages to batches of at least ``_BUFFER_ROWS`` rows; the last batch may be smaller."""
    batch: list[dict[str, Any]] = []
    for page in pages:
        batch.extend(page)
        if len(batch) >= _BUFFER_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
