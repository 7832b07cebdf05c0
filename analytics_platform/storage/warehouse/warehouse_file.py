"""The DuckDB file that analysts open: building and publishing a new version without disturbing readers.

A build writes to a copy beside the published file; one rename then replaces the published file. A reader sees the old
version or the new one, and never waits. A file lock, released when its process ends, admits one writer at a time.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from analytics_platform.errors import UserError
from analytics_platform.storage.provenance import STORED_FIELD, short_hash
from analytics_platform.system.permissions import find_blocked

logger = logging.getLogger(__name__)

_RECORD = """
create or replace table _partitions as select * from record order by key
"""
"""Without an index: a scan of every table would not read the index, and would miss damage in it."""

_NO_DAMAGE = (
    duckdb.ConnectionException,
    duckdb.InterruptException,
    duckdb.OutOfMemoryException,
    duckdb.PermissionException,
)
_REFUSED = ("could not set lock", "permission denied", "cannot open file", "is a directory")
"""Phrases in errors that concern the process or the file system, not the file's content."""

_RECORD_SCHEMA = pa.schema([("name", pa.string()), ("key", pa.string()), (STORED_FIELD, pa.string())])

BUILD_FILE = "warehouse.duckdb"
"""Name of the copy: DuckDB names the database after the file, and dbt names every relation after the database."""


_CONTENT = "count(*), sum(md5_number_lower(content::varchar))"
"""Row count and order-independent sum of 64-bit row hashes; in a sum, unlike XOR, a repeated row does not cancel."""


@dataclass(frozen=True)
class TableContent:
    """Row count and content hash of a warehouse table, or of one day of it.

    Attributes:
        rows: Number of rows.
        content_hash: Hash of the rows, independent of their order.
    """

    rows: int
    content_hash: str

    @classmethod
    def of(cls, rows: int, total: int | None) -> TableContent:
        """Return the content for a row count and the sum of the row hashes; the sum is None without rows."""
        return cls(rows, short_hash(f"{rows}/{total}"))


class WarehouseError(UserError):
    """The published file cannot be read; the message names the file and the remedy."""


class DamagedWarehouseError(WarehouseError):
    """The published file is damaged; `analytics repair` builds it again from the lake."""


class WarehouseBusyError(WarehouseError, TimeoutError):
    """Another process is still building the warehouse after the longest wait."""


