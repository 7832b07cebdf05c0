"""What the tier needs kept: answers, the ledger of calls, failures, open batches; ``storage`` has the stores.

All workers share one store, so that what one has paid for is free for all. Documents are plain JSON-like mappings.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

Document = Mapping[str, Any]


class AnswerCache(Protocol):
    """Answers by the hash of everything they depend on. Safe to use from several threads and processes."""

    def get_many(self, keys: Sequence[str]) -> dict[str, Document]:
        """Return the documents that are there."""
        ...

    def put(self, key: str, document: Document, *, replace: bool = False) -> Document:
        """Keep a document and return the one that is kept: the first to be put wins, unless it is to be replaced."""
        ...


class CallLedger(Protocol):
    """Every call, as rows of ``LLM_CALLS``."""

    def record_calls(self, calls: Sequence[Document]) -> None:
        """Append calls; one whose ``call_id`` is there already is left as it is."""
        ...

    def calls(self, day: dt.date) -> list[dict[str, Any]]:
        """Return the calls about conversations of a day."""
        ...

    def count_calls(self, day: dt.date) -> int:
        """Return how many there are."""
        ...


class FailureBook(Protocol):
    """Conversations without labels, as rows of ``LLM_FAILURES``."""

    def replace_failures(self, day: dt.date, failures: Sequence[Document]) -> None:
        """Replace those of a day."""
        ...

    def failures(self, day: dt.date) -> list[dict[str, Any]]:
        """Return those of a day."""
        ...


class BatchBook(Protocol):
    """Batches that are not yet collected, by a mark of our own."""

    def put_batch(self, mark: str, document: Document) -> None:
        """Remember a batch."""
        ...

    def batches(self) -> dict[str, Document]:
        """Return all by mark."""
        ...

    def drop_batch(self, mark: str) -> None:
        """Forget a batch; nothing happens when it is unknown."""
        ...


class LlmStore(AnswerCache, CallLedger, FailureBook, BatchBook, Protocol):
    """All of it."""


def moment() -> dt.datetime:
    """Return the time, UTC, as exactly as every store keeps it: to the millisecond."""
    now = dt.datetime.now(dt.UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def answer_key(messages: Sequence[Mapping[str, str]], parameters: Mapping[str, object]) -> str:
    """Return the hash of a question: the texts sent, and whatever else the answer depends on."""
    content = orjson.dumps([list(messages), parameters], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()
