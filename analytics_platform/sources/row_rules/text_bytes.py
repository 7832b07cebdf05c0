"""Look at the bytes of columns of text with numpy, many times faster than at their characters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_FIRST_VISIBLE, _LAST_VISIBLE = 0x21, 0x7E
"""The visible characters of ASCII. No other byte is one of them, in UTF-8."""


def bytes_of(values: pa.StringArray) -> Bytes:
    """Return the bytes of all values, one after another."""
    offsets, data = _buffers(values)
    return data[offsets[0] : offsets[-1]]


def begin_visibly(values: pa.StringArray) -> Mask:
    """Return which values begin with a visible character of ASCII; false for a null and an empty text."""
    offsets, data = _buffers(values)
    starts, lengths = offsets[:-1], np.diff(offsets)
    return valid_mask(values) & (lengths > 0) & _are_visible(_taken(data, starts))


def end_visibly(values: pa.StringArray) -> Mask:
    """Return which values end with a visible character of ASCII; false for a null and an empty text."""
    offsets, data = _buffers(values)
    ends, lengths = offsets[1:] - 1, np.diff(offsets)
    return valid_mask(values) & (lengths > 0) & _are_visible(_taken(data, ends))


def valid_mask(values: pa.Array) -> Mask:
    """Return which values are not null."""
    if not values.null_count:
        return np.ones(len(values), dtype=bool)
    return np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=bool)


def _taken(data: Bytes, places: np.ndarray[Any, np.dtype[np.int32]]) -> Bytes:
    """Return the bytes at places, some of which may lie outside because the value there is empty."""
    return data.take(places, mode="clip") if len(data) else np.zeros(len(places), dtype=np.uint8)


def _are_visible(characters: Bytes) -> Mask:
    return (characters >= _FIRST_VISIBLE) & (characters <= _LAST_VISIBLE)


def _buffers(values: pa.StringArray) -> tuple[np.ndarray[Any, np.dtype[np.int32]], Bytes]:
    """Return the offsets of values and the bytes that they point into."""
    _, offsets, data = values.buffers()
    if offsets is None or not len(values):
        return np.zeros(len(values) + 1, dtype=np.int32), np.zeros(0, dtype=np.uint8)
    found = np.frombuffer(offsets, dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    return found, np.frombuffer(data if data is not None else b"", dtype=np.uint8)
