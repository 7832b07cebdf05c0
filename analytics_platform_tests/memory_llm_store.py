"""The LLM tier's store in memory, for tests and for trying the tier; forgets when the process ends."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


class MemoryLlmStore:
    """Answers, calls, failures and open batches, for the threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Document] = {}
        self._calls: dict[str, dict[str, Any]] = {}
        self._failures: dict[tuple[str, dt.date], list[dict[str, Any]]] = {}
        self._batches: dict[str, Document] = {}

    def get_many(self, keys: Sequence[str]) -> dict[str, Document]:
        """Return the documents that are there."""
        with self._lock:
            return {key: self._answers[key] for key in keys if key in self._answers}

    def put(self, key: str, document: Document, *, replace: bool = False) -> Document:
        """Keep a document and return the one that is kept."""
        with self._lock:
            if replace:
                self._answers[key] = document
            return self._answers.setdefault(key, document)

    def record_calls(self, calls: Sequence[Document]) -> None:
        """Append calls; one that is there already is left as it is."""
        with self._lock:
            for call in calls:
                self._calls.setdefault(call["call_id"], dict(call))

    def calls(self, day: dt.date) -> list[dict[str, Any]]:
        """Return the calls about conversations of a day."""
        with self._lock:
            return [call for call in self._calls.values() if call["date"] == day]

    def count_calls(self, day: dt.date) -> int:
        """Return how many there are."""
        return len(self.calls(day))

    def replace_failures(self, table: str, day: dt.date, failures: Sequence[Document]) -> None:
        """Replace those of a day."""
        with self._lock:
            self._failures[table, day] = [dict(failure) for failure in failures]

    def failures(self, table: str, day: dt.date) -> list[dict[str, Any]]:
        """Return those of a day."""
        with self._lock:
            return list(self._failures.get((table, day), []))

    def put_batch(self, mark: str, document: Document) -> None:
        """Remember a batch."""
        with self._lock:
            self._batches[mark] = document

    def batches(self) -> dict[str, Document]:
        """Return all by mark."""
        with self._lock:
            return dict(self._batches)

    def drop_batch(self, mark: str) -> None:
        """Forget a batch."""
        with self._lock:
            self._batches.pop(mark, None)
