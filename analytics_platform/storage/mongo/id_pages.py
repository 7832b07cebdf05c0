"""Ranges of ``_id`` that divide a partition into pages of bounded size.

A server need not stop at a ``limit``: the embedded server collects and decodes every document that the index selects
before it sorts and cuts. Each page by "the next thousand after this ``_id``" therefore costs the rest of the partition.
A range with two ends, on an index of the partition's fields and ``_id``, costs only its own documents on every
server. The ends are known before the first read: from the rows to write or to expect, and from the ledger, which
records the ends of the written pages.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pymongo
from bson import Binary, MaxKey, MinKey, ObjectId, Timestamp
from pymongo.database import Database

PAGE_ROWS = 1_000
"""Most documents of one page; they take 0.1 s and about 10 MB on the embedded server."""

PAGE_BYTES = 8 * 1024 * 1024
"""Largest estimated size of one page; a larger document is a page of its own."""

_NO_TIMES: tuple[Any, ...] = (
    None,
    MinKey(),
    MaxKey(),
    float("nan"),
    {"$gte": float("-inf"), "$lte": float("inf")},
    {"$gte": ""},
    {"$gte": Binary(b"")},
    {"$gte": ObjectId("0" * 24)},
    {"$gte": False},
    {"$gte": Timestamp(0, 0)},
)
"""One filter per BSON type: a comparison such as ``$gte`` selects only values of its operand's type."""


@dataclass(frozen=True)
class IdRange:
    """Documents whose ``_id`` is a string greater than ``after`` and at most ``upto``; None means no bound.

    The range without bounds contains every document, whatever the type of its ``_id``.
    """

    after: str | None = None
    upto: str | None = None

    def within(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """Return the filter for this range of a partition; ``scope`` is the filter of the whole partition."""
        bounds = {"$gt": self.after, "$lte": self.upto}
        chosen = {operator: bound for operator, bound in bounds.items() if bound is not None}
        return {**scope, "_id": chosen} if chosen else dict(scope)


def id_ranges(ends: Iterable[str]) -> list[IdRange]:
    """Return the ascending ranges between ``ends``; one range without bounds when ``ends`` is empty."""
    bounds: list[str | None] = [None, *sorted(set(ends)), None]
    return [IdRange(after, upto) for after, upto in pairwise(bounds)]


def page_ends(table: pa.Table) -> list[str]:
    """Return the last ``_id`` of each page but the last page, ascending; empty when all rows fit one page.

    Args:
        table: Rows with a column ``_id``, ascending by ``_id``.
    """
    sizes = _row_bytes(table)
    if table.num_rows <= PAGE_ROWS and sizes.sum() <= PAGE_BYTES:
        return []
    total = np.cumsum(sizes)
    ids = table["_id"]
    ends: list[str] = []
    start, before = 0, 0.0
    while True:
        fitting = int(np.searchsorted(total, before + PAGE_BYTES, side="right"))
        stop = max(start + 1, min(fitting, start + PAGE_ROWS))
        if stop >= table.num_rows:
            return ends
        ends.append(ids[stop - 1].as_py())
        start, before = stop, float(total[stop - 1])


def rows_within(table: pa.Table, ids: IdRange | None) -> pa.Table:
    """Return the rows in a range; no rows when the range is None.

    Args:
        table: Rows with a column ``_id``, ascending by ``_id``.
        ids: The range.
    """
    if ids is None:
        return table.slice(0, 0)
    start = 0 if ids.after is None else _count_up_to(table["_id"], ids.after)
    stop = table.num_rows if ids.upto is None else _count_up_to(table["_id"], ids.upto)
    return table.slice(start, stop - start)


def by_id(table: pa.Table) -> pa.Table:
    """Return the rows ascending by the UTF-8 bytes of ``_id``, MongoDB's order of strings."""
    return table.take(pc.sort_indices(table, sort_keys=[("_id", "ascending")]))


def no_strings(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filter of a partition's documents whose ``_id`` is not a string; no bounded `IdRange` contains them.

    The validators refuse such documents, but a client can bypass a validator. The server reads the whole partition to
    answer: the embedded server takes 5 s per 100,000 documents, so the request needs time in proportion.

    Args:
        scope: The filter of the partition.
    """
    return {**scope, "_id": {"$not": {"$type": "string"}}}


@contextmanager
def time_for_pages(database: Database[Any], pages: int) -> Iterator[None]:
    """Allow the requests of the block the timeout of several pages; an outer timeout that ends earlier still applies.

    Args:
        database: The timeout of its client is the time for one page; a client without a timeout gets none here.
        pages: Number of pages that the request covers.
    """
    seconds = database.client.options.timeout
    with pymongo.timeout(None if seconds is None else seconds * pages):
        yield


def no_times(scope: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    """Return filters of the documents whose ``field`` is not a time; each filter is a range of an index on ``field``.

    A single negated filter would read the whole collection. Embedded documents, arrays, regular expressions and code
    have no such range, so documents with these values are not found.

    Args:
        scope: Filter of the documents to search, without ``field``; the index begins with its fields and ``field``.
        field: The date field of the partition.
    """
    return [{**scope, field: wanted} for wanted in _NO_TIMES]


def _count_up_to(ids: pa.ChunkedArray, end: str) -> int:
    """Return how many of the ascending ``ids`` are less than or equal to ``end``."""
    return bisect_right(range(len(ids)), end.encode(), key=lambda place: ids[place].as_py().encode())


def _row_bytes(table: pa.Table) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the approximate bytes of each row, shape (rows,): exact for strings, the column's mean for other types."""
    sizes = np.zeros(table.num_rows)
    for column in table.columns:
        if pa.types.is_string(column.type):
            sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy()
        elif table.num_rows:
            sizes += column.nbytes / table.num_rows
    return sizes
