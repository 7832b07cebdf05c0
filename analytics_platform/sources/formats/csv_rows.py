r"""Read tables in text (CSV and its kin) of any size in bounded memory, with each broken row reported by itself.

A regular expression defines a well-formed record and cuts the bytes into runs of such records; Arrow parses the
runs. A line at which no well-formed record begins becomes an unreadable row, and reading continues with the next
line, so an unclosed quote costs one row and not the rest of the file. A quoted cell that is closed is never cut.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.content import skip_line
from analytics_platform.sources.formats.csv_dialect import CsvDialect
from analytics_platform.sources.rows import (
    Problem,
    Rows,
    escape_undecodable,
    is_utf8,
    repair_undecodable,
    single_array,
)
from analytics_platform.system.plain_text import counted

CHUNK_BYTES = 4 << 20
"""Bytes read at a time."""

RECORD_BYTES = 64 << 20
"""Longest record. A quote that is still open after as many bytes counts as one that is never closed."""

_KEPT_BYTES = 1 << 20
"""Bytes that are kept of a line longer than ``RECORD_BYTES``."""


class _Grammar:
    r"""The regular expressions of a dialect. All quantifiers are possessive, so that no match backtracks.

    Attributes:
        record: One well-formed record with its line end.
        records: As many well-formed records as follow each other.
        unfinished: The beginning of a record that ends within a quoted cell, or without a line end.
    """

    def __init__(self, dialect: CsvDialect) -> None:
        separator = re.escape(dialect.separator.encode())
        inner = rb'[^"\\]*+(?:(?:\\.|"")[^"\\]*+)*+' if dialect.backslashes else rb'[^"]*+(?:""[^"]*+)*+'
        plain = rb'(?:[^"' + separator + rb"\r\n][^" + separator + rb"\r\n]*+)?+"
        if dialect.backslashes:  # a backslash also escapes a line end
            first, other = rb'[^"\\' + separator + rb"\r\n]", rb"[^\\" + separator + rb"\r\n]"
            plain = rb"(?:(?:" + first + rb"|\\.)(?:" + other + rb"|\\.)*+)?+"
        cell = rb'(?:"' + inner + rb'"|' + plain + rb")"
        cells = rb"(?:" + cell + separator + rb")*+"
        self.record = re.compile(cells + cell + rb"\r?\n", re.DOTALL)
        self.records = re.compile(rb"(?:" + self.record.pattern + rb")*+", re.DOTALL)
        open_quote = rb'"' + inner + rb'(?:\\|"\r?)?+'
        self.unfinished = re.compile(cells + rb"(?:" + open_quote + rb"|" + plain + rb"\r?)\Z", re.DOTALL)


_grammar = lru_cache(maxsize=8)(_Grammar)
_MYSQL_ESCAPE = re.compile(rb"\\([\\0ntrbZN])")
_MYSQL_ESCAPES = {b"0": b"\0", b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"Z": b"\x1a", b"N": b""}


def read_csv(stream: BinaryIO, place: str, dialect: CsvDialect | None = None) -> Iterator[Rows]:
    """Yield the rows of a table with a header line; a file without a header line has no rows.

    Args:
        stream: The file's bytes, UTF-8.
        place: Name of the file in messages.
        dialect: How the file is written; CSV with commas by default.

    Raises:
        SourceError: If the header cannot be read or names a column twice.
    """
    dialect = dialect or CsvDialect()
    grammar = _grammar(dialect)
    for _ in range(dialect.skipped_lines):
        stream.readline()
    names: list[str] | None = None
    first = 1
    for piece, well_formed in _pieces(stream, grammar, dialect):
        if names is None:
            piece = piece.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
            if not piece:
                continue
            header = grammar.record.match(piece)
            names = _column_names(piece[: header.end()] if header else piece, place, dialect)
            piece = piece[header.end() :] if header else b""
        if piece[:1] in (b"", b"\r", b"\n") and not piece.strip(b"\r\n"):
            continue
        rows = _parse(piece, names, first, dialect) if well_formed else _broken(piece, names, first, dialect)
        yield rows
        first += len(rows.numbers)


def _pieces(stream: BinaryIO, grammar: _Grammar, dialect: CsvDialect) -> Iterator[tuple[bytes, bool]]:
    """Cut the bytes into runs of whole records (True) and single lines at which no record begins (False)."""
    rest, at_end = b"", False
    while not at_end:
        block = stream.read(CHUNK_BYTES)
        at_end = not block
        chunk = rest + (block or (b"\n" if rest else b""))
        position = _clean_length(chunk, dialect)
        if position:
            yield chunk[:position], True
        while position < len(chunk):
            run = grammar.records.match(chunk, position)
            end = run.end() if run else position
            if end > position:
                yield chunk[position:end], True
            position = end
            newline = chunk.find(b"\n", position)
            may_go_on = not at_end and len(chunk) - position < RECORD_BYTES
            if newline < 0 and not at_end and not may_go_on:
                yield chunk[position : position + _KEPT_BYTES] + b"\n", False
                skip_line(stream)
                position = len(chunk)
                break
            if newline < 0 or (may_go_on and grammar.unfinished.match(chunk, position)):
                break
            yield chunk[position : newline + 1], False
            position = newline + 1
        rest = chunk[position:]


def _clean_length(chunk: bytes, dialect: CsvDialect) -> int:
    """Return the length of the whole records with which a chunk begins, if all its quotes are where they belong; or 0.

    This is the quick way for clean files; the regular expressions decide about every other chunk. Of well-formed cells,
    quotes open and close in turn: an opening one follows a separator or a line end, a closing one precedes one, and the
    two quotes of an escaped quote, a closing and an opening one, follow each other.
    """
    content = np.frombuffer(chunk, dtype=np.uint8)
    if dialect.backslashes or (b"\r" in chunk and not _all_before_newlines(content)):
        return 0
    quotes = np.flatnonzero(content == _QUOTE)
    if len(quotes):
        is_border = np.zeros(256, dtype=bool)
        is_border[[*dialect.separator.encode(), *b'\r\n"']] = True
        opening, closing = quotes[::2], quotes[1::2]
        before = content[opening[opening > 0] - 1]
        after = content[closing[closing < len(chunk) - 1] + 1]
        if not (is_border[before].all() and is_border[after].all()):
            return 0
    end = chunk.rfind(b"\n") + 1
    while end and np.searchsorted(quotes, end) % 2:
        end = chunk.rfind(b"\n", 0, quotes[np.searchsorted(quotes, end) - 1]) + 1
    return end


_QUOTE = ord('"')


def _all_before_newlines(content: np.ndarray[Any, np.dtype[np.uint8]]) -> bool:
    """Tell whether each carriage return stands before a newline."""
    returns = np.flatnonzero(content == ord("\r"))
    return int(returns[-1]) < len(content) - 1 and bool((content[returns + 1] == ord("\n")).all())


_OF_JIRA = frozenset({"Issue key", "Issue id"})
"""Columns of Jira's issues, which have a column of one name for each comment, label and attachment."""


