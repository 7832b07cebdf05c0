"""The DuckDB file that analysts open: how a new version of it is built and published without disturbing them.

A build happens in a copy beside the published file and takes its place by one rename, so a reader sees the old
version or the new one, and never waits. One writer at a time, by a file lock that dies with its process.
Belongs here: the file, its lock, and the record of what each day was built from. Does not belong here: what the
tables are (``dbt_project/``) and how they are computed (``storage.warehouse.marts_build``).
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
from analytics_platform.storage.provenance import short_hash

logger = logging.getLogger(__name__)

_RECORD = """
create or replace table _partitions as select * from record order by key
"""
"""Without an index: what reads every table would not read it, and miss damage in it."""

_NO_DAMAGE = (
    duckdb.ConnectionException,
    duckdb.InterruptException,
    duckdb.OutOfMemoryException,
    duckdb.PermissionException,
)
_REFUSED = ("could not set lock", "permission denied", "cannot open file", "is a directory")
"""In the message of an error that is about the process or the file system, not about the file's content."""

_RECORD_SCHEMA = pa.schema([("name", pa.string()), ("key", pa.string()), ("fingerprint", pa.string())])

BUILD_FILE = "warehouse.duckdb"
"""Name of the file while it is built: DuckDB names the database after it, dbt every relation after that."""


_CONTENT = "count(*), sum(md5_number_lower(content::varchar))"
"""Of rows in any order; a sum of 64-bit hashes, so that a row that occurs twice does not cancel itself out."""


@dataclass(frozen=True)
class TableContent:
    """What a table of the warehouse, or one day of it, holds.

    Attributes:
        rows: Number of rows.
        content_hash: Hash of the rows in any order: the same rows give the same hash.
    """

    rows: int
    content_hash: str

    @classmethod
    def of(cls, rows: int, total: int | None) -> TableContent:
        """Make it of the number of rows and the sum of their hashes, None without rows."""
        return cls(rows, short_hash(f"{rows}/{total}"))


class WarehouseError(UserError):
    """The published file cannot be read; the message names it and what to do."""


class DamagedWarehouseError(WarehouseError):
    """The published file does not hold what was written; `analytics repair` builds it anew from the lake."""


class WarehouseBusyError(WarehouseError, TimeoutError):
    """Another process has been building the warehouse for longer than we wait."""


