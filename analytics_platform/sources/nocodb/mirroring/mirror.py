"""A local mirror of NocoDB's rows, updated row by row, and the published days derived from it.

A row that arrives unchanged changes nothing. A new, changed or deleted row makes the days of its conversation dirty,
both the day before the change and the day after it. Dirty days are written in the same transaction as the rows, so a
process may die at any time: the next process finds rows, cursor and dirty days of one moment, and publishes. Files of
published days never change; the manifest that names them is replaced atomically, so readers need no lock.

Rows that the server has deleted must not remain on disk: files of replaced days are removed when the mirror has no
reader, and the database file is rewritten after rows were removed, because DuckDB leaves their bytes in its file.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow as pa

from analytics_platform.files import write_atomically
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.nocodb.mirroring.mirror_sql import TABLES, TOUCHED, VIEWS
from analytics_platform.sources.nocodb.noco_tables.conversation_rows import validate_conversation_rows
from analytics_platform.sources.nocodb.noco_tables.record_reading import LINKED
from analytics_platform.sources.published_days import (
    MANIFEST,
    StagedDay,
    manifest_text,
    parse_manifest,
    unused_files,
    write_days,
)
from analytics_platform.sources.row_rules.deduplication import (
    choose_file_times,
    deduplicate_changed,
    find_refusals,
    name_changed_sessions,
    use_other_day,
    use_outcome_range,
    use_window,
)
from analytics_platform.sources.row_rules.row_summary import SUMMARY, RowSummary, parse_summary, summarise
from analytics_platform.sources.row_rules.row_validation import judge, prepare_judging, with_originals
from analytics_platform.sources.rows import Rows
from analytics_platform.sources.staging_holds import nobody_holds

MEMORY_LIMIT = "512MB"
DATABASE = "rows.duckdb"
MESSAGES, CONVERSATIONS = 0, 1
"""Numbers of the two tables. A message's position is its row id; positions of conversations follow all messages."""

logger = logging.getLogger(__name__)

_PARTS = "days"
_REWRITTEN = "rewritten.duckdb"
_SPILL = "spill"
_REMOVED = "rows_removed"
_OUTCOME_RANGE = "outcome_range"
"""Fact: whether the database file may still contain bytes of removed rows; a missing fact counts as true."""
_FIRST_POSITION = {MESSAGES: 0, CONVERSATIONS: 1 << 50}


