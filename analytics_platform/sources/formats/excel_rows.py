"""Read the first filled sheet of an Excel workbook, or of an OpenDocument spreadsheet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
from python_calamine import CalamineError, CalamineWorkbook

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.rows import Rows, text_array

BATCH_ROWS = 20_000


def read_excel(stream: BinaryIO, place: str) -> Iterator[Rows]:
    """Yield the rows below the header of the workbook's first sheet that has any.

    A row without any value is no row. Times of cells are text without a zone, numbers without a fraction are integers.

    Args:
        stream: The file, seekable.
        place: Name of the file in messages.

    Raises:
        SourceError: If the workbook cannot be read, or its header names a column twice.
    """
    try:
        workbook = CalamineWorkbook.from_filelike(stream)
        sheets = [sheet for sheet in map(workbook.get_sheet_by_name, workbook.sheet_names) if sheet.height]
        if not sheets:
            return
        lines = iter(sheets[0].iter_rows())
        header = next((line for line in lines if any(cell != "" for cell in line)), None)
    except (CalamineError, OSError, ValueError) as error:
        raise SourceError(
            f"{place}: cannot be read as a workbook ({error}); open it in Excel and save it as CSV UTF-8"
        ) from None
    if header is None:
        return
    names = [str(name).strip() or f"column_{number}" for number, name in enumerate(header, start=1)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SourceError(f"{place}: its header names a column twice: {', '.join(repeated)}; rename one of them")
    first = 1
    while batch := list(islice(lines, BATCH_ROWS)):
        kept = [index for index, line in enumerate(batch) if any(cell != "" for cell in line)]
        columns = {
            name: text_array([_cell(batch[index][place_]) for index in kept]) for place_, name in enumerate(names)
        }
        if kept:
            yield Rows(np.array(kept, dtype=np.int64) + first, columns)
        first += len(batch)


def _cell(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, dt.timedelta) else value
