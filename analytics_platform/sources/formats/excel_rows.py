"""Read the sheets of an Excel workbook, or of an OpenDocument spreadsheet."""

from __future__ import annotations

import datetime as dt
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import dropwhile, islice
from typing import Any, BinaryIO

import numpy as np
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.rows import Rows, text_array

BATCH_ROWS = 20_000
MOST_BYTES = 1 << 30
"""Bytes of a workbook's parts, unpacked. Its cells take several times as much memory."""
_REMEDY = "open it in Excel and save it as CSV UTF-8"
_MOST_TITLE_LINES = 10
"""Lines above a header, such as the title of a report."""


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
    _content: CalamineSheet

    @property
    def height(self) -> int:
        """Number of lines below the header, and perhaps of empty lines above the first line with a value."""
        start = self._content.start or (0, 0)
        return start[0] + self._content.height - self.header - 1

    def rows(self, first: int, place: str) -> Iterator[Rows]:
        """Yield the rows below the header. A row without any value is no row.

        Times of cells are text without a zone, numbers without a fraction are integers.

        Args:
            first: Number of the first row.
            place: Name of the file in messages.

        Raises:
            SourceError: If the header names a column twice.
        """
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise SourceError(f"{place}: its header names a column twice: {', '.join(repeated)}; rename one of them")
        lines = islice(self._content.iter_rows(), self.header + 1, None)
        while batch := list(islice(lines, BATCH_ROWS)):
            kept = [index for index, line in enumerate(batch) if _is_filled(line)]
            columns = {
                name: text_array([_cell(batch[index][place_]) for index in kept])
                for place_, name in enumerate(self.names)
            }
            if kept:
                yield Rows(np.array(kept, dtype=np.int64) + first, columns)
            first += len(batch)


def filled_sheets(stream: BinaryIO, place: str, is_wanted: Callable[[list[str]], bool]) -> list[Sheet]:
    """Return the sheets of a workbook that have a value, in order.

    The header is the first line that ``is_wanted``, at most ``_MOST_TITLE_LINES`` lines below the first with a value;
    without such a line, it is the first with a value.

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
    sheets = []
    for name, content in contents.items():
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
