"""Read JSON lines of any size in bounded memory: one object per line, with each broken line reported by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import orjson

from analytics_platform.sources.rows import Problem, Rows, as_text, escape_undecodable, text_array

CHUNK_BYTES = 4 << 20

_MANY_DIGITS = re.compile(rb"\d{16}")
"""A run of digits so long that a float may not hold the number exactly."""

_EXACT_FLOATS = 2.0**53


def read_jsonl(stream: BinaryIO, place: str) -> Iterator[Rows]:  # noqa: ARG001  # the signature all readers share
    """Yield the rows of a file with one JSON object per line; blank lines are not rows.

    Args:
        stream: The file's bytes, UTF-8.
        place: Name of the file in messages.
    """
    first = 1
    while lines := stream.readlines(CHUNK_BYTES):
        if first == 1:
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        written = [line for line in lines if not line.isspace() and line]
        if written:
            yield _parse(written, first)
            first += len(written)


def _parse(lines: list[bytes], first: int) -> Rows:
    objects: list[dict[str, Any]] = []
    problems: dict[int, Problem] = {}
    for number, line in enumerate(lines, start=first):
        try:
            value = orjson.loads(line)
            if _MANY_DIGITS.search(line):
                value = _load_exactly(line.decode("utf-8"))
        except (orjson.JSONDecodeError, RecursionError):
            value, problem = _second_look(line)
            if problem:
                problems[number] = problem
        if not isinstance(value, dict):
            problems[number] = Problem("unreadable_row", f"not a JSON object: {str(value)[:100]}", _line_text(line))
            value = {}
        objects.append(value)
    # Sorted, because a set has no order of its own and columns should have one.
    names = sorted(set().union(*objects))
    columns = {name: text_array([row.get(name) for row in objects]) for name in names}
    return Rows(np.arange(first, first + len(lines), dtype=np.int64), columns, problems)


def _second_look(line: bytes) -> tuple[dict[str, Any] | None, Problem | None]:
    """Parse a line that the strict, fast parser refused: NaN, invalid UTF-8, lone surrogates, and broken JSON.

    Returns:
        The object with characters that UTF-8 cannot encode escaped, None if the line is no object; and its problem, if
        any.
    """
    try:
        value = _load_exactly(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        return {}, Problem("unreadable_row", f"broken JSON: {error}", _line_text(line))
    if not isinstance(value, dict):
        return None, None
    texts = {name: as_text(item) for name, item in value.items()}
    escaped = {escape_undecodable(name): text and escape_undecodable(text) for name, text in texts.items()}
    damaged = [name for name, text in escaped.items() if texts.get(name) != text]
    return escaped, Problem("invalid_utf8", f"{damaged[0]} holds what is not UTF-8") if damaged else None


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
