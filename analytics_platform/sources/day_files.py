"""Parquet files with the rows of days: one file for each day, or files with many days each.

A file of its own costs a day about three milliseconds to write, however few rows it has. A source of ten years whose
days have ten rows each therefore writes its days into few files. A source that replaces single days needs a file for
each, because the texts of a replaced day must go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.system.cores import DECODED_BY_THREADS

Place: TypeAlias = tuple[str, int, int]
"""Where the rows of a day are: the file's name without its ending, the first row in the file, and the number of rows"""
GROUP_ROWS = 512
"""Rows from which a row group takes no further day. A reader of a day reads its row groups as a whole."""
_MOST_GROUP_ROWS = 20_000
_GROUPS_PER_FILE = 64
"""Row groups from which a file takes no further day; every reader of a file reads the description of all its groups."""
_LEAST_UNKEPT_ROWS = 2_000
"""Rows of row groups from which these are not kept in memory for the next day."""


class DayFiles:
    """Writes the rows of a table, sorted by day; a context manager that finishes the files.

    Args:
        folder: Folder of the files; made if it does not exist.
        schema: Schema of the rows.
        shared: Whether days share files.

    Attributes:
        places: Where the rows of each day are, by day as ``YYYY-MM-DD``; empty if each day has a file of its own.
    """

    def __init__(self, folder: Path, schema: pa.Schema, *, shared: bool) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._schema = schema
        self._least, self._most_groups = (GROUP_ROWS, _GROUPS_PER_FILE) if shared else (1, 1)
        self._shared = shared
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._writer: pq.ParquetWriter | None = None
        self._name, self._files, self._groups, self._rows = "", 0, 0, 0
        self._day = ""
        self.places: dict[str, Place] = {}

    def __enter__(self) -> DayFiles:
        """Return this object."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the rows that wait, unless an error was raised, and close the file."""
        if error is None:
            self._flush()
        self._close()

    def write(self, rows: pa.Table, days: list[str], bounds: list[int]) -> None:
        """Add rows; the first ones may continue the last day of the call before.

        Args:
            rows: The rows; each day's rows follow one another.
            days: The days, each once.
            bounds: Place of the first row of each day, and the number of rows; one more than days.
        """
        written = 0
        for day, (start, end) in zip(days, pairwise(bounds), strict=True):
            if day != self._day:
                unwritten = self._waiting_rows + start - written
                if unwritten >= self._least or self._groups >= self._most_groups:
                    self._add(rows.slice(written, start - written))
                    self._flush()
                    written = start
                if self._groups >= self._most_groups:
                    self._close()
                self._day = day
            if self._shared:
                first_row = self._rows + self._waiting_rows + start - written
                name, first, count = self.places.get(day, (self._next_name(), first_row, 0))
                self.places[day] = name, first, count + end - start
        self._add(rows.slice(written))

    def _next_name(self) -> str:
        return self._name or f"{self._files:05}"

    def _add(self, rows: pa.Table) -> None:
        if self._waiting_rows + rows.num_rows > _MOST_GROUP_ROWS:
            self._flush()
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows

    def _flush(self) -> None:
        """Write the rows that wait as a row group."""
        if not self._waiting_rows:
            return
        if self._writer is None:
            self._name = self._next_name() if self._shared else self._day
            self._files += 1
            path = self._folder / f"{self._name}.parquet"
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._writer.write_table(pa.concat_tables(self._waiting))
        self._rows += self._waiting_rows
        self._groups += 1
        self._waiting, self._waiting_rows = [], 0

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._name, self._groups, self._rows = None, "", 0, 0


@dataclass(frozen=True, eq=False)
class _Description:
    """The description of a Parquet file in one state; each object is equal to itself alone.

    Attributes:
        metadata: Its footer.
        starts: First row of each row group, and the number of rows; shape (groups + 1,).
    """

    metadata: pq.FileMetaData
    starts: np.ndarray[Any, np.dtype[np.int64]]


def stored_rows(folder: Path, day: str, place: Place | None) -> int:
    """Return the number of rows of a day that its file has, from the file's footer; 0 without a file.

    Args:
        folder: Folder of the files.
        day: ``YYYY-MM-DD``.
        place: Where the rows are; None for a day with a file of its own.
    """
    found = _description(folder / f"{place[0] if place else day}.parquet")
    if found is None:
        return 0
    rows = int(found.starts[-1])
    return max(min(place[2], rows - place[1]), 0) if place else rows


def read_rows(folder: Path, day: str, place: Place | None) -> pa.Table | None:
    """Return the rows of a day; None without a file. Arguments are those of ``stored_rows``."""
    path = folder / f"{place[0] if place else day}.parquet"
    found = _description(path)
    if found is None:
        return None
    _, first, rows = place or (day, 0, int(found.starts[-1]))
    begin = int(np.searchsorted(found.starts, first, side="right")) - 1
    end = min(int(np.searchsorted(found.starts, first + rows)), len(found.starts) - 1)
    first_of_groups = int(found.starts[begin])
    is_small = found.starts[end] - first_of_groups < _LEAST_UNKEPT_ROWS
    read = _kept_groups if place and is_small else _read_groups
    try:
        table = read(path, found, begin, end)
    except FileNotFoundError:  # removed since its description was read
        return None
    return table.slice(first - first_of_groups, rows)


def _read_groups(path: Path, found: _Description, begin: int, end: int) -> pa.Table:
    """Return the rows of the row groups from ``begin`` to the one before ``end``.

    Raises:
        FileNotFoundError: If the file is gone.
    """
    with pq.ParquetFile(path, metadata=found.metadata) as file:
        rows = found.starts[end] - found.starts[begin]
        return file.read_row_groups(list(range(begin, end)), use_threads=bool(rows >= DECODED_BY_THREADS))


_kept_groups = lru_cache(maxsize=4)(_read_groups)
"""Few of the row groups that were read last: a run reads day after day, and neighbours share a row group."""


def _description(path: Path) -> _Description | None:
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return _read_description(path, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8)
def _read_description(path: Path, *_state: int) -> _Description | None:
    """Read the description of a file; the state of the file tells two files of one path apart."""
    try:
        metadata = pq.read_metadata(path)
    except FileNotFoundError:
        return None
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    return _Description(metadata, np.cumsum([0, *groups]))
