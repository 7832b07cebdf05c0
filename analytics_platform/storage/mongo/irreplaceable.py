"""Export and merge of the documents that no run can compute again: corrections by people, and paid LLM results.

The export format is one line of MongoDB Extended JSON per document, which ``mongoimport`` reads. The merge never
replaces a newer document by an older one. ``llm_failures`` and ``translation_failures`` are not exported: a run
computes them from the answers without asking the LLM.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from json import JSONDecodeError
from re import Pattern
from typing import Any, Literal

from bson import encode
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads
from bson.regex import Regex
from pymongo import InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from analytics_platform.storage.mongo.collections import LABEL_FEEDBACK, TOPIC_CURATION
from analytics_platform.storage.mongo.mongo_llm_store import ANSWERS, BATCHES, CALLS
from analytics_platform.storage.mongo.mongo_store import MongoStore
from analytics_platform.system.plain_text import counted

MOST_LEVELS, MOST_BYTES = 100, 16 * 1024 * 1024
"""MongoDB's limits of a document: levels of nested documents and arrays, and bytes of BSON."""

Document = Mapping[str, Any]
Rank = tuple[bool, dt.datetime]
"""Precedence of a document among documents of the same ``_id``; the greatest rank wins."""

DOCUMENTS_AT_ONCE = 1000
BYTES_AT_ONCE = 8 * 1024 * 1024
"""Bounds of the documents that a restore holds in memory; a single document may have 16 MB, MongoDB's limit."""
_LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)
_DUPLICATE_KEY, _VALIDATION_FAILED = 11000, 121
_READ = CANONICAL_JSON_OPTIONS.with_options(tz_aware=True, tzinfo=dt.UTC)


class ExportedLineError(ValueError):
    """A line of a backup is not a document that a restore can store."""


@dataclass(frozen=True)
class IrreplaceableCollection:
    """A collection whose documents cannot be computed again.

    Attributes:
        name: Name of the collection.
        rank: Rank of a document; among two documents of one ``_id`` the greater rank wins, and of two equal ranks the
            database's document stays.
    """

    name: str
    rank: Callable[[Document], Rank]


