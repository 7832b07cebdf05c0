"""How the documents of a partition are replaced, so that whoever reads meanwhile sees each once and never none.

* Where the server has transactions, and the partition has at most ``TRANSACTION_ROWS`` rows before and after (a
  transaction may take 60 s by default): documents and ledger entry change in one transaction. Readers see the old state
  or the new.
* Otherwise in order: the ledger entry goes; page by page, new documents are written over old ones by ``_id`` and
  documents no longer wanted go; the ledger entry comes back. Killed in between, the partition counts as not stored and
  is written again. Until then a second entry keeps where its pages end: those of the old documents and of the new.

What is stored is read, compared and replaced by pages (``paging``), so memory is that of one page's documents, and each
request has its timeout for itself. The ledger entry keeps where the pages end, for whoever reads the partition.

Documents no longer wanted go ``DELETED_IDS`` in a request, or a page in a request where a page has none that is wanted:
one request each costs the embedded server five times as long, which waits for the disk after each.

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
from pymongo import DeleteMany, DeleteOne, InsertOne, MongoClient, ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection as DriverCollection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure

from analytics_platform.storage.mongo.collections import Collection
from analytics_platform.storage.mongo.id_pages import (
    by_id,
    id_ranges,
    no_strings,
    page_ends,
    rows_within,
    time_for_pages,
)
from analytics_platform.storage.mongo.migrations import LEDGER
from analytics_platform.storage.mongo.wire_documents import BATCH_ROWS, encoded, wire_table

TRANSACTION_ROWS = 5_000
"""Rows of the largest partition written in one transaction: 10 s on the embedded server, far less on a mongod."""

TRANSACTION_BYTES = 64 * 1024 * 1024
"""Size of the largest partition written in one transaction: the server holds it all until the end."""

PAGE_ENDS = "page_ends"
"""Field of a ledger entry: the ``_id``s after which the partition's pages end."""

DELETED_IDS = 100
"""Documents deleted by one list of ``_id``s. The embedded server looks through the list for each document: more cost
more, and fewer cost more waits for the disk."""

_UNFINISHED = "unfinished:"
"""What the ``_id`` begins with of a ledger entry that keeps the page ends of a partition that is being replaced."""

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
        known = stored_page_ends(self.database, self.collection.address, self.key)
        if not transaction:
            begin(self.database, self.collection.address, self.key, [*ends, *known])
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
        finish(self.database, self.collection.address, self.key, [*ends, *known], session)
        return size

    def _replace_documents(
        self, rows: pa.Table, ends: Iterable[str], session: ClientSession | None, *, insert: bool
    ) -> int:
        """Replace the documents of every page; ``rows`` are ascending by ``_id``."""
        scope = self.collection.scope(self.key)
        name = self.collection.name
        ranges = id_ranges(ends)
        size = 0
        compared = 0
        for one in ranges:
            page = rows_within(rows, one)
            if page.num_rows:
                stored, foreign = self._stored(one.within(scope), session)
                compared += len(stored)
                for batch in encoded(self.collection.table, page):
                    size += self._write(batch, stored, session, insert=insert)
                delete_documents(self.database, name, scope, [*stored, *foreign], session)
            else:
                compared += self.database[name].delete_many(one.within(scope), session=session).deleted_count
            if session is not None and compared > TRANSACTION_ROWS:
                raise TooMuchForTransactionError
        if len(ranges) > 1:
            delete_foreign(self.database, name, scope, len(ranges), session)
        return size

    def _stored(self, wanted: Mapping[str, Any], session: ClientSession | None) -> tuple[dict[str, bytes], list[Any]]:
        """Return what stands for the content of each stored document, by its ``_id``, and each ``_id`` of other types.

        Values of other types are no keys of a dictionary: some have no hash, and to Python, True is 1.
        """
        digests: dict[str, bytes] = {}
        foreign: list[Any] = []
        for document in self._target.find(wanted, session=session, batch_size=BATCH_ROWS):
            identity = document["_id"]
            if type(identity) is str:  # code is of a class derived from it
                digests[identity] = _digest(document)
            else:
                foreign.append(identity)
        return digests, foreign

    def _write(
        self,
        batch: Sequence[tuple[str, RawBSONDocument]],
        stored: dict[str, bytes],
        session: ClientSession | None,
        *,
        insert: bool,
    ) -> int:
        """Write the documents of a batch that differ; take every one of them out of ``stored``; return their bytes."""
        new: list[InsertOne[RawBSONDocument]] = []
        changed: list[tuple[str, RawBSONDocument]] = []
        unseen: list[tuple[str, RawBSONDocument]] = []
        for identity, document in batch:
            known = stored.pop(identity, None)
            if known is None and insert:
                new.append(InsertOne(document))
            elif known is None:
                unseen.append((identity, document))
            elif known != _digest(document):
                changed.append((identity, document))
        # Alone and in order: a document that exists elsewhere ends the transaction, and what the server says of
        # requests after it would have the driver try the same again instead of telling us.
        if new:
            self._target.bulk_write(new, ordered=True, session=session)
        # Not as upserts: a server goes on with the last request of a writer that was killed, and would bring back what
        # the next writer has deleted meanwhile.
        if changed and self._replace(changed, session, upsert=False) < len(changed):
            unseen += changed
        if unseen:
            self._replace(unseen, session, upsert=True)
        return sum(len(document.raw) for _, document in batch)

    def _replace(
        self, documents: Sequence[tuple[str, RawBSONDocument]], session: ClientSession | None, *, upsert: bool
    ) -> int:
        """Replace documents by ``_id``, whatever partition they were of; return how many were there."""
        requests: list[ReplaceOne[RawBSONDocument]] = [
            ReplaceOne({"_id": identity}, document, upsert=upsert) for identity, document in documents
        ]
        return self._target.bulk_write(requests, ordered=False, session=session).matched_count

    @property
    def _target(self) -> DriverCollection[RawBSONDocument]:
        return self.database.get_collection(self.collection.name, codec_options=_RAW)

    @property
    def _entry(self) -> str:
        return f"{self.collection.address}/{self.key}"


