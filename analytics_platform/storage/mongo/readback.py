"""Reading what is really in a collection, without trust in how it got there.

``MongoStore.read`` gives a partition in its declared form and refuses what does not fit it. Here nothing is refused: a
document that somebody edited has to be told of, not to end the reading.
Belongs here: that reading. Does not belong here: what the documents should be (``storage.agreement``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
from pymongo.collection import Collection as Stored

from analytics_platform.storage.mongo.collections import Collection
from analytics_platform.storage.mongo.documents import BATCH_ROWS, wire_schema


@dataclass(frozen=True)
class Documents:
    """The documents of one partition as they are.

    Attributes:
        table: Those that have the declared fields, in the form of ``documents.wire_table``, in no order.
        misfits: ``_id`` of each document that has other fields, or values that its declaration cannot hold.
    """

    table: pa.Table
    misfits: tuple[str, ...]


def read_documents(stored: Stored[Any], collection: Collection, key: str) -> Documents:
    """Read every document of a partition."""
    schema = wire_schema(collection.table)
    found = iter(stored.find(collection.scope(key), batch_size=BATCH_ROWS))
    batches: list[pa.RecordBatch] = []
    misfits: list[str] = []
    while batch := list(islice(found, BATCH_ROWS)):
        batches.append(_fitting(batch, schema, misfits))
    return Documents(pa.Table.from_batches(batches, schema=schema), tuple(misfits))


def stored_dates(stored: Stored[Any], collection: Collection) -> tuple[list[str], list[Any]]:
    """Return the days that documents are of, ascending, and the ``_id`` of each whose date is no day."""
    field = collection.partition
    if field is None:
        return [], []
    days: list[str] = []
    strays: list[Any] = []
    for group in stored.aggregate([{"$match": dict(collection.fixed)}, {"$group": {"_id": f"${field}"}}]):
        value = group["_id"]
        if isinstance(value, dt.datetime) and value.time() == dt.time():
            days.append(value.date().isoformat())
        else:
            strays += [found["_id"] for found in stored.find({field: value, **collection.fixed}, {"_id": 1})]
    return sorted(days), sorted(strays, key=str)


def _fitting(batch: Sequence[Mapping[str, Any]], schema: pa.Schema, misfits: list[str]) -> pa.RecordBatch:
    """Return the documents that fit the schema; add the ``_id`` of the others to ``misfits``."""
    names = set(schema.names)
    good = [document for document in batch if document.keys() == names]
    try:
        table = pa.RecordBatch.from_pylist(good, schema=schema)
    except (pa.ArrowException, TypeError, ValueError):
        good = [document for document in good if _fits(document, schema)]
        table = pa.RecordBatch.from_pylist(good, schema=schema)
    if len(good) < len(batch):
        kept = {id(document) for document in good}
        misfits += [str(document["_id"]) for document in batch if id(document) not in kept]
    return table


def _fits(document: Mapping[str, Any], schema: pa.Schema) -> bool:
    try:
        pa.RecordBatch.from_pylist([document], schema=schema)
    except (pa.ArrowException, TypeError, ValueError):
        return False
    return True
