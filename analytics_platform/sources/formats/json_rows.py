"""Read JSON of any size in bounded memory: an object per line, an array, or objects that go over lines.

A broken line is reported by itself. An array or an object over several lines cannot be read past a fault, so a fault
there is an error that names its place.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import orjson

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.content import skip_line
from analytics_platform.sources.formats.file_records import Record, Records, is_path, repaired, rows_of
from analytics_platform.sources.formats.json_by_arrow import parse_items, parse_lines, plain_schema, whole_items
from analytics_platform.sources.rows import Problem, Rows, escape_undecodable

CHUNK_BYTES = 4 << 20

RECORD_CHARACTERS = 256 << 20
"""Longest object of an array, and longest line; what is longer cannot be one conversation."""

WRAPPERS = (
    "resourceSpans", "resourceLogs", "tickets", "conversations", "traces", "observations", "spans", "threads",
    "data", "results", "items", "records", "rows", "documents", "value", "payload", "Items",
)  # fmt: skip
"""Keys under which exports keep the list of their records."""

_WRAPPED = re.compile(rb'\s*\{\s*"(?:' + "|".join(WRAPPERS).encode() + rb')"\s*:\s*\[(?!\s*\{\s*"(?:from|value)"\s*:)')
"""The beginning of an object whose first key holds the records; ShareGPT's list of turns is none."""

_WRAPPED_TEXT = re.compile(_WRAPPED.pattern.decode())
_REST_OF_OBJECT = '{"":null'
"""What stands before the members of an object that come after its list of records, when they are parsed alone."""
_MANY_DIGITS = re.compile(rb"\d{16}")
"""A run of digits so long that a float may not hold the number exactly."""

_EXACT_FLOATS = 2.0**53
_BETWEEN = re.compile(r"[\s,]*")

Layout = Literal["lines", "values"]


def json_layout(sample: bytes) -> Layout:
    """Tell whether a file has one object per line, or values that go over lines, such as one array.

    Args:
        sample: The first bytes of the file, UTF-8.
    """
    start = sample.lstrip()
    if start.startswith(b"["):
        return "values"
    line, newline, _ = start.partition(b"\n")
    if newline and _is_json(line):
        return "lines"
    if _has_adjoining_objects(line, is_cut=not newline):
        return "values"
    if _WRAPPED.match(start) and not _is_json(line):
        return "values"
    return "values" if newline and line.rstrip().endswith((b"{", b"[", b",")) else "lines"


def read_json_lines(stream: BinaryIO) -> Iterator[Records]:
    """Yield the objects of a file with one JSON object per line; blank lines are no records.

    Args:
        stream: The file's bytes, UTF-8.
    """
    while content := whole_lines(stream):
        records = parse_json_lines(content)
        if records.values:
            yield records


def parse_json_lines(content: bytes) -> Records:
    """Return the objects of lines; blank lines are no records."""
    written = [line for line in io.BytesIO(content) if not line.isspace()]
    return _parse(written) if written else Records([])


def whole_lines(stream: BinaryIO) -> bytes:
    """Return the next lines, about ``CHUNK_BYTES``; of a line longer than ``RECORD_CHARACTERS`` only the beginning."""
    content = stream.read(CHUNK_BYTES)
    if not content or content.endswith(b"\n"):
        return content
    rest = stream.readline(RECORD_CHARACTERS)
    if len(rest) < RECORD_CHARACTERS or rest.endswith(b"\n"):
        return content + rest
    skip_line(stream)
    return content + b"\n"


