"""Give text of any encoding as UTF-8, and say which encoding it was.

The encoding is decided at the first bytes that are not ASCII, wherever in the file they stand: a file whose only umlaut
is in its last row is decoded like one that begins with it.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import Any

from charset_normalizer import from_bytes

_BLOCK_BYTES = 1 << 20
_CUT_BYTES = 1 << 12
"""Length from which a sample counts as the beginning of a longer text, whose last character may be cut."""

_BOMS = [(codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")]
_STATED = frozenset(name for _, name in _BOMS)
"""Encodings that the first bytes of a file state."""

_WESTERN = frozenset(
    "äöüßÄÖÜéèêëàâáãåæçíìîïñóòôõøúùûœŒÉÈÊÀÂÁÃÅÆÇÍÎÑÓÔÕØÚÛžŽšŠ€…‘’‚“”„–—•°§£´`«»¿¡®©™·²³½¼ªº\xa0"  # noqa: RUF001  # quotes of word processors
)
"""Characters beyond ASCII that texts in Western European languages contain."""

_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]+")
_FEW_CHARACTERS = 12
"""Runs of characters beyond ASCII below which statistics of languages say nothing about an encoding."""


def encoding_of(sample: bytes) -> str:
    """Return the encoding of a sample: ``ascii``, ``utf-8``, ``utf-16-le``, ``cp1252`` or another.

    Args:
        sample: The first bytes of a file, or the first bytes that are not ASCII and what follows.
    """
    for bom, name in _BOMS:
        if sample.startswith(bom):
            return name
    start = sample[:4096]
    if len(start) >= 8 and start.count(0) * 10 >= len(start) * 3:
        return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
    if sample.isascii():
        return "ascii"
    if len(sample) >= _CUT_BYTES and _is_cut_utf8(sample):
        return "utf-8"
    return _legacy_encoding(sample) or "utf-8"


def _legacy_encoding(sample: bytes) -> str | None:
    """Return the encoding of a sample that is not UTF-8; None if it is, apart from damage."""
    high = _HIGH.findall(sample)
    valid = len(_SEQUENCE.findall(b" ".join(high)))
    damage = _SEQUENCE.sub(b"", b" ".join(high)).replace(b" ", b"")
    if not damage or valid * 4 > len(damage):
        return None
    text = damage.decode("cp1252", "replace")
    if all(character in _WESTERN for character in text):
        return "cp1252"
    if len(high) >= _FEW_CHARACTERS:
        best = from_bytes(sample).best()
        if best is not None and best.encoding not in {"ascii", "utf_8"}:
            return best.encoding
    return None


def _is_cut_utf8(sample: bytes) -> bool:
    """Tell whether a sample is UTF-8 but for a character that goes on after its end."""
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.end == len(sample)
    return True


class Utf8Stream(io.RawIOBase):
    """A stream of UTF-8 bytes without byte order mark, decoded from another stream.

    Bytes that are valid in no encoding are passed on as they are, so that a reader reports them by row. Line ends of a
    file that has only carriage returns become newlines.

    Args:
        source: The bytes as they are in the file.
        newlines_for_returns: Convert carriage returns to newlines.
    """

    def __init__(self, source: io.BufferedReader, *, newlines_for_returns: bool = False) -> None:
        self._source = source
        self._newlines = newlines_for_returns
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rest = b""
        start = source.peek(4096)
        stated = encoding_of(start)
        # Other encodings than these are decided at the first block with a byte beyond ASCII.
        self.encoding = stated if stated in _STATED else "ascii"
        if self.encoding == "ascii":
            return
        source.read(max((len(bom) for bom, name in _BOMS if name == stated and start.startswith(bom)), default=0))
        if self.encoding == "utf-8-sig":
            self.encoding = "utf-8"
        else:
            self._decoder = codecs.getincrementaldecoder(self.encoding)("replace")

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the next bytes; returns their number, 0 at the end."""
        while not self._rest:
            block = self._source.read(_BLOCK_BYTES)
            if not block and self._decoder is None:
                return 0
            self._rest = self._convert(block)
            if not block and not self._rest:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _convert(self, block: bytes) -> bytes:
        if self.encoding == "ascii" and not block.isascii():
            self.encoding = encoding_of(block)
            if self.encoding != "utf-8":
                self._decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        if self._decoder is not None:
            block = self._decoder.decode(block, final=not block).encode("utf-8", "replace")
        return block.replace(b"\r", b"\n") if self._newlines else block


def utf8(source: io.BufferedReader, *, newlines_for_returns: bool = False) -> io.BufferedReader:
    """Return a buffered ``Utf8Stream``."""
    return io.BufferedReader(Utf8Stream(source, newlines_for_returns=newlines_for_returns), 1 << 20)
