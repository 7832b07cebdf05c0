"""Read the sheets of an Excel workbook, or of an OpenDocument spreadsheet."""

from __future__ import annotations

import datetime as dt
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import dropwhile, islice
from typing import Any, BinaryIO, Protocol

import numpy as np
from python_calamine import CalamineError, CalamineWorkbook

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.rows import Rows, text_array

BATCH_ROWS = 20_000
MOST_BYTES = 1 << 30
"""Bytes of a workbook's parts, unpacked. Its cells take several times as much memory."""
_REMEDY = "open it in Excel and save it as CSV UTF-8"
_MOST_TITLE_LINES = 10
"""Lines above a header, such as the title of a report."""


class Grid(Protocol):
    """The cells of a sheet: an empty text where a cell has no value, or a cell of the line above goes on."""

    @property
    def start(self) -> tuple[int, int] | None:
        """Line and column of the first cell with a value; None without any."""

    @property
    def height(self) -> int:
        """Number of lines from the first with a value on."""

    @property
    def merged_cell_ranges(self) -> list[tuple[tuple[int, int], tuple[int, int]]] | None:
        """First and last line and column, from 0, of merged cells."""

    def iter_rows(self) -> Iterator[list[Any]]:
        """Yield the cells of each line, also of empty ones above the first with a value, from its column on."""


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook that has a value somewhere.

    Attributes:
        name: Name of the sheet.
        names: The columns, from the header.
        is_wanted: Whether the header is one that the caller looks for.
        header: Place of the header among the lines of the sheet, from 0.
    """

    name: str
    names: list[str]
    is_wanted: bool
    header: int
    _content: Grid

    @property
    def height(self) -> int:
        """Number of lines below the header, and perhaps of empty lines above the first line with a value."""
        start = self._content.start or (0, 0)
        return start[0] + self._content.height - self.header - 1

    @property
    def merged_names(self) -> list[str]:
        """The columns of which a cell below the header covers several lines."""
        columns = {column for _, column, _ in self._merged()}
        return [name for place, name in enumerate(self.names) if place in columns]

    def _merged(self) -> list[tuple[int, int, int]]:
        """Return first line, column and last line of the cells below the header that cover several lines."""
        left = (self._content.start or (0, 0))[1]
        return sorted(
            (top, column - left, bottom)
            for (top, column), (bottom, _) in self._content.merged_cell_ranges or ()
            if bottom > top > self.header and left <= column < left + len(self.names)
        )

    def rows(self, first: int, place: str, repeated_names: Collection[str] = ()) -> Iterator[Rows]:
        """Yield the rows below the header. A row without any value is no row.

        Times of cells are text without a zone, numbers without a fraction are integers.

        Args:
            first: Number of the first row.
            place: Name of the file in messages.
            repeated_names: Columns of which a cell that covers several lines counts for each of them.

        Raises:
            SourceError: If the header names a column twice.
        """
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise SourceError(f"{place}: its header names a column twice: {', '.join(repeated)}; rename one of them")
        lines = islice(self._content.iter_rows(), self.header + 1, None)
        merged = deque(one for one in self._merged() if self.names[one[1]] in repeated_names)
        going_on: list[tuple[int, int, int, Any]] = []
        top = self.header + 1
        while batch := list(islice(lines, BATCH_ROWS)):
            kept = [index for index, line in enumerate(batch) if _is_filled(line)]
            _fill_down(batch, top, merged, going_on)
            top += len(batch)
            columns = {
                name: text_array([_cell(batch[index][place_]) for index in kept])
                for place_, name in enumerate(self.names)
            }
            if kept:
                yield Rows(np.array(kept, dtype=np.int64) + first, columns)
            first += len(batch)


def _fill_down(
    batch: list[list[Any]],
    top: int,
    merged: deque[tuple[int, int, int]],
    going_on: list[tuple[int, int, int, Any]],
) -> None:
    """Write the value of each merged cell into the lines that it covers.

    Args:
        batch: The cells of successive lines.
        top: Place of the first of them in the sheet.
        merged: First line, column and last line of each merged cell, by first line; loses those that begin here.
        going_on: The merged cells of the batches before that cover lines of this one, each with its value; afterwards
            those that cover lines of the next one.
    """
    below = top + len(batch)
    while merged and merged[0][0] < below:
        begin, column, end = merged.popleft()
        going_on.append((begin, column, end, batch[begin - top][column]))
    for begin, column, end, value in going_on:
        for line in range(max(begin + 1, top), min(end + 1, below)):
            if batch[line - top][column] == "":
                batch[line - top][column] = value
    going_on[:] = [one for one in going_on if one[2] >= below]


def filled_sheets(stream: BinaryIO, place: str, is_wanted: Callable[[list[str]], bool]) -> list[Sheet]:
    """Return the sheets of a workbook that have a value, in order; see ``sheets_of``.

    Args:
        stream: The file, seekable.
        place: Name of the file in messages.
        is_wanted: Tells whether the names of a line are the header that the caller looks for.

    Raises:
        SourceError: If the workbook cannot be read.
    """
    _refuse_oversize(stream, place)
    try:
        workbook = CalamineWorkbook.from_filelike(stream)
        contents = {name: workbook.get_sheet_by_name(name) for name in workbook.sheet_names}
    except (CalamineError, OSError, ValueError) as error:
        raise SourceError(f"{place}: cannot be read as a workbook ({error}); {_REMEDY}") from None
    return sheets_of(contents, is_wanted)


def sheets_of(grids: Mapping[str, Grid], is_wanted: Callable[[list[str]], bool]) -> list[Sheet]:
    """Return the sheets that have a value.

    The header is the first line that ``is_wanted``, at most ``_MOST_TITLE_LINES`` lines below the first with a value;
    without such a line, it is the first with a value.

    Args:
        grids: The cells of each sheet, by its name, in order.
        is_wanted: As for ``filled_sheets``.
    """
    sheets = []
    for name, content in grids.items():
        filled = dropwhile(lambda numbered: not _is_filled(numbered[1]), enumerate(content.iter_rows()))
        candidates = [(index, _names(line)) for index, line in islice(filled, _MOST_TITLE_LINES + 1)]
        if candidates:
            wanted = next((candidate for candidate in candidates if is_wanted(candidate[1])), None)
            header, names = wanted or candidates[0]
            sheets.append(Sheet(name, names, wanted is not None, header, content))
    return sheets


def _refuse_oversize(stream: BinaryIO, place: str) -> None:
    """Refuse a packed workbook that is too large to be read at once, or says so wrongly.

    Raises:
        SourceError: If its parts have more than ``MOST_BYTES``, or cannot be unpacked.
    """
    if not zipfile.is_zipfile(stream):  # .xls is not packed
        stream.seek(0)
        return
    try:
        with zipfile.ZipFile(stream) as archive:
            size = sum(member.file_size for member in archive.infolist())
            # Unpacking stops at the size that a part states, and a part that goes on has another checksum.
            damaged = archive.testzip() if size <= MOST_BYTES else None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
        raise SourceError(f"{place}: cannot be read as a workbook ({error}); {_REMEDY}") from None
    if size > MOST_BYTES:
        raise SourceError(
            f"{place}: is a workbook of {size / 1e6:,.0f} MB unpacked, which is read at once; the most is "
            f"{MOST_BYTES / 1e6:,.0f} MB: {_REMEDY}"
        )
    if damaged is not None:
        raise SourceError(f"{place}: cannot be read as a workbook ({damaged} is damaged); {_REMEDY}")
    stream.seek(0)


def _names(line: list[Any]) -> list[str]:
    return [str(name).strip() or f"column_{number}" for number, name in enumerate(line, start=1)]


def _is_filled(line: list[Any]) -> bool:
    return any(cell != "" for cell in line)


def _cell(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, dt.timedelta) else value
