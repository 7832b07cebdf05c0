"""Protocols of the LLM tier's stores: answers, the ledger of calls, failures, and open batches.

All workers share one store, so that an answer that one worker paid for is free for every worker. Documents are plain
JSON-like mappings. ``storage`` implements the protocols.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

Document = Mapping[str, Any]


class AnswerCache(Protocol):
    """Answers by the hash of everything that they depend on; safe to share between threads and processes."""

    def get_many(self, keys: Sequence[str]) -> dict[str, Document]:
        """Return the stored answers by key; a key without an answer is absent."""
        ...

    def put(self, key: str, document: Document, *, replace: bool = False) -> Document:
        """Store an answer, and return the stored one: without ``replace``, the first answer put under the key."""
        ...


class CallLedger(Protocol):
    """Every call, as rows of ``LLM_CALLS``."""

    def record_calls(self, calls: Sequence[Document]) -> None:
        """Append calls; a call whose ``call_id`` is stored already stays unchanged."""
        ...

    def calls(self, day: dt.date) -> list[dict[str, Any]]:
        """Return the calls about the conversations of a day."""
        ...

    def count_calls(self, day: dt.date) -> int:
        """Return the number of calls about the conversations of a day."""
        ...


class FailureBook(Protocol):
    """Conversations without labels and messages without translations, each kind as rows of its table."""

    def replace_failures(self, table: str, day: dt.date, failures: Sequence[Document]) -> None:
        """Replace the day's failures of a table."""
        ...

    def failures(self, table: str, day: dt.date) -> list[dict[str, Any]]:
        """Return the day's failures of a table."""
        ...


class BatchBook(Protocol):
    """Batches that are not collected yet, by the mark that the platform gave them."""

    def put_batch(self, mark: str, document: Document) -> None:
        """Store a batch under its mark; a batch stored under the same mark is replaced."""
        ...

    def batches(self) -> dict[str, Document]:
        """Return all stored batches by mark."""
        ...

    def drop_batch(self, mark: str) -> None:
        """Delete the batch with this mark, if it is stored."""
        ...


class LlmStore(AnswerCache, CallLedger, FailureBook, BatchBook, Protocol):
    """Store of answers, calls, failures and open batches."""


def moment() -> dt.datetime:
    """Return the current time in UTC, in milliseconds, the precision of every store."""
    now = dt.datetime.now(dt.UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def answer_key(messages: Sequence[Mapping[str, str]], parameters: Mapping[str, object]) -> str:
    """Return the SHA-256 of a question: the messages sent, and every parameter that the answer depends on."""
    content = orjson.dumps([list(messages), parameters], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()
