"""Recognises a full disk, whichever library reports it, so that a command ends at once and names the place.

A full disk is a fault of the machine: no step is retried and no conversation is left out because of it.
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
"""Matches only the kinds of DuckDB errors that a full disk causes. Errors of other kinds quote values, and a value may
contain the same words.
"""
_QUOTED_PATH = re.compile(r'"(/[^"\n]+)"')
_SQLITE_UNCLEAR = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_NEARLY_FULL_BYTES = 16 * 1024 * 1024
"""SQLite and MongoDB's storage engine reserve space in pieces of up to 10 MB, and report an unspecific error when a
reservation fails.
"""


class DiskFullError(UserError):
    """A file system or a quota on it has no space left.

    Args:
        place: The file or folder that could not be written.
    """

    def __init__(self, place: Path | str) -> None:
        self.place = str(place)
        super().__init__(f"{place}{_ADVICE}")

    @classmethod
    def from_message(cls, message: str) -> DiskFullError:
        """Rebuild the error from its message, because Dagster stores only the message of an error."""
        return cls(message.partition(_ADVICE)[0])


def find_disk_full(error: BaseException, place: Path | str) -> DiskFullError | None:
    """Return a ``DiskFullError`` if an error, or an error in its chain, is about a full disk; otherwise None.

    Args:
        error: The error that was raised.
        place: The file or folder that was being written, or words for it. The result names it when the error names no
            file. An unspecific error, such as SQLite's "disk I/O error", counts only when ``place`` is a path on a
            nearly full file system.
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
    """Raise each error of the block that is about a full disk as ``DiskFullError``, and any other error unchanged.

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
    """Tell whether a message of DuckDB, which begins with the kind of error, reports a full disk."""
    return _DUCKDB_FULL.search(message) is not None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all errors of its chain, causes first, suppressed contexts included."""
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
