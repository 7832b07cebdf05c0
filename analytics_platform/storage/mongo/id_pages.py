"""Ranges of ``_id`` that cut a partition into pages of a bounded size.

A server need not stop at a ``limit``: the embedded one collects and decodes every document that the index finds before
it sorts and cuts, so each page by "the next thousand after this ``_id``" costs it all that is left of the partition.
A range with both ends, on an index of the partition's fields and ``_id``, costs exactly its own documents on every
server. The ends are known before anything is read: from the rows that are written or expected, and from the ledger,
which records the ends of what was written.
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
"""Documents of one page: 0.1 s and about 10 MB on the embedded server."""

PAGE_BYTES = 8 * 1024 * 1024
"""Size of one page, by an estimate; a larger document is a page of its own."""

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
"""One filter per type: an order of two values holds only among values of one type."""


@dataclass(frozen=True)
class IdRange:
    """The documents whose ``_id`` is a string after ``after`` and up to ``upto``; None is no bound.

    The range without bounds holds every document, whatever the type of its ``_id``.
    """

    after: str | None = None
    upto: str | None = None

    def within(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """Return the filter of this range of a partition; ``scope`` is the filter of the partition."""
        bounds = {"$gt": self.after, "$lte": self.upto}
        chosen = {operator: bound for operator, bound in bounds.items() if bound is not None}
        return {**scope, "_id": chosen} if chosen else dict(scope)


def id_ranges(ends: Iterable[str]) -> list[IdRange]:
    """Return the ranges that ``ends`` cut all strings into, ascending; one range without bounds when there are none."""
    bounds: list[str | None] = [None, *sorted(set(ends)), None]
    return [IdRange(after, upto) for after, upto in pairwise(bounds)]


def page_ends(table: pa.Table) -> list[str]:
    """Return the ``_id``s, ascending, after which a page ends; empty when all rows are one page.

    Args:
        table: Rows with a column ``_id``, ascending by it.
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
    """Return the rows that are in a range; none when there is no range.

    Args:
        table: Rows with a column ``_id``, ascending by it.
        ids: The range.
    """
    if ids is None:
        return table.slice(0, 0)
    start = 0 if ids.after is None else _count_up_to(table["_id"], ids.after)
    stop = table.num_rows if ids.upto is None else _count_up_to(table["_id"], ids.upto)
    return table.slice(start, stop - start)


def by_id(table: pa.Table) -> pa.Table:
    """Return the rows in the order of ``_id``, which is that of its UTF-8 bytes, as for MongoDB."""
    return table.take(pc.sort_indices(table, sort_keys=[("_id", "ascending")]))


def no_strings(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filter of the documents of a partition whose ``_id`` is no string; no `IdRange` with a bound has them.

    The validators refuse such documents; who bypasses a validator writes them all the same. A server answers by walking
    the whole partition: the embedded one takes 5 s per 100,000 documents, so the request needs time in proportion.

    Args:
        scope: The filter of the partition.
    """
    return {**scope, "_id": {"$not": {"$type": "string"}}}


@contextmanager
def time_for_pages(database: Database[Any], pages: int) -> Iterator[None]:
    """Allow the requests of the block the time of several pages; an outer limit that ends earlier holds.

    Args:
        database: Whose client says how much time one page has; without a limit there is none for several.
        pages: How many pages the request is about.
    """
    seconds = database.client.options.timeout
    with pymongo.timeout(None if seconds is None else seconds * pages):
        yield


def no_times(scope: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    """Return filters of the documents whose ``field`` is no time; each is a range of an index that begins with it.

    Here a walk through everything would be one through the whole collection. An embedded document, an array, a regular
    expression and code have no such range, and are not looked for.

    Args:
        scope: Filter of the documents to look at, without ``field``.
        field: The date of a partition.
    """
    return [{**scope, field: wanted} for wanted in _NO_TIMES]


def _count_up_to(ids: pa.ChunkedArray, end: str) -> int:
    """Return how many of the ascending ``ids`` are at most ``end``."""
    return bisect_right(range(len(ids)), end.encode(), key=lambda place: ids[place].as_py().encode())


def _row_bytes(table: pa.Table) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return about how many bytes each row has: its own for strings, the mean for columns of other types."""
    sizes = np.zeros(table.num_rows)
    for column in table.columns:
        if pa.types.is_string(column.type):
            sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy()
        elif table.num_rows:
            sizes += column.nbytes / table.num_rows
    return sizes
