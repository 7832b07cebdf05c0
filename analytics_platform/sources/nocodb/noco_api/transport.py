"""Send single requests: pooled connections, rate limit, deadline, retries and circuit breaker.

`dialects` knows paths and shapes of answers; `pages` reads several pages.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import httpx
import orjson
from pydantic import SecretStr
from pyrate_limiter import Limiter, Rate, SingleBucketFactory, StateBucket, TokenBucket

from analytics_platform.sources.nocodb.noco_api.answers import refusal
from analytics_platform.sources.nocodb.noco_api.argument_checks import require, require_positive
from analytics_platform.sources.nocodb.noco_api.circuit import Circuit
from analytics_platform.sources.nocodb.noco_api.nocodb_errors import (
    NocoBusyError,
    NocoContractError,
    NocoRequestError,
    NocoServerError,
)
from analytics_platform.sources.nocodb.noco_api.retries import Deadline, Retries

_T = TypeVar("_T")
Params = Sequence[tuple[str, str | int]]

LONGEST_URL = 8_000
"""Most bytes of a request's URL; common proxies refuse longer URLs, the server itself refuses 16,000 bytes."""


class _TokenAuth(httpx.Auth):
    """Adds the token to each request as it is sent, so that no client, header or repr contains it in plain text."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["xc-token"] = self._token.get_secret_value()
        yield request


class Transport:
    """Gets decoded answers from one server; safe to share between threads.

    Args:
        url: Address of the server, with its base path, if any.
        token: API token.
        requests_per_second: Most requests per second, over all threads; None for no limit.
        timeout_seconds: Longest wait for a connection, and for each next part of an answer.
        max_connections: Most connections at a time.
        retries: Tries of a call.
        circuit: Records the outcome of each call, and refuses calls after too many failures.
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
        """Request a path, and return what ``read`` makes of the decoded answer.

        Args:
            place: Host and table, for messages.
            path: Path below the server's address.
            params: Query parameters; a name may occur several times.
            read: Converts the decoded JSON; raises ``NocoContractError`` for an answer that cannot be true.

        Raises:
            NocoError: If no valid answer arrives.
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
            raise refusal(place, response, body.replace(told, b"***") if told else body)  # some repeat the token
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            kind = response.headers.get("content-type", "of no named type")
            raise NocoContractError(
                f"{place}: the answer ({kind}, {len(body)} bytes) is not whole JSON; check that the URL is NocoDB's"
            ) from error


def parse_url(url: str) -> httpx.URL:
    """Return the parsed address of a server.

    Raises:
        ValueError: If it is not an http or https address, has a query or a fragment, or contains a password.
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
    # Evenly spaced (a burst of one): no second contains more requests, wherever the server begins to count.
    rate = Rate(1, round(1000 / requests_per_second))
    bucket = StateBucket([rate], algorithm=TokenBucket())
    return Limiter(SingleBucketFactory(bucket, schedule_leak=False), buffer_ms=0)  # constant state: nothing to leak


def _read(response: httpx.Response, deadline: Deadline) -> bytes:
    """Read the content; each part must arrive within the timeout, all parts within the deadline."""
    parts = []
    for part in response.iter_bytes():
        parts.append(part)
        if not deadline.remaining():
            raise httpx.ReadTimeout("the answer came too slowly")
    return b"".join(parts)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
