"""A signal at the very end of a command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from analytics_platform.system.interruption import MESSAGE

SCRIPT = """
import os, signal, sys
from analytics_platform.system import interruption

restore = signal.signal

def late(number, handler):
    os.kill(os.getpid(), int(sys.argv[1]))
    return restore(number, handler)

with interruption.heeded():
    interruption.signal.signal = late
"""


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_signal_while_the_handlers_are_restored_ends_the_command_with_the_line(number: int, code: int) -> None:
    """The command ended by an error that its standard error, silenced by then, did not show, and without the line."""
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(number)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (finished.returncode, finished.stderr.splitlines()) == (code, [MESSAGE])
