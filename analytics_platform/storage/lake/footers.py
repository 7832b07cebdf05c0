"""Footers that this process has read: a partition's info without opening its file again while the file is the same.

A footer is trusted by the rule of ``file_stamps``.
"""

from __future__ import annotations

from pyarrow import fs

from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform.system.file_stamps import Stamp, local_stamp


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
        if stamp.is_settled():
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
        return local_stamp(path)
    entry = filesystem.get_file_info(path)
    return None if entry.type == fs.FileType.NotFound else Stamp(entry.size, entry.mtime_ns or 0)
