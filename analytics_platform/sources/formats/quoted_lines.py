"""Tables in text of which each whole line stands in quotes, as spreadsheets write lines pasted into one column.

``"1,customer,""hello, you"",2024-06-20"`` is a table of one column whose cells are the lines of another table.
"""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from typing import Any

from analytics_platform.sources.formats.csv_dialect import SEPARATORS

_QUOTE = re.compile(rb'(?<=\n)""\r?(?:\n|\Z)|"("?)')
"""A blank line, which goes as a whole, or a quote around a cell or of a pair."""
_BLOCK_BYTES = 1 << 20
_RECORDS = 200
_LEAST_LINES, _LEAST_CELLS = 2, 2


def quotes_whole_lines(sample: bytes) -> bool:
    """Tell whether each line of a table in text is one quoted cell that is a line with several cells.

    Args:
        sample: The first bytes of a file, UTF-8; the last line may be cut.
    """
    if not sample.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b'"'):
        return False
    text = sample.decode("utf-8", "replace").removeprefix("\ufeff").lstrip()
    return any(_are_lines(text, separator) for separator in SEPARATORS)


def _are_lines(text: str, separator: str) -> bool:
    try:
        records = [
            one
            for one in islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), _RECORDS)
            if one not in ([], [""])
        ]
        inner = [next(csv.reader([record[0]], delimiter=separator)) for record in records[:_LEAST_LINES]]
    except (csv.Error, StopIteration):  # a cell longer than the csv module reads, or an empty one
        return False
    whole = records[:-1] if len(records) > _LEAST_LINES else records  # the last one may be cut
    return (
        len(whole) >= _LEAST_LINES
        and all(len(record) == 1 for record in whole)
        and len(inner[0]) == len(inner[1]) >= _LEAST_CELLS
    )


class UnquotedLines(io.RawIOBase):
    """The cells of a table with one quoted column as lines: each quote around a cell is left out, two quotes are one.

    A line with nothing but two quotes is a blank one, which is left out.

    Args:
        source: The table, UTF-8.
    """

    def __init__(self, source: io.BufferedReader) -> None:
        self._source = source
        self._rest, self._kept, self._before = b"", b"", b"\n"

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the next bytes; returns their number, 0 at the end."""
        while not self._rest:
            block = self._source.read(_BLOCK_BYTES)
            if not block and not self._kept:
                return 0
            whole = self._kept + block
            cut = len(whole.rstrip(b'"\r')) if block else len(whole)  # quotes at the end may go on in the next block
            self._kept = whole[cut:]
            self._rest = _QUOTE.sub(rb"\1", self._before + whole[:cut])[1:]
            self._before = whole[cut - 1 : cut] or self._before
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
