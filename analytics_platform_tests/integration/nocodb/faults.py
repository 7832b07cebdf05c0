"""A proxy before a real server that spoils a share of the answers; the same seed spoils the same answers.

The faults are those of networks, proxies, caches and overloaded servers. The real server answers every request that the
proxy forwards.
"""

from __future__ import annotations

import email.utils
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

_KEY = re.compile(r"\('Id',gt,(\d+)\)")


class Fault(Enum):
    """What can happen to an answer."""

    SERVER_ERROR = auto()
    """A 5xx with a page of HTML."""
    TOO_MANY_REQUESTS = auto()
    """A 429 with ``Retry-After``, in seconds or as a date."""
    RESET = auto()
    """The connection is reset before the answer."""
    CUT = auto()
    """The connection ends in the middle of the answer."""
    TRUNCATED_JSON = auto()
    """Half of the JSON, with a length that fits the half."""
    INVALID_JSON = auto()
    """HTML with status 200."""
    STALL = auto()
    """Nothing for a while, then a reset."""
    REPEATED_PAGE = auto()
    """The answer to the request for rows before this one."""
    OTHER_OFFSET = auto()
    """The page after the one that was asked for."""
    OTHER_KEY = auto()
    """A consistent page of rows above a higher key than was asked for."""


_OF_ROWS = {Fault.REPEATED_PAGE, Fault.OTHER_OFFSET, Fault.OTHER_KEY}


@dataclass
class Plan:
    """Which answers are spoiled, and how.

    Attributes:
        seed: Decides which.
        share: Share of the requests that are.
        kinds: How; those for pages of rows spoil only such.
        stall_seconds: How long a stall is.
        retry_after_seconds: What a 429 asks to wait.
        down: Whether every answer is a 503.
    """

    seed: int = 0
    share: float = 0.2
    kinds: tuple[Fault, ...] = tuple(Fault)
    stall_seconds: float = 1.0
    retry_after_seconds: int = 0
    down: bool = False


@dataclass
class FaultyProxy:
    """Forwards to a server and spoils answers; a context manager.

    Attributes:
        upstream: Address of the real server.
        plan: May be changed while it runs.
        made: How often each fault was made.
        requests: Number of requests that came.
    """

    upstream: str
    plan: Plan = field(default_factory=Plan)
    made: Counter[Fault] = field(default_factory=Counter)
    requests: int = 0

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._last_rows: httpx.Response | None = None
        self._deck: list[Fault] = []
        self._client = httpx.Client(base_url=self.upstream, timeout=60)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._client.close()

    def next_fault(self, is_rows: bool) -> Fault | None:
        """Decide what happens to the next request."""
        with self._lock:
            chance = random.Random(f"{self.plan.seed}/{self.requests}")
            self.requests += 1
            if chance.random() >= self.plan.share:
                return None
            if not self._deck:  # each kind once before any comes again
                self._deck = chance.sample(self.plan.kinds, len(self.plan.kinds))
            fitting = [kind for kind in self._deck if self._fits(kind, is_rows)]
            if not fitting:
                return None
            self._deck.remove(fitting[0])
            self.made[fitting[0]] += 1
            return fitting[0]

    def _fits(self, kind: Fault, is_rows: bool) -> bool:
        return kind not in _OF_ROWS or (is_rows and (kind is not Fault.REPEATED_PAGE or self._last_rows is not None))

    def forward(self, path: str, headers: Any, fault: Fault | None, is_rows: bool) -> httpx.Response:
        """Return the real server's answer, or the answer to another request."""
        if fault is Fault.REPEATED_PAGE and self._last_rows is not None:
            return self._last_rows
        url = httpx.URL(path)
        params = url.params
        if fault is Fault.OTHER_OFFSET:
            rows = params.get("limit", params.get("pageSize"))
            params = params.set("offset", rows).set("page", 2) if "limit" in params else params.set("page", 2)
        if fault is Fault.OTHER_KEY:
            rows = int(params.get("limit", params.get("pageSize")))
            params = params.set("where", _KEY.sub(lambda key: f"('Id',gt,{int(key[1]) + rows})", params["where"], 1))
        answer = self._client.get(url.path, params=params, headers={"xc-token": headers.get("xc-token", "")})
        if is_rows and fault not in _OF_ROWS and answer.is_success:
            self._last_rows = answer
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy

    def do_GET(self) -> None:
        plan = self.proxy.plan
        is_rows = self.path.partition("?")[0].endswith("/records")
        fault = self.proxy.next_fault(is_rows)
        if plan.down:
            self._send(503, b"<html>down</html>", "text/html")
        elif fault is Fault.SERVER_ERROR:
            self._send(500 + self.proxy.requests % 5, b"<html>oops</html>", "text/html")
        elif fault is Fault.TOO_MANY_REQUESTS:
            self._send(429, b'{"error":"ERR_RATE"}', "application/json", {"Retry-After": self._retry_after()})
        elif fault is Fault.INVALID_JSON:
            self._send(200, b"<html>please log in</html>", "text/html")
        elif fault is Fault.RESET:
            self._reset()
        elif fault is Fault.STALL:
            time.sleep(plan.stall_seconds)
            self._reset()
        else:
            self._forward(fault, is_rows)

    def _forward(self, fault: Fault | None, is_rows: bool) -> None:
        answer = self.proxy.forward(self.path, self.headers, fault, is_rows)
        body = answer.content
        if fault is Fault.TRUNCATED_JSON:
            body = body[: len(body) // 2]
        self._send(answer.status_code, body, answer.headers.get("content-type", ""), cut=fault is Fault.CUT)

    def _retry_after(self) -> str:
        seconds = self.proxy.plan.retry_after_seconds
        as_date = self.proxy.requests % 2
        return email.utils.formatdate(time.time() + seconds, usegmt=True) if as_date else str(seconds)

    def _send(
        self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self._reset()

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def handle(self) -> None:
        """Answer until the other side leaves, which in the middle of an answer is nothing to report."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""
