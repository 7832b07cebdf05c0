"""The DuckDB file that analysts open: how a new version of it is built and published without disturbing them.

A build happens in a copy beside the published file and takes its place by one rename, so a reader sees the old
version or the new one, and never waits. One writer at a time, by a file lock that dies with its process.
Belongs here: the file, its lock, and the record of what each day was built from. Does not belong here: what the
tables are (``dbt_project/``) and how they are computed (``storage.marts``).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from analytics_platform.errors import UserError

logger = logging.getLogger(__name__)

_CREATE = """
create table if not exists _partitions (
    name varchar not null, key varchar not null, fingerprint varchar not null, primary key (name, key)
)
"""

BUILD_FILE = "warehouse.duckdb"
"""Name of the file while it is built: DuckDB names the database after it, dbt every relation after that."""


class WarehouseError(UserError):
    """The published file cannot be read; the message names it and what to do."""


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

    def days(self) -> Mapping[str, str]:
        """Return the fingerprint of every day that the published file holds; empty when there is none yet."""
        return read_days(self.path)

    def rows(self) -> Mapping[str, int]:
        """Return the number of rows of every published table; empty when nothing is published yet."""
        if not self.path.exists():
            return {}
        with _reading(self.path) as connection:
            tables = connection.execute("select table_name from duckdb_tables() where not starts_with(table_name, '_')")
            names = [name for (name,) in tables.fetchall()]
            return {name: connection.table(name).count("*").fetchall()[0][0] for name in sorted(names)}

    def rows_by_day(self, table: str) -> Mapping[str, int]:
        """Return the number of rows of each day of a published table by ``date``; days without rows are left out."""
        with _reading(self.path) as connection:
            return dict(connection.table(table).aggregate("date::varchar as day, count(*)", "day").fetchall())

    @contextmanager
    def build(self) -> Iterator[Path]:
        """Give a copy of the warehouse to write to, and publish it when the block ends well.

        The copy has to be closed by then. When the block raises, the copy is removed and the published file stays
        as it was; what a killed writer left behind is removed by the next one.

        Yields:
            Path of the copy; there is no file at it when nothing has been published yet.

        Raises:
            WarehouseBusyError: If another writer does not finish within ``wait_seconds``.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._sole_writer():
            self._discard()
            self._build_path.parent.mkdir()
            try:
                if self.path.exists():
                    shutil.copy2(self.path, self._build_path)
                yield self._build_path
                finished = self._build_path.with_name("finished.duckdb")
                _write_anew(self._build_path, finished)
                finished.replace(self.path)
            finally:
                self._discard()

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
    with _reading(path) as connection:
        tables = connection.execute("select 1 from duckdb_tables() where table_name = '_partitions'").fetchall()
        if not tables:
            return {}
        rows = connection.execute("select key, fingerprint from _partitions where name = 'marts' order by key")
        return dict(rows.fetchall())


@contextmanager
def _reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        with duckdb.connect(path, read_only=True) as connection:
            yield connection
    except duckdb.Error as error:
        reason = " ".join(str(error).split())
        raise WarehouseError(f"{path}: cannot be read ({reason}); if it is damaged, delete it and run again") from error


def record_days(path: Path, fingerprints: Mapping[str, str]) -> None:
    """Record in a warehouse file what these days were built from; other days keep their record."""
    with duckdb.connect(path) as connection:
        connection.execute(_CREATE)
        if fingerprints:
            rows = sorted(fingerprints.items())
            connection.executemany("insert or replace into _partitions values ('marts', ?, ?)", rows)


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
