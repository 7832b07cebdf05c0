"""One pass over what has changed in one table since the pass before.

What has changed is asked of the server by the times that it keeps itself, some minutes back, and by row id, so that
rows committed late, with whole-second times or with a clock that is off are not missed; a row that comes again as it
was changes nothing. How far a pass has come is remembered together with its rows. Belongs here: that. Does not belong
here: how it is asked (``client``), and what becomes of the rows (``mirror``).
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from analytics_platform.sources.base import Progress
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.nocodb.client import NocoClient
from analytics_platform.sources.nocodb.filters import Filter, changed_since, gt
from analytics_platform.sources.nocodb.mirror import MESSAGES, OpenMirror
from analytics_platform.sources.nocodb.records import ID, columns_of, newest_stamp, stamps_of, to_rows

logger = logging.getLogger(__name__)

OVERLAP = dt.timedelta(minutes=10)
"""How far behind the newest time seen every pass begins: rows may be committed that late."""

_BUFFER_ROWS = 10_000
_DRIFT_KEPT = 20


class Pull:
    """One pass over what has changed in one table; it can stop between two pages and go on later.

    Args:
        mirror: Where to.
        table: Number of the table.
        client: Asks the server.
        identity: Id of the table.
        mapping: Field mapping.
    """

    def __init__(
        self, mirror: OpenMirror, table: int, client: NocoClient, identity: str, mapping: FieldMapping
    ) -> None:
        self._mirror = mirror
        self._table = table
        self._client = client
        self._identity = identity
        self._mapping = mapping
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
        """Take over page after page; return whether the pass came to its end."""
        where = self._where()
        expected = self._client.count(self._identity, where)
        started, rows = time.monotonic(), 0
        for records in _batches(self._client.pages(self._identity, where=where, after=self._pass["after"])):
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
        return changed_since(since) | gt(ID, self._pass["above"])

    def _take(self, records: list[dict[str, Any]]) -> None:
        self._note_columns(records)
        last = int(records[-1][ID])
        self._pass["after"] = last
        self._state["last_id"] = max(self._state.get("last_id", 0), last)
        newest = newest_stamp(records)
        self._pass["newest"] = max(filter(None, (self._pass.get("newest"), newest)), default=None)
        rows = to_rows(records, self._table, self._mapping, self._identity)
        self._mirror.put(self._table, rows, stamps_of(records), {self._fact: self._state, "drift": self._drift})

    def _end(self) -> None:
        """Remember how far the server's times were seen: not beyond the pass's begin, whatever a clock says."""
        newest = max(filter(None, (self._pass.get("newest"), self._state.get("seen_until"))), default=None)
        if newest is not None:
            self._state["seen_until"] = min(newest, self._pass["began"])
        self._state["pass"] = None
        self._mirror.remember({self._fact: self._state})

    def _note_columns(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Report columns that came or went since the last time; refuse a table that lacks one that is needed."""
        now, before = columns_of(records), self._state.get("columns")
        if self._table == MESSAGES:
            self._mapping.require_columns(now, f"NocoDB table {self._identity}")
        if before is not None and now != before:
            came, went = sorted(set(now) - set(before)), sorted(set(before) - set(now))
            line = f"{_now().isoformat(timespec='seconds')} table {self._identity}: new {came}, gone {went}"
            logger.warning("columns have changed: %s", line)
            self._drift = [*self._drift[1 - _DRIFT_KEPT :], line]
        self._state["columns"] = now


def _batches(pages: Iterable[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """Join pages to batches of ``_BUFFER_ROWS`` rows; the last one is smaller."""
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
