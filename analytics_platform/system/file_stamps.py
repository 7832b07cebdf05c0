"""What tells two states of a file apart without opening it, and values that are read again once their file changed.

A value that was read from a file is trusted while the file's size, modification time and, on a local disk, inode stay
the same. A value that was read soon after the file's modification is never trusted, because a second change within the
resolution of the file system's clock would leave no trace: two seconds on a local disk, and minutes on S3, whose clock
is another one.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

Value = TypeVar("Value")

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

    def is_settled(self) -> bool:
        """Tell whether the file is so old that any change from now on gets another stamp."""
        settled = SETTLED_AFTER_SECONDS if self.inode else SETTLED_ON_S3_AFTER_SECONDS
        return time.time_ns() - self.modified_ns > settled * 1e9


def local_stamp(path: str | Path) -> Stamp | None:
    """Return the stamp of a file on a local disk; None if there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116  (a Path object costs more than the call)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)


class FileCache(Generic[Value]):
    """Values read from local files, each kept until its file changes. Threads may share an object.

    Args:
        read: Reads the value of a file.
        most: Number of files whose values are kept; the values that were used longest ago go first.
    """

    def __init__(self, read: Callable[[Path], Value], most: int) -> None:
        self._read = read
        self._most = most
        self._kept: OrderedDict[Path, tuple[Stamp, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path) -> Value:
        """Return the value of a file, which is read only if it may have changed since it was last read.

        Raises:
            FileNotFoundError: If there is no file.
            Exception: What ``read`` raises; nothing is kept then.
        """
        stamp = local_stamp(path)
        if stamp is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        with self._lock:
            kept = self._kept.pop(path, None)
            if kept is not None and kept[0] == stamp:
                self._kept[path] = kept  # as the one that was used last
                return kept[1]
        is_settled = stamp.is_settled()  # before the file is read: a change in the meantime gets another stamp
        value = self._read(path)
        if is_settled:
            with self._lock:
                self._kept[path] = stamp, value
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return value