def read_json_line_rows(stream: BinaryIO, first: Records, paths: Collection[str] = ()) -> Iterator[Rows]:
    """Yield the rows of a file with one JSON object per line, in which every object is a row.

    Arrow parses lines whose values have the types of the first batch; the other lines are parsed one by one. Both give
    the same rows.

    Args:
        stream: The file's bytes, UTF-8, after the first batch.
        first: The first batch.
        paths: Dotted paths that become columns.
    """
    yield rows_of(first, 1, paths)
    number = 1 + len(first.values)
    schema = None if any(map(is_path, paths)) else plain_schema(first)
    while content := whole_lines(stream):
        rows = parse_lines(content, number, schema) if schema is not None else None
        if rows is None:
            rows = rows_of(parse_json_lines(content), number, paths)
        number += len(rows.numbers)
        if len(rows.numbers):
            yield rows


class JsonValues:
    """The objects of one array, of a list within one object, or of objects that go over several lines.

    Iterate once: over the objects in batches, or over the first batch and then with ``rows``.

    Args:
        stream: The file's bytes, UTF-8.
        place: Name of the file in messages.
        keeps_wrapping: Whether an object with a list of records is a record itself.
        count: Number of values that were read before, for messages.
    """

    def __init__(self, stream: BinaryIO, place: str, *, keeps_wrapping: bool = False, count: int = 0) -> None:
        self._stream = stream
        self._place = place
        self._keeps_wrapping = keeps_wrapping
        self._count = count
        self._buffer, self._position = "", 0
        self._bytes = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._opening = ""

    @property
    def is_in_list(self) -> bool:
        """Whether the values that are read next are items of a list."""
        return bool(self._opening)

    def __iter__(self) -> Iterator[Records]:
        """Yield the objects in batches.

        Raises:
            SourceError: If the JSON is broken.
        """
        batch: list[Record] = []
        problems: dict[int, Problem] = {}
        size = 0
        for value, length, suspicious in self._values():
            if isinstance(value, dict):
                value, damaged = repaired(value) if suspicious else (value, False)
                if damaged:
                    problems[len(batch)] = Problem("invalid_utf8", "a text is not UTF-8")
                batch.append(value)
            else:
                problems[len(batch)] = no_object(value)
                batch.append({})
            size += length
            if size >= CHUNK_BYTES:
                yield Records(batch, problems)
                batch, problems, size = [], {}, 0
        if batch:
            yield Records(batch, problems)

    def rows(self, first: Records, paths: Collection[str] = ()) -> Iterator[Rows]:
        """Yield the rows of a list in which every object is a row; Arrow parses what it can, as of lines.

        Args:
            first: The first batch.
            paths: Dotted paths that become columns.

        Raises:
            SourceError: If the JSON is broken.
        """
        yield rows_of(first, 1, paths)
        number = 1 + len(first.values)
        schema = None if any(map(is_path, paths)) else plain_schema(first)
        rest = self._buffer[self._position :].encode("utf-8", "surrogateescape").lstrip(b" \t\r\n,")
        rest += self._bytes.getstate()[0]  # the beginning of a character that the end of the block cut
        while schema is not None and (block := self._stream.read(CHUNK_BYTES)):
            rest += block
            items, after = whole_items(rest)
            if not items:
                if len(rest) > _LONGEST_WAIT:
                    break
                continue
            quick = parse_items(items, number, schema)
            try:
                parsed = [quick] if quick is not None else self._slowly_parsed_items(items, number, paths)
            except SourceError:  # the items were cut in the middle of one
                break
            rest = rest[after:]
            for rows in parsed:
                number += len(rows.numbers)
                yield rows
        stream = cast("BinaryIO", _Joined(self._opening.encode() + rest, self._stream))
        for records in JsonValues(stream, self._place, count=number - 1):
            yield rows_of(records, number, paths)
            number += len(records.values)

    def _slowly_parsed_items(self, items: bytes, number: int, paths: Collection[str]) -> list[Rows]:
        found = []
        for records in JsonValues(io.BytesIO(b"[" + items + b"]"), self._place, count=number - 1):
            found.append(rows_of(records, number, paths))
            number += len(records.values)
        return found

    def _values(self) -> Iterator[tuple[Any, int, bool]]:
        """Yield the values of the file's outermost list or lists, or its values one after another.

        Returns:
            Each value with its length in characters, and whether it may have characters that UTF-8 cannot encode.
        """
        stream, place = self._stream, self._place
        decoder = json.JSONDecoder(parse_int=_integer, parse_float=_number, parse_constant=str)
        decode = self._bytes.decode
        block = stream.read(CHUNK_BYTES)
        buffer, position = decode(block), 0
        suspicious = _may_have_surrogates(buffer)
        at_end = not block
        while True:
            position = _end_of(_BETWEEN, buffer, position)
            mark = buffer[position : position + 1]
            may_be_page = mark == "{" and not self._opening and not self._keeps_wrapping
            page = _WRAPPED_TEXT.match(buffer, position) if may_be_page else None
            if page:
                self._opening, position = page.group(), page.end()
            elif mark == "]" and self._opening:
                wrapped, self._opening, position = self._opening != "[", "", position + 1
                if wrapped:  # what follows the list within its object, such as a count, is no record
                    end = _end_of_object(decoder, buffer, position)
                    while end < 0 and not at_end and len(buffer) - position < CHUNK_BYTES:
                        more = stream.read(CHUNK_BYTES)
                        at_end = not more
                        buffer, position = buffer[position:] + decode(more, final=at_end), 0
                        end = _end_of_object(decoder, buffer, position)
                    if end < 0:
                        return
                    position, suspicious = end, _may_have_surrogates(buffer)
            elif mark == "[" and not self._opening:
                self._opening, position = "[", position + 1
            else:
                value, end = _decode_value(decoder, buffer, position, place, self._count, at_end=at_end)
                if end < 0:  # the value goes on in the next block
                    if at_end:
                        return
                    more = stream.read(max(CHUNK_BYTES, len(buffer) - position))
                    at_end = not more
                    buffer, position = buffer[position:] + decode(more, final=at_end), 0
                    suspicious = _may_have_surrogates(buffer)
                    continue
                self._count += 1
                length, is_suspicious = end - position, suspicious and bool(_SURROGATE.search(buffer, position, end))
                position = end
                self._buffer, self._position = buffer, position
                yield value, length, is_suspicious