@dataclass
class Merge:
    """Counts of a merge's decisions about the documents of a backup.

    Attributes:
        added: Documents that the database did not have.
        replaced: Documents that replaced an older document of the same ``_id``.
        equal: Documents that the database has already, with equal fields.
        kept: Documents left out because the database's document of the same ``_id`` has the same or a greater rank.
        settled: Open batches left out because the database has an answer to each of their questions.
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
    IrreplaceableCollection(TOPIC_CURATION.name, lambda document: (True, _time(document, "changed_at"))),
    # An answer ranks above a failure stored under the same key, whatever their times.
    IrreplaceableCollection(ANSWERS, lambda document: ("failure" not in document, _time(document, "kept_at"))),
    IrreplaceableCollection(CALLS, lambda _: (True, _LONG_AGO)),  # a call is never rewritten
    # A submitted batch ranks above the earlier note that the batch is about to be submitted.
    IrreplaceableCollection(
        BATCHES, lambda document: (document.get("batch_id") is not None, _time(document, "begun_at"))
    ),
)
"""Collections in the order of a restore: answers before batches, because the answers show which batches are open."""


def export_lines(mongo: MongoStore, name: str) -> Iterator[bytes]:
    """Yield each document of a collection as a line of canonical Extended JSON, including the line end."""
    with mongo.lend(name) as collection, collection.find({}) as documents:
        for document in documents:
            yield _text(document).encode() + b"\n"


def as_lines(documents: Iterable[Document]) -> Iterator[bytes]:
    """Yield documents of any place in the form of ``export_lines``."""
    for document in documents:
        yield _text(document).encode() + b"\n"


def merge_lines(
    mongo: MongoStore, collection: IrreplaceableCollection, lines: Iterable[bytes], *, replace: bool = False
) -> Merge:
    """Merge exported documents into a collection; other documents of the database stay.

    Args:
        mongo: The database.
        collection: The collection.
        lines: Lines as ``export_lines`` yields them.
        replace: Whether an exported document replaces the database's document of the same ``_id`` even if that is
            newer.

    Returns:
        Counts of added, replaced and left-out documents.

    Raises:
        MongoStoreError: If the server cannot be reached or refuses the writes.
        ExportedLineError: If a line is not a document of the collection.
    """
    merge = Merge()
    for chunk in _chunks(lines):
        documents = {id_text(document): document for document in (read_line(collection, line) for line in chunk)}
        if collection.name == BATCHES:
            is_open = {key: _has_unanswered(mongo, document) for key, document in documents.items()}
            merge.settled += len(documents) - sum(is_open.values())
            documents = {key: document for key, document in documents.items() if is_open[key]}
        _merge_chunk(mongo, collection, documents, merge, replace=replace)
    return merge


def read_line(collection: IrreplaceableCollection, line: bytes) -> dict[str, Any]:
    """Return the document of an exported line after checking that MongoDB can store it.

    Raises:
        ExportedLineError: If the line is no document of the collection. The message quotes nothing of the line, which
            may hold personal data.
    """
    try:
        document = loads(line.decode(), json_options=_READ)
        size = len(encode(document)) if isinstance(document, dict) else 0  # also raises for what BSON cannot store
    except JSONDecodeError as error:
        raise ExportedLineError(f"no JSON: {error.msg.lower()} at character {error.pos + 1:,}") from None
    except UnicodeDecodeError as error:
        raise ExportedLineError(f"no UTF-8 at byte {error.start + 1:,}") from None
    except RecursionError:
        raise ExportedLineError("nested too deeply") from None
    except Exception as error:  # noqa: BLE001  # json_util raises errors of any kind on a wrong value
        raise ExportedLineError(f"no MongoDB Extended JSON ({type(error).__name__})") from None
    if not isinstance(document, dict):
        raise ExportedLineError("no document, but another JSON value")
    if size > MOST_BYTES:
        raise ExportedLineError(f"{counted(size, 'byte')}, and MongoDB stores {MOST_BYTES:,}")
    if fault := _fault(collection, document):
        raise ExportedLineError(fault)
    return document


def _fault(collection: IrreplaceableCollection, document: Document) -> str | None:
    """Return why a server or a restore would refuse a decoded document; None for a good one."""
    if "_id" not in document:
        return "a document without _id"
    if isinstance(document["_id"], list | Pattern | Regex) or _has_operator(document["_id"]):
        return "its _id is of a type that MongoDB does not take"
    if _has_operator(document):
        return "a field's name begins with $"
    if collection.name == BATCHES and not isinstance(document.get("asked"), Mapping):
        return "a batch without its questions (the field asked)"
    if not _is_nested_within(document, MOST_LEVELS):
        return f"nested deeper than MongoDB's {MOST_LEVELS} levels"
    return None


def _has_operator(value: Any) -> bool:
    return isinstance(value, Mapping) and any(name.startswith("$") for name in value)


def _is_nested_within(value: Any, levels: int) -> bool:
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(_is_nested_within(item, levels - 1) for item in value)


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
            if problem["code"] == _DUPLICATE_KEY:  # another process wrote a newer document meanwhile
                counts["kept"] += 1
            else:
                merge.refused.append(str(document["_id"]))
    for name, count in counts.items():
        setattr(merge, name, getattr(merge, name) + count)


def _decide(
    collection: IrreplaceableCollection, document: Document, present: Document | None, *, replace: bool
) -> Literal["added", "equal", "replaced", "kept"]:
    """Return the decision about an exported document: the name of a counter of ``Merge``."""
    if present is None:
        return "added"
    if _text(present) == _text(document):
        return "equal"
    return "replaced" if replace or collection.rank(document) > collection.rank(present) else "kept"


def _write(target: Any, writes: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Write documents, and return the errors of those that exist already or that the validator refuses."""
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
    """Tell whether a question of a batch has no stored answer; a fully answered batch need not be waited for."""
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


def id_text(document: Document) -> str:
    """Return the ``_id`` of a document as Extended JSON, in which ids of different types differ."""
    return _text(document["_id"])


def _text(value: Any) -> str:
    return dumps(value, json_options=CANONICAL_JSON_OPTIONS)
