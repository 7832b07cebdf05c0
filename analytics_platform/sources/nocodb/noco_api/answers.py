"""Convert HTTP answers other than 200 to errors, with the wait that the server asks for."""

from __future__ import annotations

import datetime as dt
import email.utils
import math

import httpx
import orjson

from analytics_platform.sources.nocodb.noco_api.nocodb_errors import (
    NocoAuthError,
    NocoContractError,
    NocoError,
    NocoNotFoundError,
    NocoRateLimitError,
    NocoRequestError,
    NocoServerError,
)

_TRANSIENT = {408, 425}
_LONGEST_WORDS = 200


def refusal(place: str, response: httpx.Response, body: bytes) -> NocoError:
    """Return the error for an answer other than 200.

    Args:
        place: Host and table, for the message.
        response: Status and headers.
        body: Content; NocoDB sends ``{"error", "message"}``, a proxy may send any content.
    """
    status = response.status_code
    code, words = _explanation(body)
    said = f"{status} {words}".strip()
    if status in {401, 403}:
        return NocoAuthError(f"{place}: the token is refused ({said}); make an API token that may read this base")
    if status == 404 or code.endswith("_NOT_FOUND"):
        return NocoNotFoundError(f"{place}: not found ({said}); check the URL, the id, and what the token may see")
    if code == "ERR_INVALID_OFFSET_VALUE":  # the client asks for no offset but 0
        return NocoContractError(f"{place}: another request was answered ({said}); look at what lies in between")
    if status == 429:
        return NocoRateLimitError(
            f"{place}: asked too often ({said}); lower the requests per second",
            retry_after=retry_after(response.headers.get("retry-after")),
        )
    if status >= 500 or status in _TRANSIENT:
        return NocoServerError(
            f"{place}: the server failed ({said}); see the server's log if this lasts",
            retry_after=retry_after(response.headers.get("retry-after")),
        )
    if response.has_redirect_location:
        return NocoRequestError(f"{place}: the server redirects ({said}); use the URL that it redirects to")
    return NocoRequestError(f"{place}: the request is refused ({said}); check the filter and the columns")


def retry_after(header: str | None) -> float:
    """Return the seconds to wait from a ``Retry-After`` header, a number or a date; 0 without a valid header."""
    if not header:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (email.utils.parsedate_to_datetime(header) - dt.datetime.now(dt.UTC)).total_seconds()
        except (TypeError, ValueError):  # TypeError: a date without a zone
            return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _explanation(body: bytes) -> tuple[str, str]:
    """Return an answer's error code, and code and message as one text; each empty if the answer has none."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    if not isinstance(payload, dict):
        return "", ""
    code = str(payload.get("error") or "")
    words = str(payload.get("message") or payload.get("msg") or "")
    return code, " ".join(f"{code} {words}".split())[:_LONGEST_WORDS]
