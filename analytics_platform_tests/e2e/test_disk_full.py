"""A file system that is really full: one line, nothing lost, nothing left out, and a second run that goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analytics_platform_tests.e2e.conftest import THREE_DAYS
from analytics_platform_tests.e2e.many_days import stored

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LINE = "no space left on the device; free some and run again to go on"
KILOBYTE = 1024
LARGE = 200 * KILOBYTE * KILOBYTE


class SmallDisk:
    """A file system of its own, in memory, of a size that may be changed.

    Attributes:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount("size=200m", "tmpfs")

    def _mount(self, options: str, kind: str = "") -> None:
        kinds = ["-t", kind, kind] if kind else []
        subprocess.run(["mount", *kinds, "-o", options, str(self.folder)], check=True, capture_output=True, timeout=30)

    def leave_free(self, size: int) -> None:
        """Set the size so that this many bytes are free."""
        state = os.statvfs(self.folder)
        used = (state.f_blocks - state.f_bfree) * state.f_frsize
        self._mount(f"remount,size={used + size}")

    def enlarge(self) -> None:
        """Leave plenty of space."""
        self._mount(f"remount,size={LARGE}")

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, capture_output=True, timeout=30)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    try:
        disk = SmallDisk(tmp_path / "disk")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no file system can be mounted here: {error.stderr.decode().strip()}")
    yield disk
    disk.close()


def half_files(home: Path) -> list[Path]:
    """Return what no reader may meet: staged files, half a staging, half a warehouse."""
    return [path for pattern in (".*.tmp", ".unfinished-*", "*.build") for path in home.rglob(pattern)]


def told(finished) -> list[str]:
    """Return the lines of standard error."""
    return [line for line in finished.err.splitlines() if line.strip()]


@pytest.mark.parametrize(
    "free",
    [
        pytest.param(500 * KILOBYTE, id="staging"),
        pytest.param(3 * 1024 * KILOBYTE, id="event-log-and-lake"),
        pytest.param(6 * 1024 * KILOBYTE, id="mongodb-starts"),
        pytest.param(15 * 1024 * KILOBYTE, id="mongodb-writes"),
    ],
)
def test_a_full_disk_ends_a_run_with_one_line_and_the_next_run_goes_on(
    analytics: Callable, disk: SmallDisk, three_days: dict[str, str], free: int
) -> None:
    """A full disk ended in a trace, in a step that failed, or in a line without a path."""
    home = disk.folder / "home"
    disk.leave_free(free)

    stopped = analytics(home, *THREE_DAYS)

    assert stopped.code == 2, stopped.err
    assert stopped.out == ""
    lines = told(stopped)
    assert len(lines) == 1
    assert lines[0].startswith(str(disk.folder))
    assert lines[0].endswith(LINE)
    assert half_files(home) == []

    disk.enlarge()
    finished = analytics(home, *THREE_DAYS)

    assert finished.code == 0, finished.err
    assert stored(home) == three_days


def test_a_full_disk_ends_every_command_that_writes_with_one_line(analytics: Callable, disk: SmallDisk) -> None:
    """Only ``run`` was known to end at once; a repair, a second try and the demo write as well."""
    home = disk.folder / "home"
    assert analytics(home, *THREE_DAYS).code == 0
    damaged = home / "lake" / "conversation_insights" / "date=2006-05-28" / "data.parquet"
    damaged.write_bytes(damaged.read_bytes()[:100])
    disk.leave_free(0)

    for command in ("repair", "redrive", "demo"):
        stopped = analytics(home, command)

        assert (stopped.code, stopped.out) == (2, ""), (command, stopped.err)
        lines = told(stopped)
        assert len(lines) == 1, command
        assert lines[0].startswith(str(disk.folder)), command
        assert lines[0].endswith(LINE), command
