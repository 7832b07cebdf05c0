"""The LLM tier's store in MongoDB: an answer that one worker paid for is free for every worker.

The store uses five collections without partitions beside the operational collections. BSON has times in milliseconds
and no dates; the store writes a date as midnight UTC and reads it back as a date.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from analytics_platform.model.tables.llm_tables import LLM_FAILURES
from analytics_platform.model.tables.translation_tables import TRANSLATION_FAILURES
from analytics_platform.storage.mongo.mongo_store import MongoStore

ANSWERS, CALLS, BATCHES = "llm_answers", "llm_calls", "llm_batches"
FAILURES = (LLM_FAILURES.name, TRANSLATION_FAILURES.name)
"""Collections of failures, named like their tables."""
_NAMING = ("conversation_id", "message_id")
"""Fields that tell failures of a day apart; a failure of a whole conversation names no message."""
_KEYS_AT_ONCE = 5000
Document = Mapping[str, Any]


class MongoLlmStore:
    """Answers, calls, failures and open batches in one database; safe to share between threads and processes.

    Args:
        mongo: The database.
    """

    def __init__(self, mongo: MongoStore) -> None:
        self._mongo = mongo
        self._lock = threading.Lock()
        self._indexed = False

    def get_many(self, keys: Sequence[str]) -> dict[str, Document]:
        """Return the stored answers by key; a key without an answer is absent."""
        found: dict[str, Document] = {}
        with self._collection(ANSWERS) as answers:
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                wanted = {"_id": {"$in": list(keys[start : start + _KEYS_AT_ONCE])}}
                found |= {document.pop("_id"): document for document in answers.find(wanted)}
        return found

    def put(self, key: str, document: Document, *, replace: bool = False) -> Document:
        """Store an answer and return the stored one: without ``replace``, the first answer put under the key."""
        with self._collection(ANSWERS) as answers:
            if replace:
                answers.replace_one({"_id": key}, dict(document), upsert=True)
                return document
            try:
                answers.insert_one({"_id": key, **document})
            except DuplicateKeyError:
                return _without_id(answers.find_one({"_id": key}) or document)
        return document

    def record_calls(self, calls: Sequence[Document]) -> None:
        """Append calls to ``llm_calls``; a call that is stored already stays unchanged."""
        writes = [
            UpdateOne({"_id": call["call_id"]}, {"$setOnInsert": _with_time(call)}, upsert=True) for call in calls
        ]
        if writes:
            with self._collection(CALLS) as collection:
                collection.bulk_write(writes, ordered=False)

    def calls(self, day: dt.date) -> list[dict[str, Any]]:
        """Return the calls about the conversations of a day."""
        with self._collection(CALLS) as collection:
            return [_with_date(document) for document in collection.find({"date": _midnight(day)})]

    def count_calls(self, day: dt.date) -> int:
        """Return the number of calls about the conversations of a day."""
        with self._collection(CALLS) as collection:
            return int(collection.count_documents({"date": _midnight(day)}))

    def replace_failures(self, table: str, day: dt.date, failures: Sequence[Document]) -> None:
        """Replace the day's documents in a collection of failures."""
        documents = [{**_with_time(failure), "_id": _failure_id(failure)} for failure in failures]
        with self._collection(table) as collection:
            collection.delete_many({"date": _midnight(day)})
            if documents:
                collection.insert_many(documents)

    def failures(self, table: str, day: dt.date) -> list[dict[str, Any]]:
        """Return the day's documents in a collection of failures."""
        with self._collection(table) as collection:
            return [_with_date(document) for document in collection.find({"date": _midnight(day)})]

    def put_batch(self, mark: str, document: Document) -> None:
        """Store a batch under its mark; a batch stored under the same mark is replaced."""
        with self._collection(BATCHES) as collection:
            collection.replace_one({"_id": mark}, dict(document), upsert=True)

    def batches(self) -> dict[str, Document]:
        """Return all stored batches by mark."""
        with self._collection(BATCHES) as collection:
            return {document.pop("_id"): document for document in collection.find({})}

    def drop_batch(self, mark: str) -> None:
        """Delete the batch with this mark, if it is stored."""
        with self._collection(BATCHES) as collection:
            collection.delete_one({"_id": mark})

    @contextmanager
    def _collection(self, name: str) -> Iterator[Collection[Any]]:
        self._ensure_indexes()
        with self._mongo.lend(name) as collection:
            yield collection

    def _ensure_indexes(self) -> None:
        with self._lock:
            if self._indexed:
                return
            for name in (CALLS, *FAILURES):
                with self._mongo.lend(name) as collection:
                    collection.create_index("date")
            self._indexed = True


def _failure_id(failure: Document) -> str:
    return "/".join([str(failure["date"]), *(failure[name] for name in _NAMING if name in failure)])


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _with_time(row: Document) -> dict[str, Any]:
    return {**row, "date": _midnight(row["date"])}


def _with_date(document: dict[str, Any]) -> dict[str, Any]:
    return {**_without_id(document), "date": document["date"].date()}


def _without_id(document: Document) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "_id"}