def _column_names(header: bytes, place: str, dialect: CsvDialect) -> list[str]:
    try:
        names = next(csv.reader([header.decode("utf-8")], delimiter=dialect.separator, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{place}: its header line cannot be read ({error}); save the file as UTF-8 CSV") from None
    names = [name.strip() or f"column_{number}" for number, name in enumerate(names, start=1)]
    if {*names} >= _OF_JIRA:
        before = (names[:number].count(name) for number, name in enumerate(names))
        names = [f"{name} ({count + 1})" if count else name for name, count in zip(names, before, strict=True)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SourceError(f"{place}: its header names a column twice: {', '.join(repeated)}; rename one of them")
    return names


def _broken(line: bytes, names: list[str], number: int, dialect: CsvDialect) -> Rows:
    """Return a line at which no record begins as one row with a problem and no values."""
    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
    mysql = r'; \" is no quote in CSV: write "" instead' if '\\"' in text and not dialect.backslashes else ""
    problem = Problem("unreadable_row", f"broken quotes in {text[:100]!r}{mysql}", text)
    return _without_values({number: problem}, names)


def _parse(run: bytes, names: list[str], first: int, dialect: CsvDialect) -> Rows:
    """Parse well-formed records; a record whose number of fields differs from the header's becomes a problem."""
    run, undecodable = _decodable(run, dialect)
    if dialect.backslashes:
        run = _MYSQL_ESCAPE.sub(lambda found: _MYSQL_ESCAPES.get(found.group(1), found.group()), run)
    refused: list[pa.csv.InvalidRow] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        refused.append(row)
        return "skip"

    table = pa.csv.read_csv(
        pa.BufferReader(run),
        read_options=pa.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(run) + 1),
        parse_options=pa.csv.ParseOptions(
            delimiter=dialect.separator,
            escape_char="\\" if dialect.backslashes else False,
            newlines_in_values=True,
            invalid_row_handler=skip,
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=["", r"\N"],
            check_utf8=False,
        ),
    )
    return _with_refused(table, names, first, refused, undecodable)


def _with_refused(
    table: pa.Table, names: list[str], first: int, refused: list[pa.csv.InvalidRow], undecodable: dict[int, str]
) -> Rows:
    """Return the parsed rows with the refused ones at their positions, which have null values and a problem."""
    problems = {first + index: Problem("invalid_utf8", detail) for index, detail in undecodable.items()}
    for row in refused:
        detail = f"{counted(row.actual_columns, 'field')} where the header has {row.expected_columns}"
        problems[first + row.number - 1] = Problem("unreadable_row", detail, row.text)
    numbers = np.arange(first, first + table.num_rows + len(refused), dtype=np.int64)
    if not refused:
        return Rows(numbers, dict(zip(names, map(single_array, table.columns), strict=True)), problems)
    refused_at = np.array([row.number - 1 for row in refused], dtype=np.int64)
    place = np.full(len(numbers), -1, dtype=np.int64)
    place[np.setdiff1d(np.arange(len(numbers)), refused_at)] = np.arange(table.num_rows)
    taken = pa.array(place, mask=place < 0)
    columns = {name: single_array(column.take(taken)) for name, column in zip(names, table.columns, strict=True)}
    return Rows(numbers, columns, problems)


def _decodable(run: bytes, dialect: CsvDialect) -> tuple[bytes, dict[int, str]]:
    """Return the run as UTF-8, and the detail of each record that is damaged beyond repair by its index.

    Undecodable bytes beside readable ones become U+FFFD. A record in which a whole cell cannot be decoded is escaped.
    """
    if is_utf8(run):
        return run, {}
    record = _grammar(dialect).record
    records = [match.group() for match in record.finditer(run) if match.group().strip(b"\r\n")]
    damaged = {}
    for index, content in enumerate(records):
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            text = content.decode("utf-8", "surrogateescape")
            cells = next(csv.reader([text], delimiter=dialect.separator), [])
            if any(repair_undecodable(cell) is None for cell in cells):
                bad = error.object[error.start : error.end]
                damaged[index] = f"not UTF-8: {bad!r} at byte {error.start} of the row"
                records[index] = content.decode("utf-8", "backslashreplace").encode("utf-8")
            else:
                records[index] = (repair_undecodable(text) or escape_undecodable(text)).encode("utf-8")
    return b"".join(records), damaged


def _without_values(problems: dict[int, Problem], names: list[str]) -> Rows:
    numbers = np.array(list(problems), dtype=np.int64)
    return Rows(numbers, {name: pa.nulls(len(numbers), pa.string()) for name in names}, problems)
