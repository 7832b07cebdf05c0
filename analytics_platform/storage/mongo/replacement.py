"""Replace the documents of a partition, so that a concurrent reader never misses a document or sees it twice.

* If the server has transactions, and the partition has at most ``TRANSACTION_ROWS`` rows before and after (a
  transaction may take 60 s by default): documents and ledger entry change in one transaction. Readers see the old state
  or the new.
* Otherwise in this order: delete the ledger entry; page by page, write new documents over old ones by ``_id`` and
  delete documents that the new content lacks; write the new ledger entry. After a kill in between, the partition counts
  as not stored and is written again. Until then a second entry keeps the page ends of the old and the new documents.

Stored documents are read, compared and replaced by pages (``id_pages``), so memory holds one page of documents, and
each request has a timeout of its own. The ledger entry keeps the page ends for readers of the partition.

Obsolete documents are deleted ``DELETED_IDS`` per request; a page without new documents is deleted in one request.
One request per document would cost the embedded server five times as long, because it waits for the disk after each.

A partition that is written under a lease gets the lease's token in its ledger entry. A holder that lost its lease, and
does not know it yet, has a lower token than its successor and is refused: in a transaction before anything changes;
without transactions possibly in the middle, and then the partition counts as not stored, so that it is written again.

A day that was never stored is inserted without reading and comparing: the ledger has no entry of any kind for it, and a
count on the partition's index finds no document. A document that is stored under another day, or that another writer
inserts meanwhile, is a duplicate key; the partition is then replaced as above.

The next batch of new documents is encoded while the server works on the current one. Documents that the store has
checked against the declaration pass the server's validator unchecked, if the server is the embedded one: its validator
costs a third of an insert, and a server with users refuses the bypass to users who may only read and write.

Documents that are stored already, byte for byte, are not sent again. A conversation that moved to another day keeps its
``_id``: writing the new day moves it, and writing the old day deletes only documents that still have the old date.
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
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from analytics_platform.storage.leases.held_lease import LeaseLostError
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
from analytics_platform.system.read_ahead import read_ahead

TRANSACTION_ROWS = 5_000
"""Most rows of a partition written in one transaction; they take 10 s on the embedded server, less on a mongod."""

TRANSACTION_BYTES = 64 * 1024 * 1024
"""Most bytes of a partition written in one transaction; the server holds all of them until the commit."""

PAGE_ENDS = "page_ends"
"""Field of a ledger entry: the last ``_id`` of each page of the partition but the last page."""

DELETED_IDS = 100
"""Documents deleted by one list of ``_id``s. The embedded server searches the list for each document, so a longer list
costs more time; shorter lists cost more waits for the disk."""

LEASE_FIELD = "lease"
"""Field of a ledger entry: the fencing token of the lease under which the partition was written."""

_UNFINISHED = "unfinished:"
"""Prefix of a ledger entry's ``_id``: the entry keeps the page ends of a partition that is being replaced."""

_DUPLICATE_KEY = 11000
_NO_TRANSACTIONS = frozenset({20, 115, 263})
"""IllegalOperation (a standalone mongod), CommandNotSupported, OperationNotSupportedInTransaction."""

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


class TooMuchForTransactionError(Exception):
    """The stored documents of a partition, or the new ones, are too many or too large for one transaction."""


