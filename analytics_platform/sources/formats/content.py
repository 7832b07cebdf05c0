"""Open a file's content: inside a zip or not, unpacked by what its first bytes say, whatever its name says."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import pyarrow as pa

from analytics_platform.sources.base import SourceError

GZIP, ZSTD, ZIP, PARQUET, OLE = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0"

_MOST_LAYERS = 3
"""Layers of compression that are taken off, such as a gzip file inside a zip."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes:
        path: Path of the file, or of the zip that contains it.
        label: Name stored with the file's rows: the file name, with folders when another file has the same name.
        suffix: Format that the file's name states, a key of ``locating.SUFFIXES``; empty when it states none.
        size: Size in bytes, unpacked for a member of a zip.
        modified_ns: Time of the last change, in ns since the epoch.
        member: Name of the file inside the zip; None for a file of its own.
        shape: ``auto``, or the name of a shape of ``shapes.catalogue``.
        encoding: Encoding of a text file, where a person states it; ``auto`` to recognise it.
        is_named: Whether the user named the file itself, and not a folder or zip that contains it.
    """

    path: Path
    label: str
    suffix: str
    size: int
    modified_ns: int
    member: str | None = None
    shape: str = "auto"
    encoding: str = "auto"
    is_named: bool = True

    @property
    def place(self) -> str:
        """The file as messages name it."""
        return f"{self.path}: {self.member}" if self.member else str(self.path)

    @property
    def folder_name(self) -> str:
        """Name of the folder that contains the file, which is the channel in some exports; may be empty."""
        return (Path(self.member) if self.member else self.path.absolute()).parent.name


@dataclass(frozen=True)
class Content:
    """The unpacked bytes of a file.

    Attributes:
        stream: The bytes.
        compression: Names of the layers that were taken off, outermost first; empty for a plain file.
    """

    stream: io.BufferedReader
    compression: tuple[str, ...] = ()

    def peek(self, size: int) -> bytes:
        """Return the first bytes without reading past them; fewer at the end of the file.

        Args:
            size: Number of bytes, at most the size of the stream's buffer.
        """
        return self.stream.peek(size)[:size]


SAMPLE_BYTES = 256 << 10
"""Bytes from which a format is recognised."""


@contextmanager
def open_content(file: SourceFile) -> Iterator[Content]:
    """Open the unpacked content of a file; an error of the block itself passes as it is.

    Raises:
        SourceError: If the file cannot be opened or, in the block, read to its end.
    """
    with ExitStack() as stack:
        with _faults_told(file):
            raw: IO[bytes] = stack.enter_context(file.path.open("rb"))
            layers: list[str] = []
            if file.member:
                raw = stack.enter_context(stack.enter_context(zipfile.ZipFile(raw)).open(file.member))
                layers.append("zip")
            buffered = _buffered(raw, file)
            for _ in range(_MOST_LAYERS):
                start = buffered.peek(4)[:4]
                if start.startswith(GZIP):
                    unpacked = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=buffered)))
                    layers.append("gzip")
                elif start == ZSTD:
                    unpacked = cast("IO[bytes]", stack.enter_context(pa.CompressedInputStream(buffered, "zstd")))
                    layers.append("zstd")
                else:
                    break
                buffered = _buffered(unpacked, file)
        yield Content(buffered, tuple(layers))


@contextmanager
def _faults_told(file: SourceFile) -> Iterator[None]:
    """Say of an error in opening or reading a file which file it is, and what to do.

    Raises:
        SourceError: For an error of the file, its disk or its packing.
    """
    try:
        yield
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        if isinstance(error, NotImplementedError):  # a member of a zip, in a compression that Python lacks
            reason = f"is packed in a way that cannot be read here ({error}); unpack the zip, and name the folder"
        elif isinstance(error, RuntimeError):
            if "password" not in str(error):
                raise
            reason = "is encrypted; unpack the zip with its password, and name the folder"
        else:
            reason = f"cannot be read to its end ({error}); copy the file again"
        raise SourceError(f"{file.place}: {reason}") from error


class _FileStream(io.RawIOBase):
    """The bytes of a file whose faults name the file."""

    def __init__(self, stream: IO[bytes], file: SourceFile) -> None:
        self._stream = stream
        self._file = file

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    def seekable(self) -> bool:
        """Tell whether the stream can be read from any place."""
        return self._stream.seekable()

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place of the stream; returns it in bytes from the beginning."""
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        """Return the place in bytes from the beginning."""
        return self._stream.tell()

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the next bytes; returns their number, 0 at the end."""
        with _faults_told(self._file):
            return cast("io.BufferedIOBase", self._stream).readinto(buffer)


@contextmanager
def seekable(content: Content) -> Iterator[BinaryIO]:
    """Give the content as a seekable stream: a plain file as it is, anything unpacked from a temporary file."""
    if not content.compression:
        yield cast("BinaryIO", content.stream)
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(content.stream, copy, 1 << 20)
        copy.seek(0)
        yield cast("BinaryIO", copy)


def skip_line(stream: BinaryIO) -> None:
    """Read past the end of the line in which a stream stands, in bounded memory."""
    while (piece := stream.readline(1 << 20)) and not piece.endswith(b"\n"):
        pass


def _buffered(raw: IO[bytes], file: SourceFile) -> io.BufferedReader:
    return io.BufferedReader(_FileStream(raw, file), SAMPLE_BYTES)
