"""Classification of failed calls: the fault concerns the request's text, the account, or the moment.

`endpoint` acts on the classification: it retries, waits or stops.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Mapping

import openai

_ACCOUNT, _KEY = "account: it has no money left", "API key (ANALYTICS_LLM_API_KEY)"
_PLACE = "address (ANALYTICS_LLM_BASE_URL) or model (ANALYTICS_LLM_MODEL)"
_BY_STATUS = {401: _KEY, 402: _ACCOUNT, 403: f"rights of the {_KEY}", 404: _PLACE, 405: _PLACE, 410: _PLACE}
_BY_CODE = {
    "insufficient_quota": _ACCOUNT,
    "billing_hard_limit_reached": _ACCOUNT,
    "billing_not_active": _ACCOUNT,
    "invalid_api_key": _KEY,
    "model_not_found": _PLACE,
}
"""Codes and types that some endpoints send with any status."""
_KEY_IN_WORDS = re.compile(r"\bapi[ _]key (?:is )?(?:not valid|invalid|expired)|(?:invalid|incorrect) api[ _]key", re.I)
"""Google's endpoint describes a wrong key in words, with status 400."""
_ABOUT_TEXT = ("flagged", "moderation", "content_filter", "content filter", "content policy")
_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""Class names instead of classes, so that the module does not depend on the client's HTTP library."""


class RejectedError(RuntimeError):
    """The endpoint refuses this request; another try does not help."""


class UnavailableError(RuntimeError):
    """The endpoint did not answer in any attempt."""


class TransientError(RuntimeError):
    """A call failed, and a retry may succeed.

    Args:
        status: Status of the call in the ledger.
        detail: Description of the failure.
        retry_after: Seconds that the endpoint asks to wait; None if it does not ask.
        paid: Whether the request was sent, so that it may be billed without an answer.
    """

    def __init__(self, status: str, detail: str, retry_after: float | None = None, *, paid: bool = False) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after
        self.paid = paid


class WrongError(RuntimeError):
    """A refusal because of the key, address, model or account.

    Args:
        detail: The endpoint's message.
        what: Setting or account to check.
        in_doubt: Whether the refusal may concern this one request instead.
    """

    def __init__(self, detail: str, what: str, *, in_doubt: bool) -> None:
        super().__init__(f"check the {what}; {detail}")
        self.in_doubt = in_doubt


def judge_refusal(
    refused: openai.APIStatusError, detail: str, longest_wait: float, *, has_answered: bool
) -> tuple[str, TransientError | WrongError | RejectedError]:
    """Return the ledger status of a refusal, and the error to raise.

    Args:
        refused: The client's exception.
        detail: The endpoint's message without secrets.
        longest_wait: Longest wait in seconds, even if ``Retry-After`` asks for more.
        has_answered: Whether the endpoint has answered a request before.
    """
    status = refused.status_code
    what = _BY_CODE.get(str(refused.code)) or _BY_CODE.get(str(refused.type)) or _BY_STATUS.get(status)
    if what is None and status == 400 and _KEY_IN_WORDS.search(refused.message):
        what = _KEY
    if what and not is_about_text(status, f"{refused.message} {refused.code}"):
        # A 403 may come from a content filter. A 404 after an answer may come from a restarting proxy.
        in_doubt = status == 403 or (status == 404 and has_answered)
        return "rate_limited" if status == 429 else "rejected", WrongError(detail, what, in_doubt=in_doubt)
    if status in {408, 409, 429} or status >= 500:
        kind = "rate_limited" if status == 429 else "server_error"
        return kind, TransientError(kind, detail, retry_after(refused.response.headers, longest_wait))
    return "rejected", RejectedError(detail)


def judge_loss(lost: Exception, detail: str, timeout_seconds: float) -> TransientError:
    """Return the error for a request without a reply; a request that was sent may be answered and billed unseen.

    Args:
        lost: The client's exception.
        detail: Message of ``cause_of(lost)`` without secrets.
        timeout_seconds: Longest wait for the reply.
    """
    cause = type(cause_of(lost)).__name__
    if cause in _NEVER_SENT:
        return TransientError("connection", f"no connection: {detail or cause}")
    if isinstance(lost, (TimeoutError, openai.APITimeoutError)):
        return TransientError("timeout", f"no answer within {timeout_seconds:g} s", paid=True)
    return TransientError("connection", detail, paid=True)


def cause_of(lost: Exception) -> BaseException:
    """Return the HTTP library's error behind the client's error; the client's error if there is none."""
    return lost.__cause__ or lost


def is_about_text(status: int, said: str) -> bool:
    """Return whether a 403 refusal concerns the request's text, by phrases that content filters use."""
    return status == 403 and any(word in said.lower() for word in _ABOUT_TEXT)


def retry_after(headers: Mapping[str, str], longest: float) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, at most ``longest``; None without a valid header."""
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (email.utils.parsedate_to_datetime(text) - dt.datetime.now(dt.UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), longest) if seconds == seconds else None
