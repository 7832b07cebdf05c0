"""The common form of rows of every file format: text columns, row numbers, and problems.

Every format becomes text (or null), so that one set of rules validates all of them, and the same rows give the same
tables in every format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

M = TypeVar("M")

CONTENT_ID = "content:"
"""Begins a ``message_id`` that a shape made from the message's content, because the file gives the message no id."""


@dataclass(frozen=True)
class Problem:
    """A fault of a row that reading found; the row cannot be used.

    Attributes:
        reason: One of ``QUARANTINE_REASONS``.
        detail: Explanation for the person who corrects the row.
        line: The original line, if it could not be split into columns.
    """

    reason: str
    detail: str
    line: str | None = None


@dataclass(frozen=True)
class Rows:
    """A batch of rows of one file.

    Attributes:
        numbers: Row numbers within the file, from 1; int64, shape (rows,).
        columns: Values by the source's column name; string arrays of shape (rows,). An empty string never occurs: a CSV
            cell cannot distinguish it from null, so it is null in every format.
        problems: Problem by row number; rows without a problem are absent.
    """

    numbers: np.ndarray[Any, np.dtype[np.int64]]
    columns: Mapping[str, pa.Array]
    problems: Mapping[int, Problem] = field(default_factory=dict)


BLOCK_BYTES, BLOCK_ROWS = 16 << 20, 200_000
"""Size to which small batches are merged."""


def merge_rows(batches: Iterable[tuple[M, Rows]]) -> Iterator[tuple[M, Rows]]:
    """Merge successive batches of the same columns up to ``BLOCK_BYTES`` or ``BLOCK_ROWS``, whichever comes first.

    Args:
        batches: Batches of rows, each with what belongs to it; only batches with the same one are merged.
    """
    waiting: list[Rows] = []
    mark: M | None = None
    size = count = 0
    for belonging, rows in batches:
        is_other = belonging is not mark or (waiting and rows.columns.keys() != waiting[0].columns.keys())
        if waiting and (is_other or size >= BLOCK_BYTES or count >= BLOCK_ROWS):
            yield cast("M", mark), _merged(waiting)
            waiting, size, count = [], 0, 0
        mark = belonging
        waiting.append(rows)
        size += sum(values.nbytes for values in rows.columns.values())
        count += len(rows.numbers)
    if waiting:
        yield cast("M", mark), _merged(waiting)


def _merged(batches: list[Rows]) -> Rows:
    if len(batches) == 1:
        return batches[0]
    numbers = np.concatenate([rows.numbers for rows in batches])
    columns = {name: pa.concat_arrays([rows.columns[name] for rows in batches]) for name in batches[0].columns}
    return Rows(numbers, columns, {number: problem for rows in batches for number, problem in rows.problems.items()})


def empty_to_null(values: pa.Array) -> pa.Array:
    """Return the strings with every empty one replaced by null."""
    empty = pc.equal(values, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), values) if pc.any(empty).as_py() else values


def single_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column of text as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays([pa.array([], pa.string()), *column.chunks])


def is_utf8(content: bytes) -> bool:
    """Tell whether bytes are UTF-8, without making a text of them."""
    if content.isascii():
        return True
    offsets = pa.py_buffer(np.array([0, len(content)], dtype=np.int64))
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(content)])
    try:
        whole.cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def text_array(values: list[Any]) -> pa.Array:
    """Return Python values as text: strings unchanged, every other value as ``as_text`` converts it."""
    try:
        array = pa.array(values, pa.string())
    except pa.ArrowTypeError:
        array = pa.array([as_text(value) for value in values], pa.string())
    return empty_to_null(array)


def as_text(value: Any) -> str | None:
    """Convert one value to text: numbers as Python's ``repr``, booleans and nested values as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def escape_undecodable(text: str) -> str:
    r"""Return ``text`` with escapes for characters that UTF-8 cannot encode, e.g. a lone surrogate as ``\ud800``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


_SURROGATES = re.compile("[\ud800-\udfff]+")


def repair_undecodable(text: str) -> str | None:
    """Return the text with U+FFFD for characters that UTF-8 cannot encode; None if nothing else of it is visible.

    Args:
        text: Decoded with ``surrogateescape``, or with lone surrogates, such as half an emoji.
    """
    repaired, count = _SURROGATES.subn("\N{REPLACEMENT CHARACTER}", text)
    if count and not any(
        character.isprintable() and not character.isspace() for character in _SURROGATES.sub("", text)
    ):
        return None
    return repaired
