"""Tables that this process wrote, kept in memory for the tables that are computed from them in the same run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import pyarrow as pa

from analytics_platform.system.file_stamps import Stamp

MOST_BYTES = 128 << 20
"""A run reads each day of a table about seven times. A year of 100,000 messages takes about this much in all tables."""


class WrittenTables:
    """Tables by the paths of their files, up to a number of bytes; the oldest go first. Safe to share between threads.

    A table counts only while its file has the stamp that it had when it was written: who changes the file by hand is
    read, and damage is found.

    Args:
        most_bytes: Bytes of all kept tables.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[Stamp, pa.Table, int]] = OrderedDict()
        self._lock = Lock()

    def keep(self, path: str, stamp: Stamp, table: pa.Table) -> None:
        """Keep the content of a file that was just written, in place of what was kept for its path."""
        size = table.nbytes
        with self._lock:
            self._drop(path)
            if size > self._most_bytes:
                return
            self._kept[path] = stamp, table, size
            self._bytes += size
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._kept)))

    def get(self, path: str, stamp: Stamp | None, columns: Sequence[str] | None) -> pa.Table | None:
        """Return the table of a file with this stamp, or some of its columns; None if it is not kept."""
        with self._lock:
            kept = self._kept.get(path)
        if kept is None or kept[0] != stamp:
            return None
        table = kept[1]
        return table if columns is None else table.select(list(columns))

    def _drop(self, path: str) -> None:
        if kept := self._kept.pop(path, None):
            self._bytes -= kept[2]
