"""The file of corrections that `analytics correct` enters: one line of JSON each, below the home, without MongoDB."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from analytics_platform.system.disk_full import DiskFullError, find_disk_full


def add_entered(path: Path, corrections: Sequence[dict[str, Any]]) -> None:
    """Append corrections to the file; several processes may append at once, and a killed one damages no other line.

    Args:
        path: The file; made if it does not exist.
        corrections: Corrections. One without a ``feedback_id`` gets one here; one with the ``feedback_id`` of an
            earlier line replaces this line for readers.

    Raises:
        DiskFullError: If the disk has no space.
    """
    lines = b"".join(orjson.dumps({"feedback_id": uuid.uuid4().hex, **row}) + b"\n" for row in corrections)
    try:
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
            is_whole = file.tell() == 0 or _last_byte(path) == b"\n"
            file.write(lines if is_whole else b"\n" + lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if find_disk_full(error, path):
            raise DiskFullError(path) from error
        raise


def read_entered(path: Path) -> list[dict[str, Any]]:
    """Return the corrections of the file, with their times; a line that a killed process left unfinished is none.

    Of several lines with one ``feedback_id``, the last counts.
    """
    if not path.exists():
        return []
    rows: dict[str, dict[str, Any]] = {}
    for line in path.read_bytes().splitlines():
        try:
            row = orjson.loads(line)
            rows[row["feedback_id"]] = {**row, "corrected_at": dt.datetime.fromisoformat(row["corrected_at"])}
        except (ValueError, KeyError, TypeError):
            continue
    return list(rows.values())


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)
