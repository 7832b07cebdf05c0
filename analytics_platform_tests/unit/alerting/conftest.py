"""A webhook that can be told to misbehave."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest


@dataclass
class Webhook:
    """What a webhook server got, and how it answers.

    Attributes:
        url: Address for apprise, with a password.
        received: The bodies, decoded.
        status: HTTP status of the answer.
        hold: While set, no answer is given.
        location: Path that the answer redirects to.
        endless: A part of the answer's body; it is sent again and again.
        pause_seconds: Time between two parts of an endless body.
        hung_up: Set when the sender closed the connection of an endless body.
    """

    url: str = ""
    received: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    hold: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    location: str = ""
    endless: bytes = b""
    pause_seconds: float = 0.0
    hung_up: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A real HTTP server on a free port."""
    hook = Webhook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == hook.location:
                hook.received.append(body)
                self.send_response(200)
                self.end_headers()
                return
            if hook.hold.is_set():
                hook.release.wait(30)
                return
            hook.received.append(body)
            self.send_response(hook.status)
            if hook.location:
                self.send_header("Location", hook.location)
            self.end_headers()
            try:
                while hook.endless and not hook.release.wait(hook.pause_seconds):
                    self.wfile.write(hook.endless)
            except OSError:
                hook.hung_up.set()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.url = f"json://user:p4ssw0rd-of-hook@127.0.0.1:{server.server_port}/services/t0ken-in-path"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hook
        finally:
            hook.release.set()
            server.shutdown()
            thread.join()
