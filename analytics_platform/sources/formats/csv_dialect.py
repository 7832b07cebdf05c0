r"""Recognise how a table in text is written: separator, escapes, line ends, and a first line ``sep=;``."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_SAMPLE_RECORDS = 200
_SEPARATOR_LINE = re.compile(r"\A﻿?\"?sep=(.)\"?\r?(?:\n|\Z)", re.IGNORECASE)


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
    return max(dialects, key=lambda dialect: _fit(text, dialect))


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