class Warehouse:
    """One DuckDB file that is only ever replaced as a whole.

    Args:
        path: The published file, e.g. ``warehouse.duckdb``.
        wait_seconds: How long to wait for another writer before giving up.
    """

    def __init__(self, path: Path, *, wait_seconds: float = 1800) -> None:
        if wait_seconds < 0:
            raise ValueError(f"wait_seconds must not be negative, not {wait_seconds}")
        self.path = path
        self.wait_seconds = wait_seconds
        self._build_path = path.with_name(f"{path.name}.build") / BUILD_FILE
        self._log = path.with_name(f"{path.name}.wal")

    def days(self) -> Mapping[str, str]:
        """Return the fingerprint of every day that the published file holds; empty when there is none yet."""
        return read_days(self.path)

    def rows(self) -> Mapping[str, int]:
        """Return the number of rows of every published table; empty when nothing is published yet."""
        if not self.path.exists():
            return {}
        with reading(self.path) as connection:
            tables = [name for name in _tables(connection) if not name.startswith("_")]
            return {name: connection.table(name).count("*").fetchall()[0][0] for name in tables}

    def verify(self) -> None:
        """Read every column of every table: DuckDB proves the checksum of each block that it reads.

        Costs as much as one pass over the file; memory does not grow with it.

        Raises:
            DamagedWarehouseError: If something cannot be read.
            WarehouseError: If the file cannot be read for another reason.
        """
        if not self.path.exists():
            return
        with reading(self.path) as connection:
            for name in _tables(connection):
                connection.execute(f'select bit_xor(hash(content)) from "{name}" as content').fetchall()  # noqa: S608

    def content(self, table: str) -> TableContent:
        """Return rows and content hash of a published table."""
        with reading(self.path) as connection:
            [(rows, total)] = connection.execute(f'select {_CONTENT} from "{table}" as content').fetchall()  # noqa: S608
            return TableContent.of(rows, total)

    def content_by_day(self, table: str, days: Sequence[str]) -> Mapping[str, TableContent]:
        """Return rows and content hash of some days of a published table; a day without rows has zero.

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
        """Give a copy of the warehouse to write to, and publish it when the block ends well.

        The copy has to be closed by then. When the block raises, the copy is removed and the published file stays
        as it was; what a killed writer left behind is removed by the next one.

        Args:
            anew: Whether to start from nothing; the published file is not read, and may be damaged.

        Yields:
            Path of the copy; there is no file at it when nothing has been published yet, or ``anew``.

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
        """Apply the log of a process that wrote to the published file and was killed to the copy; return the log.

        A reader sees what the log holds, so the tables in it are kept as those in the file are.
        """
        if not self._log.exists():
            return None
        log = self._log.read_bytes()
        self._build_path.with_name(f"{BUILD_FILE}.wal").write_bytes(log)
        with told_apart(self.path), duckdb.connect(self._build_path) as connection:
            connection.execute("checkpoint")
        return log

    def _remove_log(self, applied: bytes | None) -> None:
        """Remove the log of a killed writer: it would be applied to the file that is published now."""
        if not self._log.exists():
            return
        if self._log.read_bytes() != applied:
            logger.warning(
                "%s: removed; what the process that wrote to the warehouse committed last is lost", self._log
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
        """Remove the folder of the build, with what DuckDB keeps in it beside the file."""
        if self._build_path.parent.exists():
            shutil.rmtree(self._build_path.parent)


def read_days(path: Path) -> dict[str, str]:
    """Return day to fingerprint as recorded in a warehouse file; empty when there is no file or no record."""
    if not path.exists():
        return {}
    with reading(path) as connection:
        return _recorded(connection)


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a warehouse file for reading alone, in UTC; whatever DuckDB raises in the block is about that file.

    Raises:
        WarehouseError: As ``told_apart`` says.
    """
    with told_apart(path), duckdb.connect(path, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


@contextmanager
def told_apart(path: Path) -> Iterator[None]:
    """Tell damage of a warehouse file from what keeps a process from reading it; DuckDB's own error says no more.

    Raises:
        DamagedWarehouseError: If the file does not hold what was written.
        WarehouseError: If it cannot be read for another reason, such as a process that writes to it.
    """
    try:
        yield
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]  # an internal error brings a stack trace along
        if isinstance(error, _NO_DAMAGE) or any(words in reason.lower() for words in _REFUSED):
            raise WarehouseError(f"{path}: cannot be read ({reason}); try again when nothing keeps it") from None
        raise DamagedWarehouseError(f"{path}: damaged ({reason}); `analytics repair` builds it anew") from None


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    names = connection.execute("select table_name from duckdb_tables() where not internal").fetchall()
    return sorted(name for (name,) in names)


def _recorded(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    if "_partitions" not in _tables(connection):
        return {}
    rows = connection.execute("select key, fingerprint from _partitions where name = 'marts' order by key")
    return dict(rows.fetchall())


def record_days(path: Path, fingerprints: Mapping[str, str]) -> None:
    """Record in a warehouse file what these days were built from; other days keep their record."""
    with duckdb.connect(path) as connection:
        days = {**_recorded(connection), **fingerprints}
        columns = {"name": ["marts"] * len(days), "key": list(days), "fingerprint": list(days.values())}
        connection.register("record", pa.table(columns, _RECORD_SCHEMA))
        connection.execute(_RECORD)


def _write_anew(path: Path, finished: Path) -> None:
    """Write a database to a new file, which alone is the whole of it and has nothing of rows that were removed.

    DuckDB marks the bytes of removed rows as free and leaves them in the file, so what a person deleted at the source
    could still be read in a file that is only ever copied and changed.
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
