"""Small files of our own, such as HTML pages: replaced atomically; and what a killed process leaves of that."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

_STAGED = re.compile(r"\.[0-9a-f]{32}\.tmp")


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file as a whole; its folder is made when missing, and a reader never sees a part.

    Args:
        path: The file.
        content: All of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        staged.write_bytes(content)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def remove_staged(folders: Iterable[Path], older_than_seconds: float) -> int:
    """Remove what writers that were killed left behind, and return how many files that were.

    Args:
        folders: Where to look, not below.
        older_than_seconds: Younger ones stay, since their writer may be at work.
    """
    removed = 0
    latest = time.time() - older_than_seconds
    for path in (path for folder in folders for path in folder.glob(".*.tmp") if _STAGED.fullmatch(path.name)):
        try:
            if path.is_symlink() or not path.is_file() or path.stat().st_mtime > latest:
                continue
            path.unlink()
        except FileNotFoundError:
            continue  # its writer finished, or another sweep was first
        removed += 1
    return removed