def stored_page_ends(database: Database[Any], name: str, key: str) -> list[str]:
    """Return the ``_id``s after which the pages of a stored partition end, as the ledger keeps them.

    Of a partition whose replacement or deletion was cut short, those of the documents before and after. Empty for a
    partition of one page, one that is not stored, and one that was written before the ledger kept them.
    """
    entries = {"_id": {"$in": [f"{name}/{key}", f"{_UNFINISHED}{name}/{key}"]}}
    return [str(end) for entry in database[LEDGER].find(entries, {PAGE_ENDS: 1}) for end in entry.get(PAGE_ENDS) or []]


def begin(database: Database[Any], name: str, key: str, ends: Sequence[str]) -> None:
    """Take a partition out of the ledger, which goes on to keep where its pages end until ``finish``.

    Whoever goes on after a kill would otherwise have to ask for all documents of the partition at once.

    Args:
        database: Where the partition is.
        name: The ``address`` of its collection.
        key: The partition.
        ends: The ``_id``s after which pages end, of the documents that are there and of those to come.
    """
    if ends:
        entry = {"_id": f"{_UNFINISHED}{name}/{key}", PAGE_ENDS: sorted(set(ends))}
        database[LEDGER].replace_one({"_id": entry["_id"]}, entry, upsert=True)
    database[LEDGER].delete_one({"_id": f"{name}/{key}"})


def finish(
    database: Database[Any], name: str, key: str, ends: Sequence[str], session: ClientSession | None = None
) -> None:
    """Forget what ``begin`` noted; ``ends`` as for it, or those that ``stored_page_ends`` gave."""
    if ends:
        database[LEDGER].delete_one({"_id": f"{_UNFINISHED}{name}/{key}"}, session=session)


def delete_partition(database: Database[Any], collection: Collection, key: str) -> None:
    """Delete a partition: its ledger entry, and its documents a page at a time.

    Args:
        database: Where the partition is.
        collection: Its collection.
        key: The partition.
    """
    scope, documents = collection.scope(key), database[collection.name]
    ends = stored_page_ends(database, collection.address, key)
    begin(database, collection.address, key, ends)
    for one in id_ranges(ends):
        documents.delete_many(one.within(scope))
    if ends:  # what is left has no string for its `_id`
        documents.delete_many(scope)
    finish(database, collection.address, key, ends)


def delete_foreign(
    database: Database[Any], name: str, scope: Mapping[str, Any], pages: int, session: ClientSession | None = None
) -> None:
    """Delete the documents of a partition whose ``_id`` is no string.

    Args:
        database: Where the partition is.
        name: Its collection.
        scope: The filter of the partition's documents.
        pages: How many pages the partition has.
        session: The transaction to do it in; None for none.
    """
    with time_for_pages(database, pages):
        found = [document["_id"] for document in database[name].find(no_strings(scope), ["_id"], session=session)]
    delete_documents(database, name, scope, found, session)


def delete_documents(
    database: Database[Any],
    name: str,
    scope: Mapping[str, Any],
    identities: Sequence[Any],
    session: ClientSession | None = None,
) -> None:
    """Delete documents by ``_id``, but only while they are within ``scope``: one that moved away stays."""
    strings = [identity for identity in identities if type(identity) is str]
    lists = [strings[start : start + DELETED_IDS] for start in range(0, len(strings), DELETED_IDS)]
    # Equality is written out, and no list of them made: a regular expression would stand for what it matches.
    others = [DeleteOne({**scope, "_id": {"$eq": one}}) for one in identities if type(one) is not str]
    requests = [*(DeleteMany({**scope, "_id": {"$in": one}}) for one in lists), *others]
    at_once = BATCH_ROWS // DELETED_IDS
    for start in range(0, len(requests), at_once):
        database[name].bulk_write(requests[start : start + at_once], ordered=False, session=session)


def refuses_transactions(error: OperationFailure) -> bool:
    """Tell whether a server says by this error that it has no transactions."""
    return error.code in _NO_TRANSACTIONS


def _digest(document: RawBSONDocument) -> bytes:
    """Return a short stand-in for a document's bytes; a whole partition of them is held."""
    return hashlib.blake2b(document.raw, digest_size=16).digest()