@dataclass(frozen=True)
class Replacement:
    """The replacement of one partition's documents.

    Args:
        database: The database.
        collection: The collection.
        key: The partition.
        table: All rows of the new content.
        kept: The partition's facts for the ledger, besides its size.
        token: Fencing token of the lease under which the partition is written; None without a lease.
        is_valid: Whether every row is known to satisfy the collection's validator, which then need not check it.
    """

    database: Database[Any]
    collection: Collection
    key: str
    table: pa.Table
    kept: Mapping[str, Any]
    token: int | None = None
    is_valid: bool = False

    def run(self, client: MongoClient[Any], *, transaction: bool) -> int:
        """Replace the documents and the ledger entry, and return the size of the new documents in bytes.

        Args:
            client: The client of ``database``.
            transaction: Whether to make all changes in one transaction.

        Raises:
            OperationFailure: If the server refuses a request; ``refuses_transactions`` tells whether it lacks
                transactions.
            TooMuchForTransactionError: If the partition is too large for one transaction; nothing has changed.
            LeaseLostError: If the partition was written under a later lease.
        """
        try:
            return self._attempt(client, transaction=transaction, insert=True)
        except BulkWriteError as error:
            if {problem["code"] for problem in error.details["writeErrors"]} != {_DUPLICATE_KEY}:
                raise
        # A new document is there already: under another day, or another writer was quicker. Replacing bears that, but
        # costs two to three times as much as inserting, so it is not the first try.
        if not transaction and self._is_superseded(None):
            self._disown()  # some documents were inserted before the duplicate
            raise self._superseded
        return self._attempt(client, transaction=transaction, insert=False)

    def _attempt(self, client: MongoClient[Any], *, transaction: bool, insert: bool) -> int:
        rows = by_id(wire_table(self.collection.table, self.table))
        ends = page_ends(rows)
        entries = _ledger_entries(self.database, self.collection.address, self.key)
        known = _page_ends_of(entries)
        is_new = insert and not entries and not self._has_documents()
        if not transaction:
            self._refuse_if_superseded(None)
            begin(self.database, self.collection.address, self.key, [*ends, *known])
            return self._apply(rows, ends, known, None, insert=insert, is_new=is_new)
        if rows.num_rows > TRANSACTION_ROWS or rows.nbytes > TRANSACTION_BYTES:
            raise TooMuchForTransactionError
        with client.start_session() as session:
            return session.with_transaction(
                lambda running: self._apply(rows, ends, known, running, insert=insert, is_new=is_new)
            )

    def _has_documents(self) -> bool:
        """Tell whether the database has documents of the partition, by a count on the partition's index."""
        return bool(self.database[self.collection.name].count_documents(self.collection.scope(self.key), limit=1))

    def _apply(
        self,
        rows: pa.Table,
        ends: list[str],
        known: list[str],
        session: ClientSession | None,
        *,
        insert: bool,
        is_new: bool,
    ) -> int:
        if session is not None:
            self._refuse_if_superseded(session)
        size = self._replace_documents(rows, [*ends, *known], session, insert=insert, is_new=is_new)
        self._enter({"bytes": size, PAGE_ENDS: ends, **self.kept}, session)
        finish(self.database, self.collection.address, self.key, [*ends, *known], session)
        return size

    def _enter(self, facts: Mapping[str, Any], session: ClientSession | None) -> None:
        """Write the ledger entry, unless a later lease's is there."""
        ledger, identity = self.database[LEDGER], {"_id": self._entry}
        if self.token is None:
            ledger.replace_one(identity, {**identity, **facts}, upsert=True, session=session)
            return
        earlier = {**identity, LEASE_FIELD: {"$not": {"$gt": self.token}}}
        try:
            ledger.replace_one(earlier, {**identity, **facts, LEASE_FIELD: self.token}, upsert=True, session=session)
        except DuplicateKeyError:
            if not self._is_superseded(None):
                raise
            if session is None:
                self._disown()
            raise self._superseded from None

    def _disown(self) -> None:
        """Delete the ledger entry of a later lease: the documents of two holders are mixed, and are written again."""
        self.database[LEDGER].delete_one({"_id": self._entry})

    def _refuse_if_superseded(self, session: ClientSession | None) -> None:
        if self._is_superseded(session):
            raise self._superseded

    def _is_superseded(self, session: ClientSession | None) -> bool:
        """Tell whether the partition was written under a later lease."""
        if self.token is None:
            return False
        later = {"_id": self._entry, LEASE_FIELD: {"$gt": self.token}}
        return self.database[LEDGER].find_one(later, {"_id": 1}, session=session) is not None

    @property
    def _superseded(self) -> LeaseLostError:
        return LeaseLostError(
            f"MongoDB, {self._entry}: a run with a later lease on this day has written it; run again to compute what "
            "is missing"
        )

    def _replace_documents(
        self, rows: pa.Table, ends: Iterable[str], session: ClientSession | None, *, insert: bool, is_new: bool
    ) -> int:
        """Replace the documents of every page; ``rows`` are ascending by ``_id``."""
        if is_new:
            return sum(self._insert(batch, session) for batch in read_ahead(encoded(self.collection.table, rows)))
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
        """Return the digest of each stored document by its string ``_id``, and each ``_id`` that is not a string.

        An ``_id`` that is not a string is no key of the dictionary: some values have no hash, and in Python True equals
        1.
        """
        digests: dict[str, bytes] = {}
        foreign: list[Any] = []
        for document in self._target.find(wanted, session=session, batch_size=BATCH_ROWS):
            identity = document["_id"]
            if type(identity) is str:  # BSON code is of a subclass of str
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
        """Write the differing documents of a batch, remove the batch from ``stored``, and return the batch's bytes."""
        new: list[tuple[str, RawBSONDocument]] = []
        changed: list[tuple[str, RawBSONDocument]] = []
        unseen: list[tuple[str, RawBSONDocument]] = []
        for identity, document in batch:
            known = stored.pop(identity, None)
            if known is None and insert:
                new.append((identity, document))
            elif known is None:
                unseen.append((identity, document))
            elif known != _digest(document):
                changed.append((identity, document))
        if new:
            self._insert(new, session)
        # Not as upserts: a server completes the last request of a killed writer, and an upsert would restore documents
        # that the next writer has deleted meanwhile.
        if changed and self._replace(changed, session, upsert=False) < len(changed):
            unseen += changed
        if unseen:
            self._replace(unseen, session, upsert=True)
        return sum(len(document.raw) for _, document in batch)

    def _insert(self, documents: Sequence[tuple[str, RawBSONDocument]], session: ClientSession | None) -> int:
        """Insert new documents, and return their bytes.

        Inserts are one request, in order: a document that exists elsewhere ends the transaction, and the server's
        answers to later requests would make the driver repeat the transaction instead of raising the error.
        """
        requests = [InsertOne(document) for _, document in documents]
        self._target.bulk_write(
            requests, ordered=True, bypass_document_validation=self.is_valid or None, session=session
        )
        return sum(len(document.raw) for _, document in documents)

    def _replace(
        self, documents: Sequence[tuple[str, RawBSONDocument]], session: ClientSession | None, *, upsert: bool
    ) -> int:
        """Replace documents by ``_id`` in any partition; return the number of documents that existed."""
        requests: list[ReplaceOne[RawBSONDocument]] = [
            ReplaceOne({"_id": identity}, document, upsert=upsert) for identity, document in documents
        ]
        return self._target.bulk_write(
            requests, ordered=False, bypass_document_validation=self.is_valid or None, session=session
        ).matched_count

    @property
    def _target(self) -> DriverCollection[RawBSONDocument]:
        return self.database.get_collection(self.collection.name, codec_options=_RAW)

    @property
    def _entry(self) -> str:
        return f"{self.collection.address}/{self.key}"