class Mirror:
    """The mirror in one folder; change it through ``opened``, one process at a time.

    Args:
        folder: Folder of the mirror; safe to delete, but then every row is pulled again.
        mapping: Field mapping of the messages.
        name: Name of the source, stored with every row.
        labels: Source labels stored with the rows: of the message table, and of the conversation table.
        first_day: First day of the partitions.
        last_day: Last day of the partitions, inclusive.
    """

    def __init__(
        self,
        folder: Path,
        mapping: FieldMapping,
        *,
        name: str,
        labels: tuple[str, str],
        first_day: dt.date,
        last_day: dt.date,
    ) -> None:
        self.folder = folder
        self._mapping = mapping
        self._name = name
        self._labels = labels
        self._window = (first_day, last_day)

    def manifest(self) -> Mapping[str, StagedDay]:
        """Return the published days; empty before the first publication."""
        try:
            return parse_manifest((self.folder / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}

    def summary(self) -> RowSummary:
        """Return what became of all rows, as of the last publication; no rows before the first one."""
        return parse_summary(self.folder / SUMMARY)

    @contextmanager
    def opened(self, *, rewrite: bool = False) -> Iterator[OpenMirror]:
        """Open the mirror for changes; the caller ensures that no other process has it open.

        Args:
            rewrite: Whether to rewrite the database file afterwards if rows were removed or replaced since the last
                rewrite, at half a million rows per second.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._discard_leftovers()
        with self._connected(self.folder / DATABASE) as db:
            db.execute("SET TimeZone = 'UTC'")
            mirror = OpenMirror(db, self._mapping)
            mirror.prepare(self._labels)
            use_window(db, self._name, *self._window)
            yield mirror
            mirror.settle(self._window)
            self._publish(db)
            removed = mirror.facts().get(_REMOVED, True)
        if rewrite and removed:
            self._rewrite()

    @contextmanager
    def looked_at(self) -> Iterator[OpenMirror | None]:
        """Open the mirror read-only; yields None when it does not exist. The caller ensures that no process writes."""
        path = self.folder / DATABASE
        if not path.is_file():
            yield None
            return
        with duckdb.connect(path, read_only=True) as db:
            yield OpenMirror(db, self._mapping)

    def discard_unused(self) -> None:
        """Remove the files of replaced days, if no process holds the mirror for reading.

        The caller ensures that no other process writes.
        """
        unused = unused_files(self.folder, _PARTS, self.manifest())
        if not unused:
            return
        with nobody_holds(self.folder) as unheld:
            if unheld:
                for path in unused:
                    path.unlink(missing_ok=True)
                    for folder in (path.parent, path.parent.parent):
                        with contextlib.suppress(OSError):  # it has other files
                            folder.rmdir()

    @contextmanager
    def _connected(self, path: Path | None) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(path or ":memory:") as db:
            db.execute("SET memory_limit = $limit", {"limit": MEMORY_LIMIT})
            db.execute("SET temp_directory = $folder", {"folder": str(self.folder / _SPILL)})
            yield db

    def _discard_leftovers(self) -> None:
        """Remove the spill files and unfinished rewrites that a killed process left beside the database."""
        shutil.rmtree(self.folder / _SPILL, ignore_errors=True)
        for path in self.folder.glob(f"{_REWRITTEN}*"):
            path.unlink()

    def _rewrite(self) -> None:
        """Copy the database to a new file without bytes of removed rows, and replace the old file."""
        path, new = self.folder / DATABASE, self.folder / _REWRITTEN
        if path.with_name(f"{DATABASE}.wal").exists():  # the log was not checkpointed; a later call rewrites
            return
        try:
            with self._connected(None) as db:
                db.execute(f"ATTACH '{_quoted(path)}' AS old (READ_ONLY)")
                db.execute(f"ATTACH '{_quoted(new)}' AS new")
                db.execute("COPY FROM DATABASE old TO new")
                db.execute("INSERT OR REPLACE INTO new.facts VALUES ($name, 'false')", {"name": _REMOVED})
                db.execute("DETACH new")
        except duckdb.Error as error:  # the old file is still complete
            reason = " ".join(str(error).split())
            logger.warning("%s: removed rows stay in the file, which could not be written anew: %s", path, reason)
            return
        new.replace(path)

    def _publish(self, db: duckdb.DuckDBPyConnection) -> None:
        """Write the dirty days, and name them in the manifest; all days, if the range of the outcomes has changed."""
        dirty = {str(day) for (day,) in db.execute("SELECT DISTINCT day FROM dirty_days").fetchall()}
        if not dirty:
            return
        found = use_outcome_range(db)
        mirror = OpenMirror(db, self._mapping)
        if mirror.facts().get(_OUTCOME_RANGE, found) != found:
            dirty |= self.manifest().keys()
        mirror.remember({_OUTCOME_RANGE: found})
        use_other_day(db)
        find_refusals(db)
        part = f"{_PARTS}/{time.time_ns():x}"
        written = write_days(db, self.folder, part, dirty)
        days = {day: staged for day, staged in self.manifest().items() if day not in dirty} | written
        write_atomically(self.folder / SUMMARY, summarise(db).as_text().encode())
        write_atomically(self.folder / MANIFEST, manifest_text(days).encode())
        db.execute("DELETE FROM dirty_days")


class OpenMirror:
    """The mirror's open database.

    Args:
        db: The database.
        mapping: Field mapping of the messages.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, mapping: FieldMapping) -> None:
        self._db = db
        self._mapping = mapping

    def prepare(self, labels: tuple[str, str]) -> None:
        """Create missing tables and views, and store the labels of the two tables."""
        prepare_judging(self._db, self._mapping)
        self._db.execute(TABLES)
        stored = {name for (name,) in self._db.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        for number, name in ((MESSAGES, "message_rows"), (CONVERSATIONS, "conversation_rows")):
            if name in stored:
                continue
            nothing = self._judge(number, Rows(np.array([], dtype=np.int64), {}))
            self._db.register("nothing", nothing)
            self._db.execute(
                f"CREATE TABLE {name} AS SELECT *, 0::UBIGINT AS row_hash FROM nothing"  # noqa: S608
            )
        self._db.execute("DELETE FROM files")
        self._db.executemany("INSERT INTO files VALUES (?, ?)", list(enumerate(labels)))
        self._db.execute(VIEWS)

    def facts(self) -> dict[str, Any]:
        """Return the stored facts, such as the progress of the pull."""
        return {name: orjson.loads(value) for name, value in self._db.execute("FROM facts").fetchall()}

    def remember(self, facts: Mapping[str, Any]) -> None:
        """Store facts, within the running transaction if there is one."""
        for name, value in facts.items():
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", [name, orjson.dumps(value).decode()])

    def stamps(self, table: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], pa.ChunkedArray]:
        """Return the id of every row of a table, ascending, and the server's time of its last change."""
        found = self._db.sql(
            "SELECT position - $first AS id, stamp FROM row_stamps WHERE position >= $first AND position < $next "
            "ORDER BY position",
            params={"first": _FIRST_POSITION[table], "next": _FIRST_POSITION[table] + (1 << 50)},
        ).to_arrow_table()
        return found.column("id").to_numpy(), found.column("stamp")

    def count(self, table: int) -> int:
        """Return the number of rows of a table."""
        return len(self.stamps(table)[0])

    def linked_stamps(self, linked_table: str, linked_ids: Sequence[int]) -> dict[int, set[str | None]]:
        """Return the times of the last change of linked records, as they were when the rows were read.

        Args:
            linked_table: Id of the linked table.
            linked_ids: Keys of linked records.

        Returns:
            Key to the times that rows have; a record that no row links is absent.
        """
        self._db.register("asked", pa.table({"linked_id": pa.array(map(str, linked_ids), pa.string())}))
        found = self._db.sql(
            "SELECT DISTINCT linked_id, linked_stamp FROM row_links SEMI JOIN asked USING (linked_id) "
            "WHERE linked_table = $linked_table",
            params={"linked_table": linked_table},
        ).fetchall()
        stamps: dict[int, set[str | None]] = {}
        for linked_id, stamp in found:
            stamps.setdefault(int(linked_id), set()).add(stamp)
        return stamps

    def rows_that_link(
        self, table: int, linked_table: str, linked_ids: Sequence[int]
    ) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the ids of the rows of a table that link certain records, ascending."""
        self._db.register("asked", pa.table({"linked_id": pa.array(map(str, linked_ids), pa.string())}))
        found = self._db.sql(
            "SELECT DISTINCT position - $first AS id FROM row_links SEMI JOIN asked USING (linked_id) "
            "WHERE linked_table = $linked_table AND position >= $first AND position < $next ORDER BY id",
            params={
                "linked_table": linked_table,
                "first": _FIRST_POSITION[table],
                "next": _FIRST_POSITION[table] + (1 << 50),
            },
        ).to_arrow_table()
        ids: np.ndarray[Any, np.dtype[np.int64]] = found.column("id").to_numpy()
        return ids

    def put(
        self,
        table: int,
        rows: Rows,
        stamps: pa.Array,
        facts: Mapping[str, Any],
        linked: pa.Table | None = None,
    ) -> int:
        """Store rows of a table and facts in one transaction.

        Args:
            table: ``MESSAGES`` or ``CONVERSATIONS``.
            rows: The rows; their numbers are the server's row ids.
            stamps: The server's time of each row's last change.
            facts: Facts to store.
            linked: The records that the rows link, of the schema ``record_reading.LINKED``.

        Returns:
            Number of new or changed rows.
        """
        judged = self._judge(table, rows)
        # The judged rows come in an order of their own, the stamps in that of the rows.
        positions = pa.table({"position": rows.numbers + _FIRST_POSITION[table], "stamp": stamps})
        name = _name(table)
        with self._transaction():
            self._db.register("incoming", judged)
            self._db.register("positions", positions)
            self._db.register("linked", linked if linked is not None else LINKED.empty_table())
            self._db.execute(f"""
                CREATE OR REPLACE TEMP TABLE fresh AS
                SELECT incoming.*, hash(incoming) AS row_hash FROM incoming;
                DELETE FROM fresh WHERE (position, row_hash) IN (SELECT (position, row_hash) FROM {name});
                DELETE FROM row_stamps WHERE position IN (SELECT position FROM positions);
                INSERT INTO row_stamps SELECT position, stamp FROM positions;
                DELETE FROM row_links WHERE position IN (SELECT position FROM positions);
                INSERT INTO row_links
                    SELECT id + {_FIRST_POSITION[table]}, linked_table, linked_id, linked_stamp FROM linked;
            """)  # noqa: S608  (a name of our own)
            self._replace(table, "SELECT position FROM fresh")
            self._db.execute(f"INSERT INTO {name} FROM fresh")
            self._note_changes(table, "SELECT position FROM fresh")
            self.remember(facts)
            changed: int = self._db.execute("SELECT count(*) FROM fresh").fetchall()[0][0]
        return changed

    def delete(self, table: int, ids: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Delete rows that the server no longer has."""
        self._db.register("gone", pa.table({"position": ids + _FIRST_POSITION[table]}))
        with self._transaction():
            self._replace(table, "SELECT position FROM gone")
            for name in ("row_stamps", "row_links"):
                self._db.execute(f"DELETE FROM {name} WHERE position IN (SELECT position FROM gone)")  # noqa: S608

    def settle(self, window: tuple[dt.date, dt.date]) -> None:
        """Find the days that all changes so far make dirty, in one transaction."""
        facts = self.facts()
        if not facts.get("complete"):  # a partly pulled source has incomplete conversations
            return
        window_before, other_day_before = facts.get("window"), facts.get("other_day")
        kept_days = [str(day) for day in window]
        with self._transaction():
            if window_before is not None and window_before != kept_days:
                self._move_window(*window_before)
            use_other_day(self._db)
            name_changed_sessions(self._db)
            self._db.execute(TOUCHED)
            deduplicate_changed(self._db)
            other_day = str(use_other_day(self._db))
            self._db.execute(TOUCHED)
            if self._may_have_other_times() and choose_file_times(self._db, "message_rows", learns_order=False):
                self._db.execute("INSERT INTO dirty_days SELECT DISTINCT day FROM conversation_days")
            if other_day_before is not None and (other_day_before != other_day or window_before != kept_days):
                self._db.executemany("INSERT INTO dirty_days VALUES (?)", [[other_day_before], [other_day]])
            self._db.execute("DELETE FROM changed_conversations")
            self.remember({"window": kept_days, "other_day": other_day})

    def _may_have_other_times(self) -> bool:
        """Tell whether rows have changed since it was settled what the times of a table are the times of."""
        ((changed, settled),) = self._db.execute(
            "SELECT (SELECT count(*) FROM changed_conversations), (SELECT count(*) FROM file_times)"
        ).fetchall()
        return bool(changed or not settled)

    def _move_window(self, first: str, last: str) -> None:
        """Make the days dirty that the new window adds or removes; the old window was ``first`` to ``last``."""
        self._db.execute("SET VARIABLE first_before = $day::DATE", {"day": first})
        self._db.execute("SET VARIABLE last_before = $day::DATE", {"day": last})
        self._db.execute("""
            INSERT INTO changed_conversations SELECT conversation_id FROM judged
            WHERE timestamp >= least(getvariable('first_before'), getvariable('first_day'))
                    AND timestamp < greatest(getvariable('first_before'), getvariable('first_day'))
                OR timestamp - to_days(getvariable('late_days') + 1)
                        >= least(getvariable('last_before'), getvariable('last_day'))
                    AND timestamp - to_days(getvariable('late_days') + 1)
                        < greatest(getvariable('last_before'), getvariable('last_day'));
            INSERT INTO changed_conversations SELECT conversation_id FROM starts
            WHERE (day BETWEEN getvariable('first_before') AND getvariable('last_before'))
                != (day BETWEEN getvariable('first_day') AND getvariable('last_day'));
            INSERT INTO dirty_days SELECT DISTINCT day FROM starts
            WHERE day BETWEEN getvariable('first_before') AND getvariable('last_before')
                AND conversation_id IN (SELECT conversation_id FROM changed_conversations);
        """)

    def _replace(self, table: int, positions: str) -> None:
        """Remove rows by position, and record their conversations as changed."""
        self._note_changes(table, positions)
        removed = self._db.execute(f"DELETE FROM {_name(table)} WHERE position IN ({positions})")  # noqa: S608
        if removed.fetchall()[0][0]:
            self.remember({_REMOVED: True})

    def _note_changes(self, table: int, positions: str) -> None:
        """Record the conversations of rows as changed."""
        self._db.execute(
            "INSERT INTO changed_conversations SELECT DISTINCT conversation_id "  # noqa: S608  (names of our own)
            f"FROM {_name(table)} WHERE position IN ({positions})"
        )

    def _judge(self, table: int, rows: Rows) -> pa.Table:
        first = _FIRST_POSITION[table]
        if table == MESSAGES:
            batch = self._mapping.apply(rows)
            return with_originals(judge(self._db, batch, file=table, first_position=first), batch)
        mapping = self._mapping.of_conversations()
        return validate_conversation_rows(self._db, mapping.apply(rows), file=table, first_position=first)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:  # an interrupt, too, must not commit half a transaction
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _name(table: int) -> str:
    return "message_rows" if table == MESSAGES else "conversation_rows"
