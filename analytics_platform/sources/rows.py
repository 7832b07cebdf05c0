"""Rows as every file format gives them: text columns, row numbers, and what is wrong with a row.

All formats meet here as text (or null), so that one set of rules judges them and the same rows give the same
tables whatever format they came in. Belongs here: that common form. Does not belong here: reading a format,
and what the columns mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Problem:
    """Why a row cannot be used, found while reading it.

    Attributes:
        reason: One of ``QUARANTINE_REASONS``.
        detail: For a person to act on.
        line: The row as it stood, when it could not be split into columns.
    """

    reason: str
    detail: str
    line: str | None = None


@dataclass(frozen=True)
class Rows:
    """A batch of rows of one file.

    Attributes:
        numbers: Row numbers within the file, from 1; int64, shape (rows,).
        columns: Column name at the source to its values, string arrays of shape (rows,). An empty string
            never occurs: a CSV cell cannot tell it from null, so it is null in every format.
        problems: Row number to what is wrong with that row; rows without a problem are not in it.
    """

    numbers: np.ndarray[Any, np.dtype[np.int64]]
    columns: Mapping[str, pa.Array]
    problems: Mapping[int, Problem] = field(default_factory=dict)


def empty_to_null(values: pa.Array) -> pa.Array:
    """Return the strings with every empty one replaced by null."""
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


def text_array(values: list[Any]) -> pa.Array:
    """Return Python values as text: strings as they are, everything else as ``as_text`` writes it."""
    try:
        array = pa.array(values, pa.string())
    except pa.ArrowTypeError:
        array = pa.array([as_text(value) for value in values], pa.string())
    return empty_to_null(array)


def as_text(value: Any) -> str | None:
    """Write one value as text: numbers as Python does, booleans and nested values as JSON does."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def escape_undecodable(text: str) -> str:
    r"""Return ``text`` with what UTF-8 cannot hold written as an escape, e.g. a lone surrogate as ``\ud800``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
