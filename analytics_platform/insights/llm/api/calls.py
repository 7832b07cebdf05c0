"""The ledger: one row for every request that was sent, kept at once.

Belongs here: making rows. Does not belong here: deciding what came of a call.
"""

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
from analytics_platform.insights.llm.results import Question


@dataclass(frozen=True)
class Ledger:
    """Writes calls to the store, and to the list of who asked.

    Args:
        store: Where all workers' calls are kept.
        model: The model asked.
        prompt_version: The prompt used.
    """

    store: CallLedger
    model: str
    prompt_version: str

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
            "date": question.transcript.date,
            "call_id": call_id or uuid.uuid4().hex,
            "conversation_id": question.transcript.conversation_id,
            "called_at": called_at or moment(),
            "model": self.model,
            "prompt_version": self.prompt_version,
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
        """Keep rows; returns when they are kept."""
        if rows:
            await asyncio.to_thread(self.store.record_calls, rows)


class Stopwatch:
    """When a call began, and how long it took."""

    def __init__(self) -> None:
        self.started_at = moment()
        self._started = time.perf_counter()

    @property
    def milliseconds(self) -> float:
        """Time since then."""
        return round((time.perf_counter() - self._started) * 1000, 1)
