"""The documents that no run can compute again: corrections by people, and what an LLM was paid for.

They leave the database as lines of MongoDB Extended JSON, which ``mongoimport`` reads, and come back by a merge that
loses no newer document. ``llm_failures`` is not among them: a run makes it again from the answers, and asks nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads
from pymongo import InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from analytics_platform.storage.mongo.collections import LABEL_FEEDBACK
from analytics_platform.storage.mongo.mongo_llm_store import ANSWERS, BATCHES, CALLS
from analytics_platform.storage.mongo.mongo_store import MongoStore

Document = Mapping[str, Any]
Rank = tuple[bool, dt.datetime]
"""How much a document counts beside another of the same ``_id``; the greater one wins."""

DOCUMENTS_AT_ONCE = 1000
BYTES_AT_ONCE = 8 * 1024 * 1024
"""Bounds of what a restore holds in memory; a single document may be as large as MongoDB allows, 16 MB."""
_LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)
_DUPLICATE_KEY, _VALIDATION_FAILED = 11000, 121
_READ = CANONICAL_JSON_OPTIONS.with_options(tz_aware=True, tzinfo=dt.UTC)


@dataclass(frozen=True)
class IrreplaceableCollection:
    """A collection whose documents cannot be computed again.

    Attributes:
        name: Name of the collection.
        rank: Which of two documents of one ``_id`` is the newer one; of equal rank, the database's own stays.
    """

    name: str
    rank: Callable[[Document], Rank]


@dataclass
class Merge:
    """What a merge did with the documents of a backup.

    Attributes:
        added: Documents that the database did not have.
        replaced: Documents that took the place of an older one of the same ``_id``.
        equal: Documents that the database has already, the same in every field.
        kept: Documents left out because the database has a newer one of the same ``_id``, or another one as old.
        settled: Open batches left out because every answer of theirs is there.
        refused: ``_id`` of each document that the collection's validator refuses.
    """

    added: int = 0
    replaced: int = 0
    equal: int = 0
    kept: int = 0
    settled: int = 0
    refused: list[str] = field(default_factory=list)


def _time(document: Document, name: str) -> dt.datetime:
    value = document.get(name)
    return value if isinstance(value, dt.datetime) else _LONG_AGO


IRREPLACEABLE: tuple[IrreplaceableCollection, ...] = (
    IrreplaceableCollection(LABEL_FEEDBACK.name, lambda document: (True, _time(document, "corrected_at"))),
    # An answer counts more than a failure that was kept in its place, whatever their times.
    IrreplaceableCollection(ANSWERS, lambda document: ("labels" in document, _time(document, "kept_at"))),
    IrreplaceableCollection(CALLS, lambda _: (True, _LONG_AGO)),  # a call is never rewritten
    # A batch that was submitted counts more than the note, of before, that it is about to be.
    IrreplaceableCollection(
        BATCHES, lambda document: (document.get("batch_id") is not None, _time(document, "begun_at"))
    ),
)
"""In the order in which they are to be restored: which batches are still open, the answers tell."""


def export_lines(mongo: MongoStore, name: str) -> Iterator[bytes]:
    """Yield each document of a collection as a line of canonical Extended JSON, line end included."""
    with mongo.lend(name) as collection, collection.find({}) as documents:
        for document in documents:
            yield _text(document).encode() + b"\n"


def merge_lines(
    mongo: MongoStore, collection: IrreplaceableCollection, lines: Iterable[bytes], *, replace: bool = False
) -> Merge:
    """Bring exported documents into a collection; documents of the database that were not exported stay.

    Args:
        mongo: The database.
        collection: The collection.
        lines: What ``export_lines`` gave.
        replace: Let exported documents win over every other one of the same ``_id``, newer ones included.

    Raises:
        MongoStoreError: If the server cannot be reached or refuses the writes.
        ValueError: If a line is no Extended JSON.
    """
    merge = Merge()
    for chunk in _chunks(lines):
        documents = {
            _text(document["_id"]): document for document in (loads(line, json_options=_READ) for line in chunk)
        }
        if collection.name == BATCHES:
            is_open = {key: _has_unanswered(mongo, document) for key, document in documents.items()}
            merge.settled += len(documents) - sum(is_open.values())
            documents = {key: document for key, document in documents.items() if is_open[key]}
        _merge_chunk(mongo, collection, documents, merge, replace=replace)
    return merge


def _merge_chunk(
    mongo: MongoStore,
    collection: IrreplaceableCollection,
    documents: Mapping[str, dict[str, Any]],
    merge: Merge,
    *,
    replace: bool,
) -> None:
    with mongo.lend(collection.name) as target:
        wanted = {"_id": {"$in": [document["_id"] for document in documents.values()]}}
        present = {_text(document["_id"]): document for document in target.find(wanted)}
        writes: list[tuple[str, dict[str, Any]]] = []
        counts: Counter[str] = Counter()
        for key, document in documents.items():
            decision = _decide(collection, document, present.get(key), replace=replace)
            counts[decision] += 1
            if decision in ("added", "replaced"):
                writes.append((decision, document))
        for problem in _write(target, writes):
            decision, document = writes[problem["index"]]
            counts[decision] -= 1
            if problem["code"] == _DUPLICATE_KEY:  # another process wrote it meanwhile: that one is newer
                counts["kept"] += 1
            else:
                merge.refused.append(str(document["_id"]))
    for name, count in counts.items():
        setattr(merge, name, getattr(merge, name) + count)


def _decide(
    collection: IrreplaceableCollection, document: Document, present: Document | None, *, replace: bool
) -> Literal["added", "equal", "replaced", "kept"]:
    """Return what becomes of an exported document, named as ``Merge`` counts it."""
    if present is None:
        return "added"
    if _text(present) == _text(document):
        return "equal"
    return "replaced" if replace or collection.rank(document) > collection.rank(present) else "kept"


def _write(target: Any, writes: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Write, and return the errors of documents that are there already or that the validator refuses."""
    if not writes:
        return []
    requests = [
        InsertOne(document) if decision == "added" else ReplaceOne({"_id": document["_id"]}, document)
        for decision, document in writes
    ]
    try:
        target.bulk_write(requests, ordered=False)
    except BulkWriteError as error:
        problems: list[dict[str, Any]] = error.details.get("writeErrors") or []
        known = all(problem.get("code") in (_DUPLICATE_KEY, _VALIDATION_FAILED) for problem in problems)
        if not problems or not known or error.details.get("writeConcernErrors"):
            raise
        return problems
    return []


def _has_unanswered(mongo: MongoStore, batch: Document) -> bool:
    """Tell whether a question of a batch has no answer yet; a batch that is settled would only be waited for."""
    asked = list(batch["asked"])
    with mongo.lend(ANSWERS) as answers:
        return bool(answers.count_documents({"_id": {"$in": asked}}) < len(asked))


def _chunks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line)
        if len(chunk) >= DOCUMENTS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _text(value: Any) -> str:
    return dumps(value, json_options=CANONICAL_JSON_OPTIONS)
