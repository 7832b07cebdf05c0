"""The circuit breaker: after several failed calls in a row, it refuses calls for a while.

``pybreaker`` keeps the state, the count and the times. It would hold its lock during a call, which would queue all
threads behind one slow answer; calls therefore run outside ``pybreaker``, and only their outcomes go through it.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import pybreaker

from analytics_platform.sources.nocodb.noco_api.argument_checks import require, require_positive
from analytics_platform.sources.nocodb.noco_api.nocodb_errors import (
    NocoAuthError,
    NocoCircuitOpenError,
    NocoError,
    NocoNotFoundError,
    NocoRequestError,
)

_T = TypeVar("_T")
State = Literal["closed", "open", "half-open"]

_log = logging.getLogger(__name__)

_REFUSALS = (NocoAuthError, NocoNotFoundError, NocoRequestError)
"""Errors that count as success, because they show that the server works."""


@dataclass(frozen=True)
class CircuitChange:
    """A change of the circuit's state.

    Attributes:
        place: Host that the circuit protects.
        before: State before the change.
        after: State after the change; ``open`` is worth an alert, ``closed`` ends it.
        retry_at: Time of the next request to the server, UTC; None unless the circuit is open.
        cause: Message of the failure that opened the circuit; empty otherwise.
    """

    place: str
    before: State
    after: State
    retry_at: dt.datetime | None
    cause: str


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class _OutageError(Exception):
    """Signals a failed call to ``pybreaker``."""


class Circuit(pybreaker.CircuitBreakerListener):
    """A circuit breaker; safe to share between threads.

    Args:
        place: Host that the circuit protects, for messages.
        failures: Failed calls in a row, each with all its retries, that open the circuit.
        reset_seconds: Seconds that the circuit stays open before it admits one trial call.
        now: Returns the time, with a zone.
    """

    def __init__(
        self,
        place: str,
        *,
        failures: int = 3,
        reset_seconds: float = 60.0,
        now: Callable[[], dt.datetime] = _utc_now,
    ) -> None:
        require(failures >= 1, "circuit_failures", failures, "at least 1")
        require_positive(circuit_reset_seconds=reset_seconds)
        self._place = place
        self._now = now
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures, reset_timeout=reset_seconds, listeners=[self], throw_new_error_on_trip=False
        )
        self._open_for = dt.timedelta(seconds=reset_seconds)
        self._opened_at = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._lock = threading.Lock()
        self._trial_under_way = False
        self._cause = ""
        self._changes: list[CircuitChange] = []
        self._subscribers: list[Callable[[CircuitChange], None]] = []

    @property
    def state(self) -> State:
        """``closed`` (calls go through), ``open`` (calls fail at once) or ``half-open`` (one trial call is running)."""
        return cast("State", self._breaker.current_state)

    @property
    def retry_at(self) -> dt.datetime | None:
        """Time of the next request to the server, UTC; None unless the circuit is open."""
        return self._opened_at + self._open_for if self.state == pybreaker.STATE_OPEN else None

    def subscribe(self, subscriber: Callable[[CircuitChange], None]) -> None:
        """Register a function to call after every change of state, in the thread whose call caused the change."""
        self._subscribers.append(subscriber)

    def call(self, work: Callable[[], _T]) -> _T:
        """Run ``work`` if the circuit admits it, and record its outcome.

        Raises:
            NocoCircuitOpenError: If the circuit is open; names the time of the next try.
        """
        is_trial = self._admit()
        try:
            result = work()
        except BaseException as error:
            self._learn(error, is_trial=is_trial)
            raise
        self._learn(None, is_trial=is_trial)
        return result

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,  # noqa: ARG002  the listener's signature
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        """Record a change of state; called by ``pybreaker``."""
        before = cast("State", old_state.name if old_state else pybreaker.STATE_CLOSED)
        after = cast("State", new_state.name)
        opened = after == pybreaker.STATE_OPEN
        if opened:
            self._opened_at = self._now()
        retry_at = self._opened_at + self._open_for if opened else None
        self._changes.append(CircuitChange(self._place, before, after, retry_at, self._cause if opened else ""))

    def _admit(self) -> bool:
        """Admit or refuse a call; return whether it is the trial call that tests an open circuit."""
        with self._lock:
            if self.state == pybreaker.STATE_CLOSED:
                return False
            retry_at = self._opened_at + self._open_for
            wait = (retry_at - self._now()).total_seconds()
            if self._trial_under_way or wait > 0:
                when = "is being tried just now" if self._trial_under_way else f"is tried again at {_clock(retry_at)}"
                raise NocoCircuitOpenError(
                    f"{self._place}: not asked, because it failed repeatedly; it {when}; last failure: {self._cause}",
                    retry_after=max(0.0, wait),
                    retry_at=retry_at,
                )
            self._trial_under_way = True
            self._breaker.half_open()
        self._publish()
        return True

    def _learn(self, error: BaseException | None, *, is_trial: bool) -> None:
        with self._lock:
            if is_trial:
                self._trial_under_way = False
            elif self.state != pybreaker.STATE_CLOSED:
                return  # began before the circuit opened: only the trial decides when it closes
            if _is_outage(error):
                self._cause = str(error)
                with suppress(_OutageError):
                    self._breaker.call(_fail)
            elif error is None or isinstance(error, _REFUSALS):
                self._breaker.call(lambda: None)
            elif is_trial:  # interrupted: nothing was learnt
                self._breaker.open()
        self._publish()

    def _publish(self) -> None:
        """Call the subscribers outside the lock, because a subscriber may be slow."""
        with self._lock:
            changes, self._changes = self._changes, []
        for change in changes:
            for subscriber in self._subscribers:
                try:
                    subscriber(change)
                except Exception:  # noqa: BLE001  a failing subscriber must not break the circuit
                    _log.warning("A subscriber of the circuit of %s failed", self._place, exc_info=True)


def _is_outage(error: BaseException | None) -> bool:
    return isinstance(error, NocoError) and error.retryable


def _fail() -> None:
    raise _OutageError


def _clock(moment: dt.datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"
