"""Read the tables of a web page, such as the reports that programs save as ``.xls`` and Excel opens as a workbook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from selectolax.lexbor import LexborHTMLParser, LexborNode

from analytics_platform.sources.base import SourceError

MOST_BYTES = 32 << 20
"""Bytes of a page, which is parsed at once and takes 18 times as much memory."""
_MOST_COLUMNS = 1000
"""Most columns that a cell covers, as in browsers."""
_BLANKS = re.compile(r"[^\S\n]+")


@dataclass(frozen=True)
class HtmlTable:
    """The cells of a table as a workbook's sheet gives them: an empty text where a cell of the line above goes on.

    Attributes:
        lines: The cells, line by line, of each line up to the last one that is written there.
        merged_cell_ranges: First and last line and column, from 0, of the cells that cover several lines.
        start: Line and column of the first cell.
    """

    lines: list[list[str]]
    merged_cell_ranges: list[tuple[tuple[int, int], tuple[int, int]]]
    start: tuple[int, int] = (0, 0)

    @property
    def height(self) -> int:
        """Number of lines."""
        return len(self.lines)

    def iter_rows(self) -> Iterator[list[str]]:
        """Yield the cells of each line, all lines of the same length."""
        width = max(map(len, self.lines), default=0)
        for line in self.lines:
            yield line + [""] * (width - len(line))


def html_tables(stream: BinaryIO, place: str) -> dict[str, HtmlTable]:
    """Return the tables of a page that hold no other table, each under its number as a name.

    Args:
        stream: The page, UTF-8.
        place: Name of the file in messages.

    Raises:
        SourceError: If the page is larger than ``MOST_BYTES``.
    """
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise SourceError(
            f"{place}: is a web page (HTML) of more than {MOST_BYTES >> 20} MiB, which is read at once; "
            "export as CSV or JSON"
        )
    root = LexborHTMLParser(content.decode("utf-8", "replace"))
    for line_break in root.css("br"):
        line_break.replace_with("\n")
    tables = [table for table in root.css("table") if table.css_first("table table") is None]
    return {f"table {number}": _cells(table) for number, table in enumerate(tables, start=1)}


def _cells(table: LexborNode) -> HtmlTable:
    lines: list[list[str]] = []
    merged = []
    covered_until: dict[int, int] = {}
    rows = table.css("tr")
    for row, line in enumerate(rows):
        cells: list[str] = []
        column = 0
        for cell in line.css("th, td"):
            while covered_until.get(column, -1) >= row:
                column += 1
            height, width = _span(cell, "rowspan", len(rows) - row), _span(cell, "colspan", _MOST_COLUMNS)
            if height > 1:
                merged.append(((row, column), (row + height - 1, column + width - 1)))
                covered_until.update(dict.fromkeys(range(column, column + width), row + height - 1))
            cells += [*[""] * (column - len(cells)), _text(cell)]
            column += width
        lines.append(cells)
    return HtmlTable(lines, merged)


def _span(cell: LexborNode, name: str, most: int) -> int:
    stated = cell.attributes.get(name) or ""
    return min(max(int(stated), 1), most) if stated.isascii() and stated.isdigit() else 1


def _text(cell: LexborNode) -> str:
    """Return the text of a cell; blanks in a row, which a browser shows as one, are one."""
    lines = (_BLANKS.sub(" ", line).strip() for line in cell.text().split("\n"))
    return "\n".join(lines).strip()
