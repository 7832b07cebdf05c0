from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from analytics_platform.sources.nocodb import NocoClient

Handler = Callable[[httpx.Request], httpx.Response]

KEY = "('Id',gt,"
TOKEN = "the-secret-token"


class FakeServer:
    """Answers as version 2 of the API does, for one table whose rows are only Ids; what goes wrong is scripted.

    Attributes:
        ids: Keys of the rows, ascending; may be changed while it is read.
        script: What happens to the next requests, in order: None for the true answer.
        requests: All that came.
        waits: Seconds that the client waited between attempts.
    """

    def __init__(self, ids: range | list[int]) -> None:
        self.ids = list(ids)
        self.script: list[Handler | None] = []
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append(request)
            step = self.script.pop(0) if self.script else None
        return step(request) if step else self.answer(request)

    def answer(self, request: httpx.Request) -> httpx.Response:
        where = request.url.params.get("where", "")
        above = int(where.partition(KEY)[2].partition(")")[0] or 0)
        upto = int(where.partition("('Id',le,")[2].partition(")")[0] or 1 << 60)
        ids = [each for each in self.ids if above < each <= upto]
        if request.url.path.endswith("/count"):
            return httpx.Response(200, json={"count": len(ids)})
        return page(ids[: int(request.url.params["limit"])], len(ids))

    def client(self, **options: Any) -> NocoClient:
        defaults = {
            "requests_per_second": None,
            "page_rows": 3,
            "transport": httpx.MockTransport(self),
            "sleep": self.waits.append,
        }
        return NocoClient("http://noco.example", SecretStr(TOKEN), **{**defaults, **options})


def page(ids: list[int], total: int, **info: bool) -> httpx.Response:
    """Return a page of rows as the server writes it."""
    told = {"totalRows": total, "isFirstPage": True, "isLastPage": len(ids) == total, **info}
    return httpx.Response(200, json={"list": [{"Id": each} for each in ids], "pageInfo": told})


def failing(status: int, headers: dict[str, str] | None = None, **body: str) -> Handler:
    """Return a step that answers with an error."""
    return lambda _: httpx.Response(status, headers=headers, content=json.dumps(body).encode())


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(range(1, 9))


@pytest.fixture
def client(server: FakeServer) -> Iterator[NocoClient]:
    with server.client() as client:
        yield client


@pytest.fixture
def answers() -> Any:
    """The answers that scripts are made of."""

    class Answers:
        page = staticmethod(page)
        failing = staticmethod(failing)
        token = TOKEN

    return Answers
