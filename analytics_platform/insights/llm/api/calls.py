"""The ledger of calls: one row for each request that was sent, stored at once."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from analytics_platform.insights.llm.api.prices import Price, Usage
from analytics_platform.insights.llm.llm_store import CallLedger, moment
from analytics_platform.insights.llm.questions import Question


@dataclass(frozen=True)
class Ledger:
    """Makes ledger rows and stores them.

    Args:
        store: Store of the calls of all workers.
        model: The model of the calls.
    """

    store: CallLedger
    model: str

    def row(
        self,
        question: Question,
        *,
        number: int,
        status: str,
        usage: Usage | None,
        price: Price | None,
        error: str | None,
        attempt: int = 1,
        mode: Literal["realtime", "batch"] = "realtime",
        call_id: str | None = None,
        called_at: dt.datetime | None = None,
        latency_ms: float | None = None,
    ) -> dict[str, Any]:
        """Return a row of ``LLM_CALLS``."""
        return {
            "date": question.date,
            "call_id": call_id or uuid.uuid4().hex,
            "conversation_id": question.conversation_id,
            "called_at": called_at or moment(),
            "model": self.model,
            "prompt_version": question.kind.prompt.version,
            "mode": mode,
            "question": number,
            "attempt": attempt,
            "status": status,
            "input_tokens": usage.input_tokens if usage else None,
            "cached_tokens": usage.cached_tokens if usage else None,
            "output_tokens": usage.output_tokens if usage else None,
            "cost_usd": price.cost(usage) if usage and price else None,
            "latency_ms": latency_ms,
            "error": error,
        }

    async def record(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store rows; returns when they are stored."""
        if rows:
            await asyncio.to_thread(self.store.record_calls, rows)


class Stopwatch:
    """Start time and duration of a call."""

    def __init__(self) -> None:
        self.started_at = moment()
        self._started = time.perf_counter()

    @property
    def milliseconds(self) -> float:
        """Time since the start, in ms."""
        return round((time.perf_counter() - self._started) * 1000, 1)
