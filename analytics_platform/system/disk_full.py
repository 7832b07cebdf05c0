"""Recognising a full disk, whichever library meets it first, so that a command ends at once and names the place.

A full disk is an error of the machine. Nothing is tried again because of it, and no conversation is left out.
"""

from __future__ import annotations

import errno
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analytics_platform.errors import UserError

_ADVICE = ": no space left on the device; free some and run again to go on"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_DUCKDB_FULL = re.compile(
    r"\b(?:IO|FATAL|Out of Memory|TransactionContext) Error:.*"
    r"(?:no space left on device|disk quota exceeded|failed to offload data block)",
    re.IGNORECASE | re.DOTALL,
)
"""Only these kinds: errors of other kinds quote values, and a person may have written these words."""
_QUOTED_PATH = re.compile(r'"(/[^"\n]+)"')
_SQLITE_UNCLEAR = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_NEARLY_FULL_BYTES = 16 * 1024 * 1024
"""SQLite and MongoDB's storage engine reserve space in pieces of up to 10 MB, and say little when they get none."""


class DiskFullError(UserError):
    """A file system, or a quota on it, has no space left.

    Args:
        place: The file or folder that could not be written.
    """

    def __init__(self, place: Path | str) -> None:
        self.place = str(place)
        super().__init__(f"{place}{_ADVICE}")

    @classmethod
    def from_message(cls, message: str) -> DiskFullError:
        """Return the error again from its message, which is all that Dagster keeps of an error."""
        return cls(message.partition(_ADVICE)[0])


def find_disk_full(error: BaseException, place: Path | str) -> DiskFullError | None:
    """Return the full disk that an error, or an error behind it, is about; None where it is about something else.

    Args:
        error: What was raised.
        place: The file or folder that was being written, or words for it; told where the error names no file. An error
            that may or may not be about space, such as SQLite's "disk I/O error", counts when ``place`` is a path
            on a file system that is nearly full.
    """
    unclear = False
    for one in _chain(error):
        if isinstance(one, DiskFullError):
            return one
        if isinstance(one, OSError) and one.errno in _FULL:
            named = one.filename2 or one.filename
            return DiskFullError(named if isinstance(named, str | Path) else place)
        if _is_of(one, "duckdb") and duckdb_says_full(message := str(one)):
            quoted = _QUOTED_PATH.search(message)
            return DiskFullError(quoted[1] if quoted else place)
        if isinstance(one, sqlite3.Error):
            code = getattr(one, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                return DiskFullError(place)
            unclear |= code in _SQLITE_UNCLEAR
        unclear |= _is_of(one, "pymongo") or type(one).__name__ == "EmbeddedMongoError"
    return DiskFullError(place) if unclear and is_nearly_full(Path(place)) else None


@contextmanager
def disk_full_told(place: Path | str) -> Iterator[None]:
    """Raise whatever is about a full disk in the block as ``DiskFullError``, and everything else as it is.

    Args:
        place: As for ``find_disk_full``.

    Raises:
        DiskFullError: If the file system is full.
    """
    try:
        yield
    except Exception as error:
        full = find_disk_full(error, place)
        if full is None or full is error:
            raise
        raise full from error


def duckdb_says_full(message: str) -> bool:
    """Tell whether a message of DuckDB, which begins with the kind of error, is about a full disk."""
    return _DUCKDB_FULL.search(message) is not None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all errors behind it, causes first; an error that was hidden from people is among them."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [behind for behind in (one.__context__, one.__cause__) if behind is not None]


def _is_of(error: BaseException, package: str) -> bool:
    """Tell whether a library raised an error, without importing the library."""
    return type(error).__module__.lstrip("_").partition(".")[0] == package


def is_nearly_full(place: Path) -> bool:
    """Tell whether the file system of an absolute path has hardly any space left; the path may be missing."""
    if not place.is_absolute():
        return False
    existing = next(path for path in (place, *place.parents) if path.exists())
    return shutil.disk_usage(existing).free < _NEARLY_FULL_BYTES
