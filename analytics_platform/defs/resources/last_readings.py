"""Copies of what people wrote into a database, so that a server that does not answer changes nothing back and forth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from analytics_platform.files import write_atomically

Rows = list[dict[str, Any]]


class LastReadings:
    """The rows that each place had when it was read last.

    Args:
        folder: Folder of the copies.
        remembers: Whether copies are written.
    """

    def __init__(self, folder: Path, *, remembers: bool) -> None:
        self._folder = folder
        self._remembers = remembers

    def remember(self, place: str, rows: Sequence[dict[str, Any]]) -> None:
        """Keep the rows of a place; times become texts in ISO 8601."""
        path, content = self._copy(place), orjson.dumps(list(rows), default=_plain)
        if self._remembers and (rows or path.exists()) and (not path.exists() or path.read_bytes() != content):
            write_atomically(path, content)

    def last_known(self, place: str) -> Rows:
        """Return the rows that a place had; none if it was never read."""
        path = self._copy(place)
        return orjson.loads(path.read_bytes()) if path.exists() else []

    def _copy(self, place: str) -> Path:
        return self._folder / f"{place}.json"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)
