"""Errors of a NocoDB server, grouped by the remedy of a person or a caller.

Each message is one line: host and table, fault, remedy; never the token.
"""

from __future__ import annotations

import datetime as dt
from typing import ClassVar, Self

from analytics_platform.sources.base import SourceError


class NocoError(SourceError):
    """Reading from NocoDB failed.

    Attributes:
        retryable: Whether another try may help; such an error also counts as an outage of the server.
        retry_after: Seconds that the server asks to wait before the next request.
        exhausted: Whether all allowed tries have failed.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.exhausted = False

    def given_up(self, attempts: int, seconds: float) -> Self:
        """Return this error as the final one after several attempts."""
        tried = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        asked = f"; the server asks to wait {self.retry_after:.0f} s" if self.retry_after else ""
        error = type(self)(f"{self} (gave up after {tried} in {seconds:.1f} s{asked})", retry_after=self.retry_after)
        error.exhausted = True
        return error


class NocoAuthError(NocoError):
    """The server refuses the token."""


class NocoNotFoundError(NocoError):
    """The table, base or column does not exist, or the token may not see it."""


class NocoRequestError(NocoError):
    """The server refuses the request itself; another try does not help."""


class NocoBusyError(NocoError):
    """The client's own rate limit left no room for the request before its deadline."""


class NocoRateLimitError(NocoError):
    """The server received too many requests."""

    retryable = True


class NocoServerError(NocoError):
    """The server failed, could not be reached or did not answer in time."""

    retryable = True


class NocoContractError(NocoError):
    """The server's answer contradicts itself or an earlier answer."""

    retryable = True


class NocoCircuitOpenError(NocoError):
    """The circuit refused the request, because the server failed repeatedly just before.

    Attributes:
        retry_at: Time of the next request to the server, UTC.
    """

    def __init__(self, message: str, *, retry_after: float = 0.0, retry_at: dt.datetime | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.retry_at = retry_at