def recorded_keys(database: Database[Any], name: str, *, unfinished: bool = True) -> list[str]:
    """Return the keys of the partitions in the ledger, ascending.

    Args:
        database: The database.
        name: The ``address`` of the collection.
        unfinished: Whether to add the partitions whose replacement or deletion was interrupted.
    """
    keys: set[str] = set()
    for prefix in (f"{name}/", *([f"{_UNFINISHED}{name}/"] if unfinished else [])):
        # The identities that start with the prefix; "0" is the character after "/".
        entries = database[LEDGER].find({"_id": {"$gte": prefix, "$lt": f"{prefix[:-1]}0"}}, {"_id": 1})
        keys.update(entry["_id"].removeprefix(prefix) for entry in entries)
    return sorted(keys)


def stored_page_ends(database: Database[Any], name: str, key: str) -> list[str]:
    """Return the page ends of a stored partition from the ledger: the last ``_id`` of each page but the last page.

    After an interrupted replacement or deletion these are the page ends of the old and the new documents. The list is
    empty for a partition of one page, a partition that is not stored, and a partition written before the ledger kept
    page ends.
    """
    return _page_ends_of(_ledger_entries(database, name, key))


def _ledger_entries(database: Database[Any], name: str, key: str) -> list[Mapping[str, Any]]:
    """Return ``_id`` and page ends of a partition's ledger entry, and of the entry of an unfinished replacement."""
    entries = {"_id": {"$in": [f"{name}/{key}", f"{_UNFINISHED}{name}/{key}"]}}
    return list(database[LEDGER].find(entries, {PAGE_ENDS: 1}))


