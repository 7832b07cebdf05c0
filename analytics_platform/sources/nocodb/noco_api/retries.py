"""Retries: backoff, the server's ``Retry-After``, and the deadline of a whole call.

`answers` decides which answers are faults; `circuit` decides when to stop asking.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from analytics_platform.sources.nocodb.noco_api.argument_checks import require, require_positive
from analytics_platform.sources.nocodb.noco_api.nocodb_errors import NocoError

_T = TypeVar("_T")


class Deadline:
    """The latest end of a call.

    Args:
        seconds: Time allowed, counted from now.
    """

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left; 0 after the deadline."""
        return max(0.0, self._at - time.monotonic())


ATTEMPTS = 6
"""Tries of one call, including the first."""
DEADLINE_SECONDS = 120.0
"""Seconds for all tries of one call and the waits between them."""


@dataclass(frozen=True)
class Retries:
    """Number of tries of a call, and the time for all of them.

    Attributes:
        attempts: Tries of one call, including the first.
        deadline_seconds: Seconds for all tries and the waits between them.
        first_wait_seconds: Wait before the second try; it doubles before each further try, plus a random part of up to
            ``first_wait_seconds``.
        longest_wait_seconds: Longest wait that the client chooses itself; the server may ask for a longer one.
        sleep: Waits a number of seconds; tests replace it.
    """

    attempts: int = ATTEMPTS
    deadline_seconds: float = DEADLINE_SECONDS
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 20.0
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        require(self.attempts >= 1, "attempts", self.attempts, "at least 1")
        require_positive(
            deadline_seconds=self.deadline_seconds,
            first_wait_seconds=self.first_wait_seconds,
            longest_wait_seconds=self.longest_wait_seconds,
        )

    def run(self, attempt: Callable[[Deadline], _T]) -> _T:
        """Call ``attempt`` until it returns, fails for good, or attempts or time run out.

        Raises:
            NocoError: The last fault; ``exhausted`` if another try might still have helped.
        """
        backoff = wait_exponential_jitter(
            multiplier=self.first_wait_seconds, max=self.longest_wait_seconds, jitter=self.first_wait_seconds
        )
        retrying = Retrying(
            retry=retry_if_exception(_may_help),
            wait=lambda state: max(backoff(state), _fault(state).retry_after),
            stop=stop_after_attempt(self.attempts) | stop_before_delay(self.deadline_seconds),
            sleep=self.sleep,
            retry_error_callback=_give_up,
        )
        return retrying(attempt, Deadline(self.deadline_seconds))


def _may_help(error: BaseException) -> bool:
    return isinstance(error, NocoError) and error.retryable and not error.exhausted


def _fault(state: RetryCallState) -> NocoError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, NocoError)
    return error


def _give_up(state: RetryCallState) -> NoReturn:
    error = _fault(state)
    raise error.given_up(state.attempt_number, state.seconds_since_start or 0.0) from error
