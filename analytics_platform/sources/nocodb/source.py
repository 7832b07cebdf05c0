"""The source that pulls new and changed rows from NocoDB into a mirror, which publishes the days.

``reconcile`` finds changes without a trace (a deletion, a row written past NocoDB with an old time, a link set at the
row): it compares the ids, times and links of all rows. `pull` chooses the requested changes, `linked_changes` those of
linked records; `mirror` stores them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout

from analytics_platform.sources.base import Progress, SourceDay, SourceError, SourceStatus, UnplacedRows
from analytics_platform.sources.mapping import FieldMapping, load_mapping
from analytics_platform.sources.nocodb.mirroring.linked_changes import LinkedChanges
from analytics_platform.sources.nocodb.mirroring.mirror import CONVERSATIONS, MESSAGES, Mirror, OpenMirror
from analytics_platform.sources.nocodb.mirroring.pull import Pull
from analytics_platform.sources.nocodb.noco_api.client import NocoClient
from analytics_platform.sources.nocodb.noco_api.filters import one_of
from analytics_platform.sources.nocodb.noco_api.nocodb_tables import NocoTable
from analytics_platform.sources.nocodb.noco_api.pages import Row
from analytics_platform.sources.nocodb.noco_tables.reading_plan import Describe, plan_reading
from analytics_platform.sources.nocodb.noco_tables.record_reading import RecordReading
from analytics_platform.sources.nocodb.noco_tables.records import ID, to_rows
from analytics_platform.sources.published_days import StagedDay, placed_days, read_day, unplaced_rows
from analytics_platform.sources.row_rules.row_summary import RowSummary
from analytics_platform.sources.staging_holds import Holds, discard, hold

MIRROR_VERSION = 6
"""Increase this number when a code change mirrors the same rows differently."""

_IDS_PER_REQUEST = 100
_VANISHED_SHARE = 0.5
_VANISHED_ROWS = 100


@dataclass(frozen=True)
class NocoTables:
    """The ids of the two tables.

    Attributes:
        messages: Id of the message table.
        conversations: Id of the conversation table; None when there is none.
    """

    messages: str
    conversations: str | None = None

    def numbered(self) -> Iterator[tuple[int, str]]:
        """Yield number and id of each table: messages, then conversations."""
        yield MESSAGES, self.messages
        if self.conversations:
            yield CONVERSATIONS, self.conversations


@dataclass(frozen=True)
class _DescribedTable:
    """A table as it is during one refresh.

    Attributes:
        number: ``MESSAGES`` or ``CONVERSATIONS``.
        description: The server's description.
        reading: How its records are read.
    """

    number: int
    description: NocoTable
    reading: RecordReading


class NocoSource:
    """Conversations in NocoDB; implements ``Source``.

    ``days`` and ``read_day`` return the mirror's state of this object's last ``refresh``, so that one run sees one
    state of the source. The mirror is held like a staging: files of replaced days are removed when the last reader
    ends, and mirrors of other servers, tables or mappings are removed when this mirror is complete.

    Args:
        client: Makes the client at the first request; reading the mirror needs no client.
        tables: The tables.
        url: Address of the server; each server has a mirror of its own.
        staging_dir: Folder of the mirrors.
        first_day: First day of the partitions.
        last_day: Last day of the partitions, inclusive.
        mapping: YAML file with the field mapping; see ``mapping.FieldMapping``.
        prices: US dollars of a million input and output tokens by model; see ``mapping.FieldMapping``.
        discards: Whether to remove files that have no reader.
    """

    name = "nocodb"

    def __init__(
        self,
        client: Callable[[], NocoClient],
        tables: NocoTables,
        *,
        url: str,
        staging_dir: Path,
        first_day: dt.date,
        last_day: dt.date,
        mapping: Path | None = None,
        prices: Mapping[str, tuple[float, float]] | None = None,
        discards: bool = True,
    ) -> None:
        self._client = client
        self._tables = tables
        self._mapping = load_mapping(mapping, prices)
        self._mirror = Mirror(
            staging_dir / self.name / _fingerprint(url, tables, self._mapping),
            self._mapping,
            name=self.name,
            labels=(tables.messages, tables.conversations or ""),
            first_day=first_day,
            last_day=last_day,
        )
        self._discards = discards
        self._holds = Holds(self._end_reading)
        self._days: Mapping[str, StagedDay] | None = None

    def held(self) -> AbstractContextManager[None]:
        """Keep the days that the block reads until the block ends, even if other processes publish new days."""
        return self._holds.block()

    def days(self) -> Mapping[str, str]:
        """Return the days that have rows, ascending, each with a hash of the day's mirrored rows."""
        with self.held():
            return {day: staged.version for day, staged in placed_days(self._snapshot()).items()}

    def rows_by_day(self) -> Mapping[str, int]:
        """Return the number of rows mirrored for each day, from the manifest."""
        return {day: staged.rows_read for day, staged in placed_days(self._snapshot()).items()}

    def summary(self) -> RowSummary:
        """Return what became of all rows of the mirror, as of its last publication."""
        with self.held():
            return self._mirror.summary()

    def read_day(self, day: str) -> SourceDay:
        """Return the rows of one day; empty tables for a day without rows.

        Raises:
            SourceError: If files of the mirror were removed while they were read.
        """
        with self.held():
            return read_day(self._mirror.folder, self._snapshot(), day)

    def unplaced(self) -> UnplacedRows:
        """Return the rows that belong to no day.

        Raises:
            SourceError: If files of the mirror were removed while they were read.
        """
        with self.held():
            return unplaced_rows(self._mirror.folder, self._snapshot())

    def refresh(self, *, seconds: float | None = None, on_progress: Progress | None = None) -> bool:
        """Pull new and changed rows.

        Args:
            seconds: Stop after about this long; the next call continues there.
            on_progress: Called with rows read so far and rows expected.

        Returns:
            Whether all changes have been pulled.

        Raises:
            SourceError: If a request fails, or a table lacks a column; rows pulled before stay.
        """
        deadline = time.monotonic() + seconds if seconds is not None else None
        # The sensor refreshes with a time limit; the run that it requests rewrites the database file.
        with self._opened(rewrite=seconds is None) as mirror:
            caught_up = all(
                self._pull(mirror, table, identity, deadline, on_progress)
                for table, identity in self._tables.numbered()
            )
            if caught_up:
                mirror.remember({"complete": True, "refreshed_at": _now().isoformat()})
        if caught_up:
            discard(self._mirror.folder.parent, [self._mirror.folder])
        return caught_up

    def reconcile(self, *, accept_loss: bool = False, on_progress: Progress | None = None) -> Mapping[str, int]:
        """Compare the ids, times and links of all rows with the server's, and apply the differences.

        Args:
            accept_loss: Apply deletions even if more than half of a table is gone.
            on_progress: Called with rows compared so far and rows expected.

        Returns:
            Number of rows that were deleted at the server, missing in the mirror, or changed, under the keys
            ``vanished``, ``missing`` and ``changed``.

        Raises:
            SourceError: If a request fails, or most of a table is gone.
        """
        found = {"vanished": 0, "missing": 0, "changed": 0}
        with self._opened(rewrite=True) as mirror:
            for number, identity in self._tables.numbered():
                table = self._described(number, identity)
                for word, count in self._reconcile_table(
                    mirror, table, accept_loss=accept_loss, on_progress=on_progress
                ).items():
                    found[word] += count
            mirror.remember({"reconciled_at": _now().isoformat(), "reconciled": found})
        return found

    def status(self) -> SourceStatus:
        """Return the progress of the pull, without a request to the server."""
        if not self._mirror.folder.is_dir():
            return SourceStatus(complete=False)
        with self._lock(), self._mirror.looked_at() as mirror:
            if mirror is None:
                return SourceStatus(complete=False)
            facts = mirror.facts()
            rows = mirror.count(MESSAGES)
        pull = facts.get("messages", {})
        return SourceStatus(
            rows=rows,
            complete=bool(facts.get("complete")),
            refreshed_at=facts.get("refreshed_at"),
            reconciled_at=facts.get("reconciled_at"),
            cursor=pull.get("seen_until"),
            expected_rows=pull.get("expected"),
            rows_per_second=pull.get("rows_per_second"),
            drift=tuple(facts.get("drift", ())),
        )

    @contextmanager
    def _opened(self, *, rewrite: bool) -> Iterator[OpenMirror]:
        """Open the mirror as its only writer, and reload its days afterwards."""
        with self.held():
            while not self._hold():  # another process may remove it, as the mirror of other settings
                self._mirror.folder.mkdir(parents=True, exist_ok=True)
            with self._lock():
                with self._mirror.opened(rewrite=rewrite) as mirror:
                    yield mirror
                self._days = self._mirror.manifest()

    def _lock(self, timeout: float = -1) -> FileLock:
        return FileLock(self._mirror.folder / ".lock", timeout=timeout)

    def _hold(self) -> bool:
        """Hold the mirror until the block ends; return whether it exists."""
        return self._mirror.folder in self._holds or self._holds.keep(hold(self._mirror.folder))

    def _snapshot(self) -> Mapping[str, StagedDay]:
        """Return the days as the running block first read them."""
        held = self._hold()
        if self._days is None:
            if not held:
                return {}
            self._days = self._mirror.manifest()
        return self._days

    def _end_reading(self) -> None:
        self._days = None
        if self._discards:
            # Timeout: the writing process removes the files when it ends. FileNotFoundError: the mirror is gone.
            with contextlib.suppress(Timeout, FileNotFoundError), self._lock(timeout=0):
                self._mirror.discard_unused()

    def _described(self, number: int, identity: str) -> _DescribedTable:
        """Return a table as the server describes it now.

        Raises:
            SourceError: If a request fails, or a linked table lacks a column that the mapping names.
        """
        describe: Describe = lru_cache(maxsize=None)(self._client().table)
        mapping = self._mapping if number == MESSAGES else self._mapping.of_conversations()
        guesses = number == MESSAGES and self._tables.conversations is None
        description = describe(identity)
        return _DescribedTable(number, description, plan_reading(description, mapping, describe, guesses=guesses))

    def _pull(
        self, mirror: OpenMirror, number: int, identity: str, deadline: float | None, on_progress: Progress | None
    ) -> bool:
        """Pull the changes of one table and of the records that it links; return whether all have been pulled."""
        client, table = self._client(), self._described(number, identity)

        def store(pages: Iterable[list[Row]]) -> np.ndarray[Any, np.dtype[np.int64]]:
            return self._store(mirror, table, pages)

        if not Pull(mirror, number, client, identity, self._mapping, table.reading).run(deadline, on_progress):
            return False
        return LinkedChanges(mirror, number, table.description, table.reading, client, store).run(deadline)

    def _reconcile_table(
        self, mirror: OpenMirror, table: _DescribedTable, *, accept_loss: bool, on_progress: Progress | None
    ) -> Mapping[str, int]:
        client, identity, linked = self._client(), table.description.id, table.reading.linked_times
        expected = client.count(identity)
        ids: list[np.ndarray[Any, np.dtype[np.int64]]] = []
        stamps: list[pa.Array] = []
        fields = [ID, "CreatedAt", "UpdatedAt", *linked.fields]
        for page in client.pages(identity, fields=fields, linked=linked):
            ids.append(np.array([record[ID] for record in page], dtype=np.int64))
            stamps.append(table.reading.stamps(page))
            if on_progress:
                on_progress(sum(map(len, ids)), expected)
        theirs = np.concatenate(ids) if ids else np.array([], dtype=np.int64)
        their_stamps = pa.concat_arrays(stamps) if stamps else pa.array([], pa.string())
        ours, our_stamps = mirror.stamps(table.number)
        vanished = np.setdiff1d(ours, theirs, assume_unique=True)
        if not accept_loss and len(vanished) > max(_VANISHED_ROWS, _VANISHED_SHARE * len(ours)):
            raise SourceError(
                f"NocoDB table {identity}: {len(vanished)} of {len(ours)} rows are gone; nothing was deleted here. "
                "If that is right, run `analytics reconcile --accept-loss`"
            )
        missing = np.setdiff1d(theirs, ours, assume_unique=True)
        both, at_theirs, at_ours = np.intersect1d(theirs, ours, assume_unique=True, return_indices=True)
        same = np.asarray(their_stamps.take(pa.array(at_theirs))) == np.asarray(our_stamps.take(pa.array(at_ours)))
        changed = both[~same]
        if len(vanished):
            mirror.delete(table.number, vanished)
        self._fetch(mirror, table, np.concatenate([missing, changed]))
        return {"vanished": len(vanished), "missing": len(missing), "changed": len(changed)}

    def _fetch(self, mirror: OpenMirror, table: _DescribedTable, ids: np.ndarray[Any, Any]) -> None:
        client, linked = self._client(), table.reading.linked_fields
        for start in range(0, len(ids), _IDS_PER_REQUEST):
            wanted = [int(number) for number in ids[start : start + _IDS_PER_REQUEST]]
            self._store(mirror, table, client.pages(table.description.id, where=one_of(ID, wanted), linked=linked))

    def _store(
        self, mirror: OpenMirror, table: _DescribedTable, pages: Iterable[list[Row]]
    ) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Store rows of a table; return their ids."""
        ids: list[int] = []
        reading = table.reading
        for page in pages:
            records, problems = reading.read(page)
            rows = to_rows(records, table.number, self._mapping, table.description.id, problems)
            mirror.put(table.number, rows, reading.stamps(page), {}, reading.linked(page))
            ids += [row[ID] for row in page]
        return np.array(ids, dtype=np.int64)


def _fingerprint(url: str, tables: NocoTables, mapping: FieldMapping) -> str:
    parts = [MIRROR_VERSION, url, tables.messages, tables.conversations, mapping.model_dump()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