_LONGEST_WAIT = 16 << 20
"""Bytes in which two items of a list of rows must meet, for Arrow to parse the list."""


class _Joined:
    """A stream of bytes, and of another stream after them."""

    def __init__(self, start: bytes, stream: BinaryIO) -> None:
        self._start = start
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes, fewer at the seam; none at the end."""
        if self._start:
            found, self._start = (self._start, b"") if size < 0 else (self._start[:size], self._start[size:])
            return found
        return self._stream.read(size)


_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")


def _may_have_surrogates(text: str) -> bool:
    """Tell whether ``_SURROGATE`` may occur in a text, in a small part of its time."""
    if "\\ud" in text or "\\uD" in text:
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def no_object(value: Any) -> Problem:
    """Return the problem of a JSON value in the place of a record."""
    text = escape_undecodable(json.dumps(value, ensure_ascii=False))
    return Problem("unreadable_row", f"not a JSON object: {text[:100]}", text)


def _end_of_object(decoder: json.JSONDecoder, buffer: str, position: int) -> int:
    """Return the position after an object whose last members begin at a position; -1 if its end is not there."""
    try:
        return decoder.raw_decode(_REST_OF_OBJECT + buffer[position:])[1] - len(_REST_OF_OBJECT) + position
    except (json.JSONDecodeError, RecursionError):
        return -1


def _decode_value(
    decoder: json.JSONDecoder, buffer: str, position: int, place: str, count: int, *, at_end: bool
) -> tuple[Any, int]:
    """Parse the value at a position.

    Returns:
        The value and the position after it; -1 if the buffer ends within the value, or there is none.

    Raises:
        SourceError: If the JSON is broken there.
    """
    if position == len(buffer):
        return None, -1
    try:
        value, end = decoder.raw_decode(buffer, position)
    except (json.JSONDecodeError, RecursionError) as error:
        cut = isinstance(error, json.JSONDecodeError) and (
            error.msg.startswith("Unterminated string") or error.pos >= len(buffer) - 16
        )
        if cut and not at_end and len(buffer) - position < RECORD_CHARACTERS:
            return None, -1
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        where = f"after record {count}" if count else "at its beginning"
        is_end = cut and at_end
        remedy = "the file ends within a record, so export or copy it again" if is_end else "export the file again"
        raise SourceError(
            f"{place}: broken JSON {where} ({reason}, at {buffer[position : position + 60]!r}); {remedy}"
        ) from None
    if end == len(buffer) and not at_end and not isinstance(value, dict):
        return None, -1  # a number may go on
    return value, end


def _end_of(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _has_adjoining_objects(line: bytes, *, is_cut: bool) -> bool:
    """Tell whether a line is several objects beside each other, as Amazon Data Firehose writes them.

    Args:
        line: The line.
        is_cut: Whether its end may lie behind the sample.
    """
    text = line.decode("utf-8", "replace").rstrip()
    position = count = 0
    while text.startswith("{", position):
        try:
            position = json.JSONDecoder().raw_decode(text, position)[1]
        except (ValueError, RecursionError):
            return is_cut and count > 0
        count += 1
        position = _end_of(_BETWEEN, text, position)
    return count > 1 and position == len(text)


def _parse(lines: list[bytes]) -> Records:
    objects: list[Record] = []
    problems: dict[int, Problem] = {}
    may_have_many_digits = _has_many_digits(b"".join(lines))
    for index, line in enumerate(lines):
        try:
            value = orjson.loads(line)
            if may_have_many_digits and _MANY_DIGITS.search(line):
                value = _load_exactly(line.decode("utf-8"))
        except (orjson.JSONDecodeError, RecursionError):
            value, problem = _second_look(line)
            if problem:
                problems[index] = problem
        if not isinstance(value, dict):
            problems[index] = Problem("unreadable_row", f"not a JSON object: {str(value)[:100]}", _line_text(line))
            value = {}
        objects.append(value)
    return Records(objects, problems)


def _has_many_digits(content: bytes) -> bool:
    """Tell whether bytes have a run of 16 digits, in a twentieth of the time of ``_MANY_DIGITS``."""
    values = np.frombuffer(content, dtype=np.uint8)
    runs = (values >= ord("0")) & (values <= ord("9"))
    for length in (1, 2, 4, 8):  # where runs of twice the length begin
        runs = runs[:-length] & runs[length:]
    return bool(runs.any())


def _second_look(line: bytes) -> tuple[Record | None, Problem | None]:
    """Parse a line that the strict, fast parser refused: NaN, invalid UTF-8, lone surrogates, and broken JSON.

    Returns:
        The object with U+FFFD for characters that UTF-8 cannot encode, None if the line is no object; and its problem,
        if any. An object of which a whole text is damaged has the problem, and escapes for the characters.
    """
    try:
        value = _load_exactly(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        return {}, Problem("unreadable_row", f"broken JSON: {error}", _line_text(line))
    if not isinstance(value, dict):
        return None, None
    damaged = [name for name, item in value.items() if repaired(item)[1]]
    problem = Problem("invalid_utf8", f"{escape_undecodable(damaged[0])} holds what is not UTF-8") if damaged else None
    return repaired(value)[0], problem


def _load_exactly(text: str) -> Any:
    """Parse JSON; numbers that a float cannot hold exactly are kept as their digits."""
    return json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=str)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < 20 else digits


def _number(digits: str) -> float | str:
    value = float(digits)
    return value if abs(value) < _EXACT_FLOATS else digits


def _line_text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").rstrip("\r\n")
