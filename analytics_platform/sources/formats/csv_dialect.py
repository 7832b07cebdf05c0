r"""Recognise how a table in text is written: separator, escapes, line ends, and a first line ``sep=;``."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_SAMPLE_RECORDS = 200
_SEPARATOR_LINE = re.compile(r"\A﻿?\"?sep=([\t !#-~])\"?\r?(?:\n|\Z)", re.IGNORECASE)


@dataclass(frozen=True)
class CsvDialect:
    r"""How a table in text is written.

    Attributes:
        separator: Character between two cells.
        backslashes: Whether ``\"`` stands for a quote within a quoted cell, as MySQL writes it; otherwise ``""`` does.
        skipped_lines: Number of lines before the header, such as ``sep=;``.
    """

    separator: str = ","
    backslashes: bool = False
    skipped_lines: int = 0

    @property
    def separator_name(self) -> str:
        """The separator in words."""
        return SEPARATORS.get(self.separator, repr(self.separator))


def recognise_dialect(sample: bytes) -> CsvDialect:
    """Return the dialect in which most records of a sample have as many cells as the header.

    Args:
        sample: The first bytes of a file, UTF-8; the last line may be cut.
    """
    text = sample.decode("utf-8", "replace").removeprefix("﻿")
    skipped = 0
    stated = _SEPARATOR_LINE.match(text)
    if stated:
        text, skipped = text[stated.end() :], 1
    text = text.lstrip("\r\n")
    candidates = [stated.group(1)] if stated else list(SEPARATORS)
    backslashes = [False, True] if '\\"' in text else [False]
    dialects = [CsvDialect(separator, escaped, skipped) for separator in candidates for escaped in backslashes]
    best = max(dialects, key=lambda dialect: _fit(text, dialect))
    if _fit(text, best)[1] >= _LEAST_COLUMNS or stated:
        return best
    titles = {dialect: _title_lines(text, dialect) for dialect in dialects}
    titled = next((dialect for dialect, lines in titles.items() if lines), None)
    return replace(titled, skipped_lines=skipped + titles[titled]) if titled else best


_LEAST_COLUMNS, _MOST_TITLE_LINES = 2, 10


def below_titles(sample: bytes, dialect: CsvDialect, is_wanted: Callable[[list[str]], bool]) -> CsvDialect:
    """Return the dialect that skips the lines above a header, such as the title of a report that a spreadsheet wrote.

    Args:
        sample: The first bytes of a file, UTF-8; the last line may be cut.
        dialect: The recognised dialect, which is returned where its first line is wanted, or no line is.
        is_wanted: Tells whether the names of a line are the header that the caller looks for.
    """
    lines = sample.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")[dialect.skipped_lines :]
    filled = next((index for index, line in enumerate(lines) if line.strip()), 0)
    separators = [dialect.separator] if dialect.skipped_lines else dict.fromkeys([dialect.separator, *SEPARATORS])
    for separator in separators:
        for index, line in enumerate(lines[filled : filled + _MOST_TITLE_LINES + 1], start=filled):
            if separator in line and is_wanted(_cells(line, separator)):
                if index == filled and separator == dialect.separator:
                    return dialect
                return replace(dialect, separator=separator, skipped_lines=dialect.skipped_lines + index)
    return dialect


def _cells(line: str, separator: str) -> list[str]:
    """Return the cells of a line; none of a line that is no record, such as one with a carriage return in a cell."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return []


def _title_lines(text: str, dialect: CsvDialect) -> int:
    """Return the number of lines above a table's header, such as the title of a report; 0 if there is no table."""
    widths = [line.count(dialect.separator) for line in text.splitlines()[:_SAMPLE_RECORDS]]
    table = max(widths, default=0)
    first = next((index for index, width in enumerate(widths) if width == table), 0)
    is_table = table >= _LEAST_COLUMNS and widths.count(table) >= _LEAST_COLUMNS and first <= _MOST_TITLE_LINES
    return first if is_table and not any(widths[:first]) else 0


def _fit(text: str, dialect: CsvDialect) -> tuple[float, int]:
    """Return the share of records with the header's number of cells, and this number; a single cell fits nothing."""
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.separator,
        escapechar="\\" if dialect.backslashes else None,
        doublequote=not dialect.backslashes,
        strict=False,
    )
    widths: Counter[int] = Counter()
    header = 0
    try:
        for record in reader:
            if not header:
                header = len(record)
            elif record:
                widths[len(record)] += 1
            if widths.total() >= _SAMPLE_RECORDS:
                break
    except csv.Error:  # a cell longer than the csv module reads
        pass
    if header < 2:
        return 0.0, header
    return (round(widths[header] / widths.total(), 2) if widths else 1.0), header
