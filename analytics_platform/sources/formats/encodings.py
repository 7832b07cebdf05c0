"""Give text of any encoding as UTF-8, and say which encoding it was.

The encoding is decided at the first bytes that are not ASCII, wherever in the file they stand: a file whose only umlaut
is in its last row is decoded like one that begins with it.
"""

from __future__ import annotations

import codecs
import io
import re
from itertools import pairwise
from typing import Any

import chardet
from chardet import EncodingEra

_BLOCK_BYTES = 1 << 20
AUTO_ENCODING = "auto"
_CUT_BYTES = 1 << 12
"""Length from which a sample counts as the beginning of a longer text, whose last character may be cut."""

_BOMS = [(codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")]
_STATED = frozenset(name for _, name in _BOMS)
"""Encodings that the first bytes of a file state."""

_WESTERN = frozenset(
    "äöüßÄÖÜéèêëàâáãåæçíìîïñóòôõøúùûœŒÉÈÊÀÂÁÃÅÆÇÍÎÑÓÔÕØÚÛžŽšŠ€…‘’‚“”„–—•°§£´`«»¿¡®©™·²³½¼ªº\xa0"  # noqa: RUF001  # quotes of word processors
)
"""Characters beyond ASCII that texts in Western European languages contain."""
_COMMON = frozenset("äöüßÄÖÜéèêëàâçñáíóúîôûœÉÀÇÑ€’‘“”„–—…°«»¿¡´·")  # noqa: RUF001  # quotes of word processors
"""Those that texts with other encodings, read as cp1252, do not consist of."""
_WITHIN_WORDS = frozenset("’'´·\xad")  # noqa: RUF001  # quotes of word processors
"""Signs that stand between the letters of a word."""
_FEW_CHARACTERS = 2
"""Different characters beyond ASCII up to which statistics of languages say nothing about an encoding."""
_WESTERN_RUN = 2
"""Letters with accents that follow each other in a word of a Western European language."""

_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]+")
_HIGH_LETTERS = re.compile(r"[^\W\d_\x00-\x7f]+")
_IN_WORD = re.compile(rb"[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]")
_KANA = re.compile("[\u3040-\u30ff\uff66-\uff9f]")
_CYRILLIC_WORD = re.compile("[\u0400-\u045f]?[\u0430-\u045f]{2,}")
_ERAS = (
    EncodingEra.MODERN_WEB
    | EncodingEra.LEGACY_MAC
    | EncodingEra.LEGACY_ISO
    | EncodingEra.LEGACY_REGIONAL
    | EncodingEra.DOS
)
_ASKED_BYTES = 64 << 10
"""Bytes of a sample that an encoding is guessed from."""


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


def is_guess(encoding: str) -> bool:
    """Tell whether nothing but statistics speaks for an encoding of ``encoding_of``."""
    return encoding not in {"ascii", "utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"}


def _legacy_encoding(sample: bytes) -> str | None:
    """Return the encoding of a sample that is not UTF-8; None if it is, apart from damage."""
    high = b" ".join(_HIGH.findall(sample))
    valid = len(_SEQUENCE.findall(high))
    damage = _SEQUENCE.sub(b"", high).replace(b" ", b"")
    if not damage or valid >= len(damage):
        return None
    lines = b"\n".join(line for line in sample.splitlines() if not line.isascii())[:_ASKED_BYTES]
    if _is_japanese(lines):
        return "cp932"
    text = lines.decode("cp1252", "replace")
    different = {character for character in text if not character.isascii()}
    if not _has_sign_in_word(text) and (
        different <= _COMMON or (len(different) <= _FEW_CHARACTERS and _is_western(text))
    ):
        return "cp1252"
    asked = sample if len(sample) <= _ASKED_BYTES else lines
    if len(damage) <= _FEW_CHARACTERS and not different <= _WESTERN and not _IN_WORD.search(lines):
        return None
    found = chardet.detect(asked, encoding_era=_ERAS, prefer_superset=True)["encoding"]
    name = codecs.lookup(found or "cp1252").name
    if name in {"utf-8", "cp1252", "iso8859-1", "iso8859-15", "mac-cyrillic"}:
        return "cp1251" if _is_cyrillic(lines) else "mac-cyrillic" if name == "mac-cyrillic" else "cp1252"
    return name


def _is_japanese(lines: bytes) -> bool:
    """Tell whether lines are Shift-JIS: at least half of what is not ASCII is Japanese syllables."""
    try:
        text = lines.decode("cp932")
    except UnicodeDecodeError:
        return False
    high = [character for character in text if not character.isascii()]
    syllables = _KANA.findall(text)
    full_width = sum("\u3040" <= syllable <= "\u30ff" for syllable in syllables)
    return bool(high) and len(syllables) * 2 >= len(high) and full_width * 3 >= len(high)


def _is_western(text: str) -> bool:
    """Tell whether the letters of a text that was decoded as cp1252 look like a Western European language."""
    if not all(character.isascii() or character in _WESTERN for character in text):
        return False
    if any(len(run) > _WESTERN_RUN for run in _HIGH_LETTERS.findall(text)):
        return False
    return not any(
        not character.isascii() and character.isupper() and before.islower() for before, character in pairwise(text)
    )


def _has_sign_in_word(text: str) -> bool:
    """Tell whether a sign that is no letter stands in a word, as a letter of another encoding does."""
    padded = f" {text} "
    for before, character, after in zip(padded, padded[1:], padded[2:], strict=False):
        if character.isascii() or character.isalpha() or character in _WITHIN_WORDS:
            continue
        begins, ends = character not in "¿¡" or not before.isalpha(), character != "£" or not after.isalpha()
        if (before.isalpha() and after.isalpha()) or not begins or not ends:
            return True
    return False


def _is_cyrillic(lines: bytes) -> bool:
    """Tell whether lines that were decoded as cp1251 have Cyrillic words, in small letters after the first one."""
    text = lines.decode("cp1251", "replace")
    high = sum(not character.isascii() for character in text)
    return sum(map(len, _CYRILLIC_WORD.findall(text))) * 4 >= high * 3


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
        stated: The encoding, where a person states it; ``auto`` to recognise it.
    """

    def __init__(
        self, source: io.BufferedReader, *, newlines_for_returns: bool = False, stated: str = AUTO_ENCODING
    ) -> None:
        self._source = source
        self._newlines = newlines_for_returns
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rest = b""
        start = source.peek(4096)
        if stated != AUTO_ENCODING:
            self.encoding = codecs.lookup(stated).name
            bom = next((bom for bom, _ in _BOMS if start.startswith(bom)), b"")
            source.read(len(bom))
            if self.encoding not in {"utf-8", "utf-8-sig"}:
                self._decoder = codecs.getincrementaldecoder(self.encoding)("replace")
            return
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


def utf8(stream: Utf8Stream) -> io.BufferedReader:
    """Return a buffered ``Utf8Stream``."""
    return io.BufferedReader(stream, 1 << 20)
