"""What writers of small files leave, and when it is cleared away."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from analytics_platform.files import remove_staged, write_atomically

HOURS = 6 * 3600.0


def staged_by_a_writer(folder: Path, *, ended: bool) -> tuple[Path, subprocess.Popen[bytes]]:
    """Start a writer that stops before it replaces the file; return what it staged, as of ten minutes ago."""
    script = f"""
import pathlib, time
from analytics_platform.files import write_atomically
def stop(*_):
    print("staged", flush=True)
    time.sleep(60)
pathlib.Path.replace = stop
write_atomically(pathlib.Path({str(folder / "page.html")!r}), b"what people wrote")
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"staged\n"
    (staged,) = folder.glob(".*.tmp")
    before = time.time() - 600
    os.utime(staged, (before, before))
    if ended:
        process.kill()
        process.communicate()
    return staged, process


def test_what_a_killed_writer_staged_goes_at_the_next_look(tmp_path: Path) -> None:
    """It holds what people wrote, and stayed for six hours whoever looked."""
    staged, _ = staged_by_a_writer(tmp_path, ended=True)
    assert remove_staged([tmp_path], HOURS) == 1
    assert not staged.exists()


def test_what_a_writer_is_about_to_publish_stays(tmp_path: Path) -> None:
    staged, process = staged_by_a_writer(tmp_path, ended=False)
    try:
        assert remove_staged([tmp_path], HOURS) == 0
        assert staged.exists()
    finally:
        process.kill()
        process.communicate()


def test_what_was_staged_this_minute_stays_whether_locked_or_not(tmp_path: Path) -> None:
    (tmp_path / f".{'a' * 32}.tmp").write_bytes(b"")
    assert remove_staged([tmp_path], HOURS) == 0
    write_atomically(tmp_path / "page.html", b"new")
    assert (tmp_path / "page.html").read_bytes() == b"new"
