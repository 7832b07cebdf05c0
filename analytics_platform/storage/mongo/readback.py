"""Read the documents that a collection really contains, without relying on their form.

``MongoStore.read`` returns a partition in its declared form and refuses documents that do not fit. The functions here
refuse nothing: a document that somebody edited must be reported, and must not end the reading. ``storage.agreement``
compares the documents with the expected rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
from pymongo.collection import Collection as Stored

from analytics_platform.storage.mongo.collections import Collection
from analytics_platform.storage.mongo.id_pages import IdRange, id_ranges, no_strings, no_times, time_for_pages
from analytics_platform.storage.mongo.wire_documents import BATCH_ROWS, wire_schema

_TICK = dt.timedelta(milliseconds=1)
"""Smallest difference between two BSON times."""

_FIRST_TIME = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class StoredPage:
    """The stored documents of one page of a partition.

    Attributes:
        ids: The page's range of ``_id``; None for the page of documents whose ``_id`` is not a string.
        table: Documents with the declared fields, in the form of ``wire_documents.wire_table``, in no order.
        misfits: ``_id`` of each document that has other fields, or values that its declaration cannot hold.
    """

    ids: IdRange | None
    table: pa.Table
    misfits: tuple[str, ...]


def read_pages(stored: Stored[Any], collection: Collection, key: str, ends: Iterable[str]) -> Iterator[StoredPage]:
    """Yield every document of a partition, page by page, ascending by ``_id``; no document is in two pages.

    Args:
        stored: The collection in the database.
        collection: The collection's declaration.
        key: The partition.
        ends: The last ``_id`` of each page but the last page; see ``id_pages``.
    """
    scope = collection.scope(key)
    ranges = id_ranges(ends)
    for one in ranges:
        yield _page(stored, collection, one, [one.within(scope)])
    if len(ranges) > 1:
        with time_for_pages(stored.database, len(ranges)):
            foreign = _page(stored, collection, None, [no_strings(scope)])
        yield foreign


def read_rows(
    stored: Stored[Any], scope: Mapping[str, Any], ends: Iterable[str], fields: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield some fields of every document of a partition whose ``_id`` is a string, page by page.

    A partition of one page is read without a range of ``_id``, so documents whose ``_id`` is not a string are included.
    """
    for one in id_ranges(ends):
        yield from stored.find(one.within(scope), list(fields), batch_size=BATCH_ROWS)


def stored_dates(stored: Stored[Any], collection: Collection, skipped: Iterable[str]) -> tuple[list[str], list[Any]]:
    """Return the documents' days that are not in ``known``, ascending, and the ``_id`` of each document without a day.

    The queries cover only the gaps between the known days, by ranges of an index: grouping a whole collection by its
    date takes the embedded server 4 s per 100,000 documents.

    Args:
        stored: The collection in the database.
        collection: The collection's declaration.
        skipped: Days to skip.
    """
    field = collection.partition
    if field is None:
        return [], []
    days: set[str] = set()
    strays: list[Any] = []
    between = [{**collection.fixed, field: bounds} for bounds in _gaps(sorted(skipped))]
    for wanted in [*between, *no_times(collection.fixed, field)]:
        for found in stored.find(wanted, {field: 1}, batch_size=BATCH_ROWS):
            value = found.get(field)
            if isinstance(value, dt.datetime) and value.time() == dt.time():
                days.add(value.date().isoformat())
            else:
                strays.append(found["_id"])
    return sorted(days), sorted(strays, key=str)


def _gaps(days: Sequence[str]) -> Iterator[dict[str, dt.datetime]]:
    """Yield the bounds of the gaps between the midnights of the ascending days, from the first to the last time."""
    after: dict[str, dt.datetime] = {}
    for day in days:
        midnight = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC)
        yield {**after, "$lt": midnight}
        after = {"$gte": midnight + _TICK}
    yield after or {"$gte": _FIRST_TIME}


def _page(
    stored: Stored[Any], collection: Collection, ids: IdRange | None, filters: Sequence[Mapping[str, Any]]
) -> StoredPage:
    schema = wire_schema(collection.table)
    batches: list[pa.RecordBatch] = []
    misfits: list[str] = []
    for wanted in filters:
        found = iter(stored.find(wanted, batch_size=BATCH_ROWS))
        while batch := list(islice(found, BATCH_ROWS)):
            batches.append(_fitting(batch, schema, misfits))
    return StoredPage(ids, pa.Table.from_batches(batches, schema=schema), tuple(misfits))


def _fitting(batch: Sequence[Mapping[str, Any]], schema: pa.Schema, misfits: list[str]) -> pa.RecordBatch:
    """Return the documents that fit the schema; add the ``_id`` of each other document to ``misfits``."""
    names = set(schema.names)
    good = [one for one in batch if one.keys() == names and _is_typed(one)]
    try:
        table = pa.RecordBatch.from_pylist(good, schema=schema)
    except (pa.ArrowException, TypeError, ValueError):
        good = [document for document in good if _fits(document, schema)]
        table = pa.RecordBatch.from_pylist(good, schema=schema)
    if len(good) < len(batch):
        kept = {id(document) for document in good}
        misfits += [str(document["_id"]) for document in batch if id(document) not in kept]
    return table


def _is_typed(document: Mapping[str, Any]) -> bool:
    """Tell whether a document has a string ``_id`` and no bytes; Arrow would read bytes as text."""
    return type(document["_id"]) is str and not any(isinstance(value, bytes) for value in document.values())


def _fits(document: Mapping[str, Any], schema: pa.Schema) -> bool:
    try:
        pa.RecordBatch.from_pylist([document], schema=schema)
    except (pa.ArrowException, TypeError, ValueError):
        return False
    return True
