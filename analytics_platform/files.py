"""Atomic replacement of small files, such as HTML pages, and removal of the temporary files of killed writers."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

from analytics_platform.system.disk_full import DiskFullError, find_disk_full

_STAGED = re.compile(r"\.[0-9a-f]{32}\.tmp")
_LOCKED_WITHIN_SECONDS = 60


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file as a whole, so that a reader never sees a part of it. A missing folder is made.

    Args:
        path: The file.
        content: The complete new content.

    Raises:
        DiskFullError: If the disk has no space for the file; the old file stays as it was.
        OSError: If the file cannot be written for another reason.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        if find_disk_full(error, path):
            raise DiskFullError(path) from error  # name the file, not its staged copy
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


def remove_staged(folders: Iterable[Path | str], older_than_seconds: float) -> int:
    """Remove the temporary files that killed writers left behind, and return the number of files removed.

    Args:
        folders: Folders to search; their subfolders are not searched.
        older_than_seconds: A temporary file younger than this stays while its writer still runs. A running writer holds
            a lock on its file; a missing lock counts only after the first minute.
    """
    removed = 0
    latest = time.time() - older_than_seconds
    for path in (path for folder in folders for path in _staged_in(folder)):
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


def _staged_in(folder: Path | str) -> list[Path]:
    """Return the temporary files in a folder; none if it is missing, no folder, or closed to this user."""
    try:
        with os.scandir(folder) as entries:  # a lake of ten years has 80,000 folders, and most have one file
            return [Path(entry.path) for entry in entries if _STAGED.fullmatch(entry.name)]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _is_abandoned(path: Path) -> bool:
    """Tell whether the writer of a staged file has ended: the file is older than a minute and nobody holds its lock."""
    if path.stat().st_mtime > time.time() - _LOCKED_WITHIN_SECONDS:
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # locked, or a file system without locks
            return False
    return True
