"""Small files of our own, such as HTML pages: replaced atomically; and what a killed process leaves of that."""

from __future__ import annotations

import contextlib
import fcntl
import re
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

from analytics_platform.system.disk_full import DiskFullError, find_disk_full

_STAGED = re.compile(r"\.[0-9a-f]{32}\.tmp")
_LOCKED_WITHIN_SECONDS = 60


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file as a whole; its folder is made when missing, and a reader never sees a part.

    Args:
        path: The file.
        content: All of it.

    Raises:
        DiskFullError: If there is no space for it; the file stays as it was.
        OSError: If it cannot be written for another reason.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        if find_disk_full(error, path):
            raise DiskFullError(path) from error  # not the staged file, which nobody knows
        raise


def _replace(path: Path, content: bytes) -> None:
    staged = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with staged.open("xb") as file:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)  # until the process ends: see remove_staged
            file.write(content)
            file.flush()
            staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def remove_staged(folders: Iterable[Path], older_than_seconds: float) -> int:
    """Remove what writers that were killed left behind, and return how many files that were.

    Args:
        folders: Where to look, not below.
        older_than_seconds: Younger ones stay while their writer is at work; it holds a lock on its file, which is
            believed after a minute.
    """
    removed = 0
    latest = time.time() - older_than_seconds
    for path in (path for folder in folders for path in folder.glob(".*.tmp") if _STAGED.fullmatch(path.name)):
        try:
            if path.is_symlink() or not path.is_file():
                continue
            if path.stat().st_mtime > latest and not _is_abandoned(path):
                continue
            path.unlink()
        except FileNotFoundError:
            continue  # its writer finished, or another sweep was first
        removed += 1
    return removed


def _is_abandoned(path: Path) -> bool:
    """Tell whether the writer of a staged file has ended: it holds no lock, though it had the time to take one."""
    if path.stat().st_mtime > time.time() - _LOCKED_WITHIN_SECONDS:
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # locked, or a file system without locks
            return False
    return True