class Warehouse:
    """One DuckDB file that is only ever replaced as a whole.

    Args:
        path: The published file, e.g. ``warehouse.duckdb``.
        wait_seconds: Longest wait for another writer.

    Raises:
        ValueError: If ``wait_seconds`` is negative.
    """

    def __init__(self, path: Path, *, wait_seconds: float = 1800) -> None:
        if wait_seconds < 0:
            raise ValueError(f"wait_seconds must not be negative, not {wait_seconds}")
        self.path = path
        self.wait_seconds = wait_seconds
        self._build_path = path.with_name(f"{path.name}.build") / BUILD_FILE
        self._log = path.with_name(f"{path.name}.wal")

    def days(self) -> Mapping[str, str]:
        """Return the provenance of every day in the published file; empty when no file is published."""
        return read_days(self.path)

    def rows(self) -> Mapping[str, int]:
        """Return the number of rows of every published table; empty when no file is published."""
        if not self.path.exists():
            return {}
        with reading(self.path) as connection:
            tables = [name for name in _tables(connection) if not name.startswith("_")]
            return {name: connection.table(name).count("*").fetchall()[0][0] for name in tables}

    def verify(self) -> None:
        """Read every column of every table: DuckDB verifies the checksum of each block that it reads.

        The check costs one pass over the file; its memory does not grow with the file.

        Raises:
            DamagedWarehouseError: If the file is damaged.
            WarehouseError: If the file cannot be read for another reason.
        """
        if not self.path.exists():
            return
        with reading(self.path) as connection:
            for name in _tables(connection):
                connection.execute(f'select bit_xor(hash(content)) from "{name}" as content').fetchall()  # noqa: S608

    def content(self, table: str) -> TableContent:
        """Return row count and content hash of a published table."""
        with reading(self.path) as connection:
            [(rows, total)] = connection.execute(f'select {_CONTENT} from "{table}" as content').fetchall()  # noqa: S608
            return TableContent.of(rows, total)

    def content_by_day(self, table: str, days: Sequence[str]) -> Mapping[str, TableContent]:
        """Return row count and content hash of a published table by day; a day without rows has a row count of 0.

        Args:
            table: A table with the column ``date``.
            days: ISO days, ascending.
        """
        rows_of_days = f'from "{table}" as content where date between ? and ? group by day'
        query = f"select date::varchar as day, {_CONTENT} {rows_of_days}"
        with reading(self.path) as connection:
            found = connection.execute(query, [days[0], days[-1]]).fetchall() if days else []
        filled = {day: TableContent.of(rows, total) for day, rows, total in found}
        return {day: filled.get(day, TableContent.of(0, None)) for day in days}

    @contextmanager
    def build(self, *, anew: bool = False) -> Iterator[Path]:
        """Yield a copy of the warehouse to write to, and publish the copy if the block succeeds.

        The block must close its connections to the copy. If the block raises, the copy is removed and the published
        file stays unchanged. The next writer removes the left-overs of a killed writer.

        Args:
            anew: Whether to start without a copy; the published file is not read, and may be damaged.

        Yields:
            Path of the copy; the file does not exist if nothing has been published yet, or with ``anew``.

        Raises:
            WarehouseBusyError: If another writer does not finish within ``wait_seconds``.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._sole_writer():
            self._discard()
            self._build_path.parent.mkdir()
            try:
                if self.path.exists() and not anew:
                    shutil.copy2(self.path, self._build_path)
                    applied = self._apply_log()
                else:
                    applied = None
                yield self._build_path
                finished = self._build_path.with_name("finished.duckdb")
                _write_anew(self._build_path, finished)
                self._remove_log(applied)
                finished.replace(self.path)
            finally:
                self._discard()

    def _apply_log(self) -> bytes | None:
        """Apply the write-ahead log of the published file to the copy, and return the log; None when there is no log.

        A killed process that wrote to the published file leaves a log. A reader sees the tables in the log, so the copy
        must keep them like the tables in the file.
        """
        if not self._log.exists():
            return None
        log = self._log.read_bytes()
        self._build_path.with_name(f"{BUILD_FILE}.wal").write_bytes(log)
        with classified_errors(self.path), duckdb.connect(self._build_path) as connection:
            connection.execute("checkpoint")
        return log

    def _remove_log(self, applied: bytes | None) -> None:
        """Remove the log of a killed writer, which DuckDB would otherwise apply to the newly published file."""
        if not self._log.exists():
            return
        if self._log.read_bytes() != applied:
            logger.warning(
                "%s: removed; the last changes that another process committed to the warehouse are lost", self._log
            )
        self._log.unlink()

    @contextmanager
    def _sole_writer(self) -> Iterator[None]:
        lock = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.warning("%s is being built by another run; waiting up to %.0f s", self.path, self.wait_seconds)
            try:
                lock.acquire(timeout=self.wait_seconds)
            except Timeout:
                raise WarehouseBusyError(
                    f"{self.path} is still being built by another run after {self.wait_seconds:.0f} s; try again later"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def _discard(self) -> None:
        """Remove the folder of the build, including files that DuckDB keeps beside the copy."""
        if self._build_path.parent.exists():
            shutil.rmtree(self._build_path.parent)


def read_days(path: Path) -> dict[str, str]:
    """Return each day's provenance as recorded in a warehouse file; empty when there is no file or no record."""
    if not path.exists():
        return {}
    with reading(path) as connection:
        return _recorded(connection)


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a warehouse file read-only, in UTC; the block must not raise DuckDB errors about another file.

    Raises:
        WarehouseError: See ``classified_errors``.
    """
    with classified_errors(path), duckdb.connect(path, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


@contextmanager
def classified_errors(path: Path) -> Iterator[None]:
    """Raise DuckDB errors of the block as damage of the warehouse file or as another obstacle to reading it.

    Raises:
        DamagedWarehouseError: If the file is damaged.
        WarehouseError: If the file cannot be read for another reason, such as a process that writes to it.
    """
    try:
        yield
    except duckdb.Error as error:
        if blocked := find_blocked(path):
            raise WarehouseError(blocked) from None
        reason = str(error).partition("\n")[0]  # an internal error contains a stack trace
        if isinstance(error, _NO_DAMAGE) or any(words in reason.lower() for words in _REFUSED):
            raise WarehouseError(f"{path}: cannot be read ({reason}); try again when no process locks it") from None
        raise DamagedWarehouseError(f"{path}: damaged ({reason}); `analytics repair` builds it anew") from None


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    names = connection.execute("select table_name from duckdb_tables() where not internal").fetchall()
    return sorted(name for (name,) in names)


def _recorded(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    if "_partitions" not in _tables(connection):
        return {}
    rows = connection.table("_partitions").filter("name = 'marts'").order("key")
    return dict(rows.select("key", STORED_FIELD).fetchall())


def record_days(path: Path, provenances: Mapping[str, str]) -> None:
    """Record the provenances of these days in a warehouse file; the records of other days stay."""
    with duckdb.connect(path) as connection:
        days = {**_recorded(connection), **provenances}
        columns = {"name": ["marts"] * len(days), "key": list(days), STORED_FIELD: list(days.values())}
        connection.register("record", pa.table(columns, _RECORD_SCHEMA))
        connection.execute(_RECORD)


def _write_anew(path: Path, finished: Path) -> None:
    """Copy a database to a new file without write-ahead log and without bytes of removed rows.

    DuckDB marks the bytes of removed rows as free and leaves them in the file, so a file that is only copied and
    changed would still contain rows that a person deleted at the source.
    """
    with duckdb.connect(path) as connection:
        connection.execute("checkpoint")
    with duckdb.connect() as connection:
        connection.execute("set temp_directory = $folder", {"folder": str(path.with_name("spill"))})
        for name, file in (("built", path), ("finished", finished)):
            quoted = str(file).replace("'", "''")
            connection.execute(f"attach '{quoted}' as {name}")
        connection.execute("copy from database built to finished")
        connection.execute("detach finished")
