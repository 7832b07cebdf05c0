"""Find, ping and stop a MongoDB server that runs as a process of this machine, and end the sessions of killed clients.

`embedded` decides which process may start, share and stop the server.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import psutil
from pymongo import MongoClient
from pymongo.errors import PyMongoError

STOP_SECONDS = 20.0
PAUSE_SECONDS = 0.05
_ANSWER_MILLISECONDS = 2_000


def uri_of(process: psutil.Process) -> str | None:
    """Return the URI of the port on which a process listens; None while it listens on none."""
    port = _port_of(process)
    return None if port is None else f"mongodb://127.0.0.1:{port}/?directConnection=true"


def answers(uri: str) -> bool:
    """Tell whether a server at a URI answers a read.

    A ping is not enough: a server whose storage is locked for good goes on answering pings.
    """
    client: MongoClient[dict[str, object]] = MongoClient(uri, timeoutMS=_ANSWER_MILLISECONDS)
    with client:
        try:
            client.admin["system.version"].find_one()
        except PyMongoError:
            return False
    return True


def refuses(uri: str) -> bool:
    """Tell whether no process listens at the first host and port of a URI; a silent listener does not refuse."""
    parts = urlsplit(uri)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), _ANSWER_MILLISECONDS / 1000).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def ended(process: psutil.Process) -> bool:
    """Tell whether a process has ended, including a zombie process."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def terminate(process: psutil.Process) -> None:
    """Terminate a server, kill it if it does not end within ``STOP_SECONDS``, and wait for its end."""
    _end(process, process.terminate, process.kill)


def kill(process: psutil.Process) -> None:
    """Kill a process, and wait for its end."""
    _end(process, process.kill)


def _end(process: psutil.Process, *signals: Callable[[], None]) -> None:
    """Send the signals one after the other, each ``STOP_SECONDS`` after the one before, until the process ends."""
    port = _port_of(process)
    for send in signals:
        try:
            send()
        except psutil.NoSuchProcess:
            return
        deadline = time.monotonic() + STOP_SECONDS
        while not ended(process):
            if time.monotonic() > deadline:
                break
            time.sleep(PAUSE_SECONDS)
            # The server waits two seconds for its thread that accepts connections; a connection wakes that thread.
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port or 0), PAUSE_SECONDS):
                pass
        else:
            return


def _port_of(process: psutil.Process) -> int | None:
    """Return the port on which a process listens; None while it listens on none."""
    try:
        ports = [c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    except psutil.Error:
        return None
    return ports[0] if ports else None


def end_sessions(uri: str) -> None:
    """End every session and its open transaction; killed clients leave both behind.

    Until then, or for the 60 s that a transaction may take, no other client can write the documents of the transaction.
    """
    client: MongoClient[dict[str, object]] = MongoClient(uri, timeoutMS=_ANSWER_MILLISECONDS)
    with client, contextlib.suppress(PyMongoError):  # a server that cannot do it lets them expire
        client.admin.command("killAllSessions", [])
