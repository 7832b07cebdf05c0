r"""Read CSV files of any size in bounded memory, with each broken row reported by itself.

A regular expression defines a well-formed record and cuts the bytes into runs of such records; Arrow parses the
runs. A line at which no well-formed record begins becomes an unreadable row, and reading continues with the next
line, so an unclosed quote costs one row and not the rest of the file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.rows import Problem, Rows, empty_to_null

CHUNK_BYTES = 4 << 20
"""Bytes read at a time; also the longest record that may continue in the next chunk."""

# A field is quoted (quotes within it doubled) or does not begin with a quote. Possessive: never backtracks.
_FIELD = rb'(?:"[^"]*+(?:""[^"]*+)*+"|(?:[^",\r\n][^,\r\n]*+)?+)'
_RECORD = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+\r?\n")
_RECORDS = re.compile(rb"(?:" + _RECORD.pattern + rb")*+")


def read_csv(stream: BinaryIO, place: str) -> Iterator[Rows]:
    """Yield the rows of a CSV file with a header line; a file without a header line has no rows.

    Args:
        stream: The file's bytes, UTF-8.
        place: Name of the file in messages.

    Raises:
        SourceError: If the header cannot be read or names a column twice.
    """
    names: list[str] | None = None
    first = 1
    for piece, well_formed in _pieces(stream):
        if names is None:
            piece = piece.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
            if not piece:
                continue
            header = _RECORD.match(piece)
            names = _column_names(piece[: header.end()] if header else piece, place)
            piece = piece[header.end() :] if header else b""
        if not piece.strip(b"\r\n"):
            continue
        rows = _parse(piece, names, first) if well_formed else _broken(piece, names, first)
        yield rows
        first += len(rows.numbers)


def _pieces(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Cut the bytes into runs of whole records (True) and single lines at which no record begins (False)."""
    rest, at_end = b"", False
    while not at_end:
        block = stream.read(CHUNK_BYTES)
        at_end = not block
        chunk = rest + (block or (b"\n" if rest else b""))
        position = 0
        while position < len(chunk):
            run = _RECORDS.match(chunk, position)
            end = run.end() if run else position
            if end > position:
                yield chunk[position:end], True
            position = end
            newline = chunk.find(b"\n", position)
            if newline < 0 or (not at_end and len(chunk) - position < CHUNK_BYTES):
                break
            yield chunk[position : newline + 1], False
            position = newline + 1
        rest = chunk[position:]


def _column_names(header: bytes, place: str) -> list[str]:
    try:
        names = next(csv.reader([header.decode("utf-8")], strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{place}: its header line cannot be read ({error}); save the file as UTF-8 CSV") from None
    names = [name.strip() or f"column_{number}" for number, name in enumerate(names, start=1)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SourceError(f"{place}: its header names a column twice: {', '.join(repeated)}; rename one of them")
    return names


def _broken(line: bytes, names: list[str], number: int) -> Rows:
    """Return a line at which no record begins as one row with a problem and no values."""
    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
    problem = Problem("unreadable_row", f"broken quotes in {text[:100]!r}", text)
    return _without_values({number: problem}, names)


def _parse(run: bytes, names: list[str], first: int) -> Rows:
    """Parse well-formed records; a record whose number of fields differs from the header's becomes a problem."""
    run, undecodable = _decodable(run)
    refused: list[pa.csv.InvalidRow] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        refused.append(row)
        return "skip"

    table = pa.csv.read_csv(
        io.BytesIO(run),
        read_options=pa.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(run) + 1),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
        ),
    )
    problems = {first + index: Problem("invalid_utf8", detail) for index, detail in undecodable.items()}
    for row in refused:
        detail = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        problems[first + row.number - 1] = Problem("unreadable_row", detail, row.text)
    numbers = np.arange(first, first + table.num_rows + len(refused), dtype=np.int64)
    refused_at = np.array([row.number - 1 for row in refused], dtype=np.int64)
    # Refused rows get null values at their position, so that numbers and values stay aligned.
    place = np.full(len(numbers), -1, dtype=np.int64)
    place[np.setdiff1d(np.arange(len(numbers)), refused_at)] = np.arange(table.num_rows)
    taken = pa.array(place, mask=place < 0) if refused else None
    columns = {
        name: empty_to_null(_single(column if taken is None else column.take(taken)))
        for name, column in zip(names, table.columns, strict=True)
    }
    return Rows(numbers, columns, problems)


def _decodable(run: bytes) -> tuple[bytes, dict[int, str]]:
    """Return the run with undecodable bytes escaped, and the detail for each affected record by its index."""
    try:
        run.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return run, {}
    records = [match.group() for match in _RECORD.finditer(run) if match.group().strip(b"\r\n")]
    found = {}
    for index, record in enumerate(records):
        try:
            record.decode("utf-8")
        except UnicodeDecodeError as error:
            found[index] = f"not UTF-8: {error.object[error.start : error.end]!r} at byte {error.start} of the row"
            records[index] = record.decode("utf-8", "backslashreplace").encode("utf-8")
    return b"".join(records), found


def _single(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.array([], pa.string())


def _without_values(problems: dict[int, Problem], names: list[str]) -> Rows:
    numbers = np.array(list(problems), dtype=np.int64)
    return Rows(numbers, {name: pa.nulls(len(numbers), pa.string()) for name in names}, problems)
