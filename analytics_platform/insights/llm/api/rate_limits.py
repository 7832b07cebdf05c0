"""Rate limits and budget: requests at once, requests and tokens per minute, and the cost of a run.

All objects belong to one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiolimiter import AsyncLimiter

from analytics_platform.insights.llm.api.prices import Price, Usage

_BURST_SHARE = 0.1


class BudgetSpentError(RuntimeError):
    """The budget does not cover the next call; the message states the amount spent."""


def burst_and_period(per_minute: int) -> tuple[float, float]:
    """Return size and drain time in seconds of a leaky bucket that lets at most ``per_minute`` pass in any minute.

    A bucket as large as the whole minute would let twice as much pass in the first minute.
    """
    burst = max(1.0, per_minute * _BURST_SHARE)
    per_second = max(per_minute - burst, per_minute / 2) / 60
    return burst, burst / per_second


def _limiter(per_minute: int | None) -> AsyncLimiter | None:
    return AsyncLimiter(*burst_and_period(per_minute)) if per_minute else None


class RateLimiter:
    """Delays requests to keep the rate limits.

    Args:
        concurrency: Questions in progress at once, including waits between their attempts: a failing endpoint gets
            fewer requests, and started questions finish before new ones start.
        requests_per_minute: Most requests per minute; None for no limit.
        tokens_per_minute: Most tokens per minute; None for no limit.
    """

    def __init__(self, concurrency: int, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self.slots = asyncio.Semaphore(concurrency)
        self._requests = _limiter(requests_per_minute)
        self._tokens = _limiter(tokens_per_minute)
        self._not_before = 0.0

    async def wait(self, tokens: int) -> None:
        """Wait until a request of about ``tokens`` tokens may be sent."""
        if self._requests:
            await self._requests.acquire()
        if self._tokens:
            left = float(tokens)
            while left > 0:  # a request may be larger than what may be sent in a burst
                part = min(left, self._tokens.max_rate)
                await self._tokens.acquire(part)
                left -= part
        clock = asyncio.get_running_loop()
        while (seconds := self._not_before - clock.time()) > 0:
            await asyncio.sleep(seconds)

    def pause(self, seconds: float) -> None:
        """Delay all requests by at least ``seconds``, because ``Retry-After`` applies to the whole client."""
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)


@dataclass
class Amount:
    """A cost in US dollars and in tokens."""

    usd: float = 0.0
    tokens: int = 0

    @classmethod
    def of(cls, usage: Usage, price: Price | None) -> Amount:
        """Return the cost of a call."""
        return cls(price.cost(usage) if price else 0.0, usage.total)

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.usd + other.usd, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.usd - other.usd, self.tokens - other.tokens)

    def __str__(self) -> str:
        return f"${self.usd:.4f} and {self.tokens:,} tokens"


class BudgetReservation:
    """A part of the budget reserved for one call.

    Attributes:
        held: Reserved amount.
        used: Amount that the call cost; set before the call ends.
        is_reported: Whether the endpoint reported the amount; otherwise the ledger has no tokens for the call.
    """

    def __init__(self, held: Amount) -> None:
        self.held = held
        self.used = Amount()
        self.is_reported = True


class Budget:
    """The budget of a run. Each call reserves its highest possible cost, and returns the unused part.

    The limit is as exact as the estimate of a question's tokens; the endpoint bounds the answer's tokens.

    Args:
        usd: Limit in US dollars; None for no limit.
        tokens: Limit in tokens; None for no limit.
    """

    def __init__(self, usd: float | None, tokens: int | None) -> None:
        self._limit_usd = float("inf") if usd is None else usd
        self._limit_tokens = float("inf") if tokens is None else tokens
        self._held = Amount()
        self._changed = asyncio.Condition()
        self._is_spent = False
        self.spent = Amount()
        self._unreported = Amount()

    def __str__(self) -> str:
        """Return the amount spent, and the part of it that the ledger does not contain."""
        if not self._unreported.tokens:
            return f"{self.spent} used"
        return f"{self.spent} used, {self._unreported} of that set aside for calls whose cost nobody reported"

    @asynccontextmanager
    async def hold(self, most: Amount) -> AsyncIterator[BudgetReservation]:
        """Reserve ``most`` during a call; wait while calls in progress may return enough of their reservations.

        Raises:
            BudgetSpentError: If the budget does not cover the call; every later call of the run then fails, too.
        """
        async with self._changed:
            while not self._is_spent and not self._covers(self.spent + self._held + most):
                if not self._held.tokens:
                    self._is_spent = True
                    self._changed.notify_all()
                    break
                await self._changed.wait()
            if self._is_spent:
                raise BudgetSpentError(f"the budget of the run does not cover another call: {self}")
            self._held += most
        hold = BudgetReservation(most)
        try:
            yield hold
        finally:
            async with self._changed:
                self._held -= most
                self.spent += hold.used
                if not hold.is_reported:
                    self._unreported += hold.used
                self._changed.notify_all()

    def covers(self, amount: Amount) -> bool:
        """Return whether ``amount`` can be reserved now."""
        return not self._is_spent and self._covers(self.spent + self._held + amount)

    def _covers(self, amount: Amount) -> bool:
        return amount.usd <= self._limit_usd + 1e-12 and amount.tokens <= self._limit_tokens
