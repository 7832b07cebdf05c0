"""Footers that this process has read: a partition's info without opening its file again while the file is the same.

A footer is trusted while the size, the modification time and, on a local disk, the inode of the file are those that it
had. A file that was read soon after its modification is read again, because a second change within the resolution of
the file system's clock would leave no trace: two seconds on a local disk, and minutes on S3, whose clock is another
one.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from pyarrow import fs

from analytics_platform.storage.partitions import PartitionInfo

SETTLED_AFTER_SECONDS = 2.0
SETTLED_ON_S3_AFTER_SECONDS = 600.0
"""More than the clocks of two machines differ."""


@dataclass(frozen=True)
class Stamp:
    """What tells two states of a file apart without opening it.

    Attributes:
        size: Bytes.
        modified_ns: Modification time in nanoseconds since the epoch; S3 states whole seconds.
        inode: Inode on a local disk, where every replacement makes a new one; 0 on S3.
    """

    size: int
    modified_ns: int
    inode: int = 0


class Footers:
    """The infos of partitions by path; safe to share between threads."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, PartitionInfo]] = {}

    def get(self, path: str, stamp: Stamp) -> PartitionInfo | None:
        """Return the info of a file with this stamp; None if it must be read."""
        known = self._known.get(path)
        return known[1] if known is not None and known[0] == stamp else None

    def put(self, path: str, stamp: Stamp, info: PartitionInfo) -> None:
        """Keep an info that was read just now, after the stamp, if the file is old enough."""
        settled = SETTLED_AFTER_SECONDS if stamp.inode else SETTLED_ON_S3_AFTER_SECONDS
        if time.time_ns() - stamp.modified_ns > settled * 1e9:
            self._known[path] = stamp, info

    def put_written(self, path: str, stamp: Stamp, info: PartitionInfo) -> None:
        """Keep the info of a file that this process wrote, with its stamp right after it; nobody else may write it."""
        self._known[path] = stamp, info


def stamp_of(filesystem: fs.FileSystem, path: str) -> Stamp | None:
    """Return the stamp of a file; None if there is no file.

    Raises:
        OSError: If the file system does not answer.
    """
    if isinstance(filesystem, fs.LocalFileSystem):
        try:
            found = os.stat(path)  # noqa: PTH116  (a Path object costs more than the call)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)
    entry = filesystem.get_file_info(path)
    return None if entry.type == fs.FileType.NotFound else Stamp(entry.size, entry.mtime_ns or 0)
