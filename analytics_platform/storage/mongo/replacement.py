"""How the documents of a partition are replaced, so that whoever reads meanwhile sees each once and never none.

* Where the server has transactions, and the partition has at most ``TRANSACTION_ROWS`` rows before and after (a
  transaction may take 60 s by default): documents and ledger entry change in one transaction. Readers see the old state
  or the new.
* Otherwise in order: the ledger entry goes; page by page, new documents are written over old ones by ``_id`` and
  documents no longer wanted go; the ledger entry comes back. Killed in between, the partition counts as not stored and
  is written again.

What is stored is read, compared and replaced by pages (``paging``), so memory is that of one page's documents, and each
request has its timeout for itself. The ledger entry keeps where the pages end, for whoever reads the partition.

Documents that are already there, byte for byte, are not sent again. A conversation that moved to another day keeps its
``_id``: writing the new day moves it, and writing the old day deletes only documents that still have the old date.

Belongs here: this sequence of requests. Does not belong here: connecting, checking, or translating errors (``store``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, MongoClient, ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection as DriverCollection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure

from analytics_platform.storage.mongo.collections import Collection
from analytics_platform.storage.mongo.id_pages import by_id, id_ranges, of_other_types, page_ends, rows_within
from analytics_platform.storage.mongo.migrations import LEDGER
from analytics_platform.storage.mongo.wire_documents import BATCH_ROWS, encoded, wire_table

TRANSACTION_ROWS = 5_000
"""Rows of the largest partition written in one transaction: 10 s on the embedded server, far less on a mongod."""

TRANSACTION_BYTES = 64 * 1024 * 1024
"""Size of the largest partition written in one transaction: the server holds it all until the end."""

PAGE_ENDS = "page_ends"
"""Field of a ledger entry: the ``_id``s after which the partition's pages end."""

_DUPLICATE_KEY = 11000
_NO_TRANSACTIONS = frozenset({20, 115, 263})
"""IllegalOperation (a standalone mongod), CommandNotSupported, OperationNotSupportedInTransaction."""

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


class TooMuchForTransactionError(Exception):
    """What is stored, or what replaces it, is too much to change in one transaction."""