def _page_ends_of(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(end) for entry in entries for end in entry.get(PAGE_ENDS) or []]


def begin(database: Database[Any], name: str, key: str, ends: Sequence[str], *, marks_empty: bool = False) -> None:
    """Delete a partition's ledger entry, and keep its page ends in a second entry until ``finish``.

    Without the second entry, a writer that continues after a kill would have to request the whole partition at once.

    Args:
        database: The database.
        name: The ``address`` of the collection.
        key: The partition.
        ends: The page ends of the stored documents and of the new ones.
        marks_empty: Whether to write the second entry also for a partition of one page, which has no page ends.
    """
    if ends or marks_empty:
        entry = {"_id": f"{_UNFINISHED}{name}/{key}", PAGE_ENDS: sorted(set(ends))}
        database[LEDGER].replace_one({"_id": entry["_id"]}, entry, upsert=True)
    database[LEDGER].delete_one({"_id": f"{name}/{key}"})


def finish(
    database: Database[Any], name: str, key: str, ends: Sequence[str], session: ClientSession | None = None
) -> None:
    """Delete the entry that ``begin`` wrote; ``ends`` are the page ends given to ``begin``, or those in the ledger."""
    if ends:
        database[LEDGER].delete_one({"_id": f"{_UNFINISHED}{name}/{key}"}, session=session)


def delete_partition(database: Database[Any], collection: Collection, key: str) -> None:
    """Delete a partition: its ledger entry, and its documents one page at a time.

    Args:
        database: The database.
        collection: The collection.
        key: The partition.
    """
    scope, documents = collection.scope(key), database[collection.name]
    ends = stored_page_ends(database, collection.address, key)
    begin(database, collection.address, key, ends, marks_empty=True)
    for one in id_ranges(ends):
        documents.delete_many(one.within(scope))
    if ends:  # the remaining documents have an `_id` that is not a string
        documents.delete_many(scope)
    database[LEDGER].delete_one({"_id": f"{_UNFINISHED}{collection.address}/{key}"})


def delete_foreign(
    database: Database[Any], name: str, scope: Mapping[str, Any], pages: int, session: ClientSession | None = None
) -> None:
    """Delete the documents of a partition whose ``_id`` is not a string.

    Args:
        database: The database.
        name: The collection.
        scope: The filter of the partition's documents.
        pages: Number of pages of the partition.
        session: The session of a running transaction; None for no transaction.
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
    """Delete documents by ``_id`` that match ``scope``: a document that moved to another partition stays."""
    strings = [identity for identity in identities if type(identity) is str]
    lists = [strings[start : start + DELETED_IDS] for start in range(0, len(strings), DELETED_IDS)]
    # `$eq` instead of `$in`: in a list, a regular expression would match texts instead of being compared.
    others = [DeleteOne({**scope, "_id": {"$eq": one}}) for one in identities if type(one) is not str]
    requests = [*(DeleteMany({**scope, "_id": {"$in": one}}) for one in lists), *others]
    at_once = BATCH_ROWS // DELETED_IDS
    for start in range(0, len(requests), at_once):
        database[name].bulk_write(requests[start : start + at_once], ordered=False, session=session)


def refuses_transactions(error: OperationFailure) -> bool:
    """Tell whether an error of the server means that it has no transactions."""
    return error.code in _NO_TRANSACTIONS


def _digest(document: RawBSONDocument) -> bytes:
    """Return a 16-byte hash of a document; the hashes of a whole page are in memory at once."""
    return hashlib.blake2b(document.raw, digest_size=16).digest()
