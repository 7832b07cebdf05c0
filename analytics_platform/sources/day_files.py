"""Parquet files with the rows of days: one file for each day, or files with many days each.

A file of its own costs a day about three milliseconds to write, however few rows it has. A source of ten years whose
days have ten rows each therefore writes its days into few files. A source that replaces single days needs a file for
each, because the texts of a replaced day must go.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.system.cores import DECODED_BY_THREADS
from analytics_platform.system.file_stamps import FileCache

GROUP_ROWS = 512
GROUP_BYTES = 8 << 20
"""Rows, and bytes in memory, from which a row group takes no further day, and a day has row groups of its own: a
reader of a day decodes the whole of each row group that has rows of the day."""
_GROUPS_PER_FILE = 64
"""Row groups from which a file takes no further day; every reader of a file reads the description of all its groups."""
_LEAST_UNKEPT_ROWS = 2_000
_LEAST_UNKEPT_BYTES = 16 << 20
"""Rows, and bytes, from which decoded row groups are not kept in memory for the next day."""


class DayPlace(NamedTuple):
    """Where the rows of a day are in a file that days share.

    Attributes:
        file: Name of the file without its ending.
        first_row: Number of rows before them in the file.
        rows: Number of rows.
    """

    file: str
    first_row: int
    rows: int


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
        self._waiting_rows, self._waiting_bytes = 0, 0
        self._writer: pq.ParquetWriter | None = None
        self._name, self._files, self._groups, self._rows = "", 0, 0, 0
        self._day = ""
        self.places: dict[str, DayPlace] = {}

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
        sizes = _bytes_before(rows, bounds)
        begin = 0  # the first of the days that were not added yet
        for number, (day, (start, end)) in enumerate(zip(days, pairwise(bounds), strict=True)):
            is_next = day != self._day
            waiting = self._waiting_rows + start - bounds[begin]
            waiting_bytes = self._waiting_bytes + sizes[number] - sizes[begin]
            is_full = waiting >= (self._least if is_next else GROUP_ROWS) or waiting_bytes >= GROUP_BYTES
            is_large = end - start >= GROUP_ROWS or sizes[number + 1] - sizes[number] >= GROUP_BYTES
            if is_full or is_large or (is_next and self._groups >= self._most_groups):
                self._add(rows.slice(bounds[begin], start - bounds[begin]), sizes[number] - sizes[begin])
                self._flush()
                begin = number
            if is_next:
                if self._groups >= self._most_groups:
                    self._close()
                self._day = day
            if self._shared:
                first_row = self._rows + self._waiting_rows + start - bounds[begin]
                place = self.places.get(day, DayPlace(self._next_name(), first_row, 0))
                self.places[day] = place._replace(rows=place.rows + end - start)
        self._add(rows.slice(bounds[begin]), sizes[-1] - sizes[begin])

    def _next_name(self) -> str:
        return self._name or f"{self._files:05}"

    def _add(self, rows: pa.Table, size: int) -> None:
        if rows.num_rows:
            self._waiting.append(rows)
            self._waiting_rows += rows.num_rows
            self._waiting_bytes += size

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
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._name, self._groups, self._rows = None, "", 0, 0


def _bytes_before(rows: pa.Table, bounds: list[int]) -> list[int]:
    """Return the bytes in memory of the rows before each bound.

    Texts count by their ends, which Arrow stores. The other columns count as if all rows had the same size. Arrow's own
    ``nbytes`` of a slice costs a tenth of a millisecond, for each day.
    """
    places = np.array(bounds)
    texts = np.zeros(len(places), dtype=np.int64)
    for column in rows.columns:
        if rows.num_rows and (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
            ends = np.frombuffer(array.buffers()[1], np.int32 if pa.types.is_string(column.type) else np.int64)
            ends = ends[array.offset : array.offset + rows.num_rows + 1][places].astype(np.int64)
            texts += ends - ends[0]
    others = (rows.nbytes - int(texts[-1])) / max(rows.num_rows, 1)
    sizes: list[int] = (texts + others * places).astype(np.int64).tolist()
    return sizes


@dataclass(eq=False)
class _OpenedFile:
    """What is kept in memory of a Parquet file in one state.

    Attributes:
        metadata: Its footer.
        starts: First row of each row group, and the number of rows; shape (groups + 1,).
        decoded: The row groups that were decoded most recently, if they are small: the number of the first one, the
            number after the last one, and their rows. A run reads day after day, and neighbouring days share a row
            group.
    """

    metadata: pq.FileMetaData
    starts: np.ndarray[Any, np.dtype[np.int64]]
    decoded: tuple[int, int, pa.Table] | None = None


def day_path(folder: Path, day: str, place: DayPlace | None) -> Path:
    """Return the path of the file that has a day's rows. Arguments are those of ``stored_rows``."""
    return folder / f"{place.file if place else day}.parquet"


def stored_rows(folder: Path, day: str, place: DayPlace | None) -> int:
    """Return the number of rows of a day that its file has, from the file's footer; 0 without a file.

    Args:
        folder: Folder of the files.
        day: ``YYYY-MM-DD``.
        place: Where the rows are; None for a day with a file of its own.

    Raises:
        pyarrow.ArrowInvalid: If the file is not Parquet.
        OSError: If the file cannot be read.
    """
    try:
        file = _files.get(day_path(folder, day, place))
    except FileNotFoundError:
        return 0
    rows = int(file.starts[-1])
    return max(min(place.rows, rows - place.first_row), 0) if place else rows


def read_rows(folder: Path, day: str, place: DayPlace | None) -> pa.Table | None:
    """Return the rows of a day; None without a file. Arguments and errors are those of ``stored_rows``."""
    path = day_path(folder, day, place)
    try:
        file = _files.get(path)
        _, first, rows = place or (day, 0, int(file.starts[-1]))
        begin = int(np.searchsorted(file.starts, first, side="right")) - 1
        end = min(int(np.searchsorted(file.starts, first + rows)), len(file.starts) - 1)
        table = _decode(path, file, begin, end, keeps=place is not None)
    except FileNotFoundError:  # also one that was removed since its footer was read
        return None
    return table.slice(first - int(file.starts[begin]), rows)


def _decode(path: Path, file: _OpenedFile, begin: int, end: int, *, keeps: bool) -> pa.Table:
    """Return the rows of the row groups from ``begin`` to the one before ``end``.

    Raises:
        FileNotFoundError: If the file is gone.
    """
    decoded = file.decoded
    if decoded is not None and decoded[:2] == (begin, end):
        return decoded[2]
    rows = int(file.starts[end] - file.starts[begin])
    with pq.ParquetFile(path, metadata=file.metadata) as parquet:
        table = parquet.read_row_groups(list(range(begin, end)), use_threads=rows >= DECODED_BY_THREADS)
    if keeps and rows < _LEAST_UNKEPT_ROWS and table.nbytes < _LEAST_UNKEPT_BYTES:
        file.decoded = begin, end, table
    return table


def _read_footer(path: Path) -> _OpenedFile:
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    return _OpenedFile(metadata, np.cumsum([0, *groups]))


_files = FileCache(_read_footer, most=4)