@dataclass(frozen=True)
class Replacement:
    """One partition on its way into its collection.

    Args:
        database: Where it goes.
        collection: The collection.
        key: The partition.
        table: All its rows.
        kept: What the ledger keeps of it, besides its size.
    """

    database: Database[Any]
    collection: Collection
    key: str
    table: pa.Table
    kept: Mapping[str, Any]

    def run(self, client: MongoClient[Any], *, transaction: bool) -> int:
        """Replace the documents and the ledger entry, and return the size of the documents in bytes.

        Args:
            client: The connection of ``database``.
            transaction: Whether to do it at once.

        Raises:
            OperationFailure: For which ``refuses_transactions`` is true where the server has none.
            TooMuchForTransactionError: If a transaction was asked for, and it would be too large. Nothing has changed.
        """
        try:
            return self._attempt(client, transaction=transaction, insert=True)
        except BulkWriteError as error:
            if {problem["code"] for problem in error.details["writeErrors"]} != {_DUPLICATE_KEY}:
                raise
        # A new document is there already: under another day, or another writer was quicker. Replacing bears that, but
        # costs two to three times as much as inserting, so it is not the first try.
        return self._attempt(client, transaction=transaction, insert=False)

    def _attempt(self, client: MongoClient[Any], *, transaction: bool, insert: bool) -> int:
        rows = by_id(wire_table(self.collection.table, self.table))
        ends = page_ends(rows)
        known = stored_page_ends(self.database, self.collection.name, self.key)
        if not transaction:
            self.database[LEDGER].delete_one({"_id": self._entry})
            return self._apply(rows, ends, known, None, insert=insert)
        if rows.num_rows > TRANSACTION_ROWS or rows.nbytes > TRANSACTION_BYTES:
            raise TooMuchForTransactionError
        with client.start_session() as session:
            return session.with_transaction(lambda running: self._apply(rows, ends, known, running, insert=insert))

    def _apply(
        self, rows: pa.Table, ends: list[str], known: list[str], session: ClientSession | None, *, insert: bool
    ) -> int:
        size = self._replace_documents(rows, [*ends, *known], session, insert=insert)
        entry = {"_id": self._entry, "bytes": size, PAGE_ENDS: ends, **self.kept}
        self.database[LEDGER].replace_one({"_id": self._entry}, entry, upsert=True, session=session)
        return size

    def _replace_documents(
        self, rows: pa.Table, ends: Iterable[str], session: ClientSession | None, *, insert: bool
    ) -> int:
        """Replace the documents of every page; ``rows`` are ascending by ``_id``."""
        scope = self.collection.scope(self.key)
        ranges = id_ranges(ends)
        size = 0
        compared = 0
        for one in ranges:
            stored = self._digests([one.within(scope)], session)
            compared += len(stored)
            if session is not None and compared > TRANSACTION_ROWS:
                raise TooMuchForTransactionError
            for batch in encoded(self.collection.table, rows_within(rows, one)):
                size += self._write(batch, stored, session, insert=insert)
            delete_documents(self.database, self.collection.name, scope, list(stored), session)
        if len(ranges) > 1:
            others = self._digests(of_other_types(scope, "_id"), session)
            delete_documents(self.database, self.collection.name, scope, list(others), session)
        return size

    def _digests(self, filters: Iterable[Mapping[str, Any]], session: ClientSession | None) -> dict[Any, bytes]:
        """Return what stands for the content of each stored document, by its ``_id``."""
        target = self._target
        return {
            found["_id"]: _digest(found)
            for wanted in filters
            for found in target.find(wanted, session=session, batch_size=BATCH_ROWS)
        }

    def _write(
        self,
        batch: Sequence[tuple[str, RawBSONDocument]],
        stored: dict[Any, bytes],
        session: ClientSession | None,
        *,
        insert: bool,
    ) -> int:
        """Write the documents of a batch that differ; take every one of them out of ``stored``; return their bytes."""
        new: list[InsertOne[RawBSONDocument]] = []
        requests: list[ReplaceOne[RawBSONDocument]] = []
        for identity, document in batch:
            known = stored.pop(identity, None)
            if known is None and insert:
                new.append(InsertOne(document))
            elif known != _digest(document):
                requests.append(ReplaceOne({"_id": identity}, document, upsert=True))
        # Alone and in order: a document that exists elsewhere ends the transaction, and what the server says of
        # requests after it would have the driver try the same again instead of telling us.
        if new:
            self._target.bulk_write(new, ordered=True, session=session)
        if requests:
            self._target.bulk_write(requests, ordered=False, session=session)
        return sum(len(document.raw) for _, document in batch)

    @property
    def _target(self) -> DriverCollection[RawBSONDocument]:
        return self.database.get_collection(self.collection.name, codec_options=_RAW)

    @property
    def _entry(self) -> str:
        return f"{self.collection.name}/{self.key}"


def stored_page_ends(database: Database[Any], name: str, key: str) -> list[str]:
    """Return the ``_id``s after which the pages of a stored partition end, as the ledger keeps them.

    Empty for a partition of one page, one that is not stored, and one that was written before the ledger kept them.
    """
    entry = database[LEDGER].find_one({"_id": f"{name}/{key}"}, {PAGE_ENDS: 1}) or {}
    return [str(end) for end in entry.get(PAGE_ENDS) or []]


def delete_documents(
    database: Database[Any],
    name: str,
    scope: Mapping[str, Any],
    identities: Sequence[Any],
    session: ClientSession | None = None,
) -> None:
    """Delete documents by ``_id``, but only while they are within ``scope``: one that moved away stays.

    One request each rather than a long ``$in``, which the embedded server matches by scanning.
    """
    for start in range(0, len(identities), BATCH_ROWS):
        requests = [DeleteOne({"_id": identity, **scope}) for identity in identities[start : start + BATCH_ROWS]]
        database[name].bulk_write(requests, ordered=False, session=session)


def refuses_transactions(error: OperationFailure) -> bool:
    """Tell whether a server says by this error that it has no transactions."""
    return error.code in _NO_TRANSACTIONS


def _digest(document: RawBSONDocument) -> bytes:
    """Return a short stand-in for a document's bytes; a whole partition of them is held."""
    return hashlib.blake2b(document.raw, digest_size=16).digest()
