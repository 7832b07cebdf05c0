"""Ends a command on Ctrl-C or SIGTERM: quickly, with one line, and with the exit status that shells expect.

Both signals raise ``KeyboardInterrupt`` in the main thread, so that open resources are closed: Dagster records the run
as failed, and the embedded MongoDB stops. A watcher thread listens as well, because the main thread may be in native
code, where no exception reaches it. The watcher ends the process after a grace period, and at once on a second signal.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

MESSAGE = "interrupted; run again to go on"
GRACE_SECONDS = 5.0
"""Time in seconds that the main thread has for closing its resources."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOT_INTERRUPTED = b"\0"
_QUIET_TRACKER = "ignore:resource_tracker:UserWarning"
"""Warning option that Python passes on to the process that removes the semaphores of an ended process.

dbt's semaphores are open when ``_end`` leaves without clean-up. The other process removes them, and would warn of them
on the terminal after the final line.
"""
_SHOW_CURSOR = "\x1b[?25h"


class _State:
    """The signal that this process has received, and the callbacks to run before a forced end.

    Attributes:
        received: Number of the first signal; None before any signal.
        last_resorts: Called when the main thread does not end in time, for example to stop a server of this process.
        ending: Lock of the thread that prints the final line and ends the process.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.last_resorts: list[Callable[[], None]] = []
        self.ending = threading.Lock()


_state = _State()


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """Run a command so that SIGINT ends it with exit status 130, SIGTERM with 143, and one line on standard error.

    A signal that the process was started to ignore, for example by ``nohup``, stays ignored.
    """
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    if not heard or threading.current_thread() is not threading.main_thread():
        yield
        return
    sys.warnoptions.append(_QUIET_TRACKER)
    terminal = os.dup(2)  # Dagster replaces standard error while a step runs
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    wakeup_before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    handlers_before: dict[int, Any] = {}
    watcher = threading.Thread(target=_watch, args=(reading, terminal), name="interruption", daemon=True)
    watcher.start()
    try:  # a signal may arrive as soon as its handler is in place
        for number in heard:
            handlers_before[number] = signal.signal(number, _unwind)
        yield
    finally:
        try:
            if _state.received is not None:
                _end(terminal)
            for changed, handler in handlers_before.items():
                signal.signal(changed, handler)
        except KeyboardInterrupt:  # a signal arrived during the clean-up
            _end(terminal)
        sys.warnoptions.remove(_QUIET_TRACKER)
        signal.set_wakeup_fd(wakeup_before)
        os.write(writing, _NOT_INTERRUPTED)
        watcher.join()
        for descriptor in (reading, writing, terminal):
            os.close(descriptor)


def is_under_way() -> bool:
    """Tell whether a signal was received; the process then ends soon, and callers should not wait for anything."""
    return _state.received is not None


def stop_if_interrupted() -> None:
    """Raise ``KeyboardInterrupt`` if a signal was received. Call it after a library that swallows the exception."""
    if _state.received is not None:
        raise KeyboardInterrupt


def before_forced_end(do: Callable[[], None]) -> None:
    """Register ``do`` to run in another thread when an interrupted command does not end within the grace period."""
    _state.last_resorts.append(do)


def _unwind(number: int, _: FrameType | None) -> None:
    _receive(number)
    raise KeyboardInterrupt


def _receive(number: int) -> None:
    """Record the first signal and silence standard error and logging; only the final line is printed afterwards."""
    if _state.received is None:
        _state.received = number
        logging.disable(logging.CRITICAL)
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _watch(reading: int, terminal: int) -> None:
    """Wait for the first signal, then for the second or the end of the grace period, and end the process."""
    number = 0
    while number not in _SIGNALS:
        byte = os.read(reading, 1)
        if byte == _NOT_INTERRUPTED:
            return
        number = byte[0]
    _receive(number)
    again, _, _ = select.select([reading], [], [], GRACE_SECONDS)
    if not again:
        helper = threading.Thread(target=_try_last_resorts, daemon=True)
        helper.start()
        helper.join(GRACE_SECONDS)
    _end(terminal)


def _try_last_resorts() -> None:
    for do in _state.last_resorts:
        with contextlib.suppress(Exception):
            do()


def _end(terminal: int) -> None:
    """Print the final line and end the process without waiting for its threads."""
    with _state.ending:  # never released: a second thread must print nothing
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        restore = f"\r{_SHOW_CURSOR}" if os.isatty(terminal) else ""  # a progress bar may have hidden the cursor
        with contextlib.suppress(OSError):
            os.write(terminal, f"{restore}{MESSAGE}\n".encode())
        os._exit(128 + (_state.received or signal.SIGINT))
