"""How much may be asked at once, within a minute, and in all.

Belongs here: waiting for one's turn, and refusing when the budget is spent. All of it lives on one event loop. Does not
belong here: what is asked.
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
    """The budget does not cover the next call; the message says how much of it is spent."""


def burst_and_period(per_minute: int) -> tuple[float, float]:
    """Return the size of a leaky bucket and the seconds in which it empties, so that no minute sees more than allowed.

    A bucket of the whole minute's size would let twice as much pass in the first minute.
    """
    burst = max(1.0, per_minute * _BURST_SHARE)
    per_second = max(per_minute - burst, per_minute / 2) / 60
    return burst, burst / per_second


def _limiter(per_minute: int | None) -> AsyncLimiter | None:
    return AsyncLimiter(*burst_and_period(per_minute)) if per_minute else None


class RateLimiter:
    """Who may send a request now.

    Args:
        concurrency: Questions under way at once, waits between their attempts included: an endpoint in trouble is
            asked less, and the questions begun are finished before others begin.
        requests_per_minute: Most requests in a minute.
        tokens_per_minute: Most tokens in a minute.
    """

    def __init__(self, concurrency: int, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self.slots = asyncio.Semaphore(concurrency)
        self._requests = _limiter(requests_per_minute)
        self._tokens = _limiter(tokens_per_minute)
        self._not_before = 0.0

    async def wait(self, tokens: int) -> None:
        """Wait for one's turn to send a request of about that many tokens."""
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
        """Let nobody send for a while: an endpoint that says ``Retry-After`` means all of us."""
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)


@dataclass
class Amount:
    """What something costs, in both currencies."""

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
    """A part of the budget set aside for one call.

    Attributes:
        held: What is set aside.
        used: What it came to; to be set before the call is over.
        is_reported: Whether the endpoint said so; otherwise nobody knows, and the ledger has no tokens.
    """

    def __init__(self, held: Amount) -> None:
        self.held = held
        self.used = Amount()
        self.is_reported = True


class Budget:
    """What a run may spend. Each call sets aside the most it can cost, and gives back what it did not use.

    So the limit holds as far as the estimate of a question's tokens does; answers are bounded by the endpoint.

    Args:
        usd: Limit in US dollars.
        tokens: Limit in tokens.
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
        """Say what is spent, and what of it the ledger cannot show."""
        if not self._unreported.tokens:
            return f"{self.spent} used"
        return f"{self.spent} used, {self._unreported} of that set aside for calls whose cost nobody reported"

    @asynccontextmanager
    async def hold(self, most: Amount) -> AsyncIterator[BudgetReservation]:
        """Set ``most`` aside while a call is under way; waits while calls under way may give enough of theirs back.

        Raises:
            BudgetSpentError: If it does not cover the call. It then covers no other: the run is over.
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
        """Return whether ``amount`` can be set aside now."""
        return not self._is_spent and self._covers(self.spent + self._held + amount)

    def _covers(self, amount: Amount) -> bool:
        return amount.usd <= self._limit_usd + 1e-12 and amount.tokens <= self._limit_tokens
