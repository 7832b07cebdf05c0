"""Values that are kept until their file changes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from analytics_platform.system.file_stamps import FileCache


@pytest.fixture
def reads():
    """The paths that were read, in order."""
    return []


@pytest.fixture
def cache(reads):
    """A cache of the texts of two files."""

    def read(path: Path) -> str:
        reads.append(path)
        return path.read_text()

    return FileCache(read, most=2)


def write(path: Path, text: str, seconds_ago: float) -> Path:
    """Write a file that was modified some seconds ago."""
    path.write_text(text)
    moment = time.time_ns() - int(seconds_ago * 1e9)
    os.utime(path, ns=(moment, moment))
    return path


def test_a_settled_file_is_read_once(tmp_path, cache, reads):
    path = write(tmp_path / "a", "old", 60)

    assert [cache.get(path), cache.get(path)] == ["old", "old"]
    assert reads == [path]

    write(path, "new", 30)
    assert cache.get(path) == "new"


def test_a_second_change_at_the_same_time_is_found(tmp_path, cache):
    """Two writes within the resolution of the file system's clock leave a file of one size, inode and time."""
    path = write(tmp_path / "a", "old", 0)
    state = path.stat()
    assert cache.get(path) == "old"

    path.write_text("new")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert cache.get(path) == "new"


def test_a_file_that_was_missing_is_found_later(tmp_path, cache):
    path = tmp_path / "a"
    with pytest.raises(FileNotFoundError, match=str(path)):
        cache.get(path)

    write(path, "text", 60)

    assert cache.get(path) == "text"


def test_the_values_used_longest_ago_go_first(tmp_path, cache, reads):
    first, second, third = (write(tmp_path / name, name, 60) for name in "abc")

    for path in (first, second, first, third, first, second):
        assert cache.get(path) == path.name

    assert reads == [first, second, third, second]
