"""One request after another: pooled connections, rate limit, deadline, retries and the circuit around them.

Belongs here: getting a decoded answer from a path. Does not belong here: which paths there are and what an
answer should hold (``dialects``), and how pages follow each other (``paging``).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import httpx
import orjson
from pydantic import SecretStr
from pyrate_limiter import Limiter, Rate, SingleBucketFactory, StateBucket, TokenBucket

from analytics_platform.sources.nocodb.answers import refusal
from analytics_platform.sources.nocodb.circuit import Circuit
from analytics_platform.sources.nocodb.nocodb_errors import (
    NocoBusyError,
    NocoContractError,
    NocoRequestError,
    NocoServerError,
)
from analytics_platform.sources.nocodb.page_limits import require, require_positive
from analytics_platform.sources.nocodb.retries import Deadline, Retries

_T = TypeVar("_T")
Params = Sequence[tuple[str, str | int]]

LONGEST_URL = 8_000
"""Bytes of a request's address; common proxies refuse longer ones, the server itself refuses 16,000."""


class _TokenAuth(httpx.Auth):
    """Puts the token on each request as it leaves, so that no client, header or repr holds it in plain."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["xc-token"] = self._token.get_secret_value()
        yield request


class Transport:
    """Gets decoded answers from one server; may be used from several threads.

    Args:
        url: Address of the server, with the path that it lies under, if any.
        token: API token.
        requests_per_second: Most requests to begin in a second, all threads together; None for no limit.
        timeout_seconds: Seconds to wait for a connection, and for each next part of an answer.
        max_connections: Most connections at a time.
        retries: How often a call is tried.
        circuit: Learns how calls end, and stops them when too many failed.
        transport: Sends the requests; the network when None.
    """

    def __init__(
        self,
        url: str,
        token: SecretStr,
        *,
        requests_per_second: float | None,
        timeout_seconds: float,
        max_connections: int,
        retries: Retries,
        circuit: Circuit,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        require_positive(timeout_seconds=timeout_seconds)
        require(max_connections >= 1, "max_connections", max_connections, "at least 1")
        self._timeout = timeout_seconds
        self._retries = retries
        self._circuit = circuit
        self._limiter = _limiter(requests_per_second)
        self._token = token
        self._http = httpx.Client(
            base_url=parse_url(url),
            auth=_TokenAuth(token),
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
            headers={"accept": "application/json"},
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, place: str, path: str, params: Params, read: Callable[[Any], _T]) -> _T:
        """Get an answer and read it.

        Args:
            place: Host and table, for messages.
            path: Below the server's address.
            params: Query parameters; a name may come several times.
            read: Makes sense of the decoded JSON; raises ``NocoContractError`` for an answer that cannot be true.

        Raises:
            NocoError: Whatever kept the answer from coming.
        """
        request = self._http.build_request("GET", path, params=httpx.QueryParams(list(params)))
        length = len(request.url.raw_path)
        if length > LONGEST_URL:
            raise NocoRequestError(f"{place}: the filter is too long ({length} bytes, at most {LONGEST_URL}); split it")
        return self._circuit.call(lambda: self._retries.run(lambda deadline: read(self._ask(place, request, deadline))))

    def _ask(self, place: str, request: httpx.Request, deadline: Deadline) -> Any:
        if self._limiter and not self._limiter.try_acquire("requests", timeout=deadline.remaining()):
            raise NocoBusyError(f"{place}: not asked in time; fewer threads or more requests per second are needed")
        timeout = min(self._timeout, deadline.remaining())
        request.extensions["timeout"] = httpx.Timeout(timeout).as_dict()
        try:
            response = self._http.send(request, stream=True)
            try:
                body = _read(response, deadline)
            finally:
                response.close()
        except httpx.TimeoutException as error:
            raise NocoServerError(
                f"{place}: no answer within {timeout:.3g} s; the server is overloaded or out of reach"
            ) from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise NocoServerError(
                f"{place}: the connection failed ({_one_line(error)}); check that the server runs and can be reached"
            ) from error
        if response.status_code != httpx.codes.OK:
            told = self._token.get_secret_value().encode()
            raise refusal(place, response, body.replace(told, b"***") if told else body)  # some repeat what they got
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            kind = response.headers.get("content-type", "of no named type")
            raise NocoContractError(
                f"{place}: the answer ({kind}, {len(body)} bytes) is not whole JSON; check that the URL is NocoDB's"
            ) from error


def parse_url(url: str) -> httpx.URL:
    """Check the address of a server.

    Raises:
        ValueError: If it is not an http or https address, or holds a password, which belongs into no address.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"url is {url!r}; expected http(s)://host ({error})") from None
    if parsed.userinfo:
        raise ValueError(f"url holds a user or password before {parsed.host!r}; put the API token in token instead")
    require(parsed.scheme in {"http", "https"} and bool(parsed.host), "url", url, "http(s)://host")
    require(not parsed.query and not parsed.fragment, "url", url, "no query and no fragment")
    return parsed


def _limiter(requests_per_second: float | None) -> Limiter | None:
    if requests_per_second is None:
        return None
    require(0.001 <= requests_per_second <= 1000, "requests_per_second", requests_per_second, "0.001 to 1000, or None")
    # Evenly spaced (a burst of one): whichever second the server counts, there are never more in it.
    rate = Rate(1, round(1000 / requests_per_second))
    bucket = StateBucket([rate], algorithm=TokenBucket())
    return Limiter(SingleBucketFactory(bucket, schedule_leak=False), buffer_ms=0)  # constant state: nothing to leak


def _read(response: httpx.Response, deadline: Deadline) -> bytes:
    """Read the content; each part comes within the time-out, all of them must within the deadline."""
    parts = []
    for part in response.iter_bytes():
        parts.append(part)
        if not deadline.remaining():
            raise httpx.ReadTimeout("the answer came too slowly")
    return b"".join(parts)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
