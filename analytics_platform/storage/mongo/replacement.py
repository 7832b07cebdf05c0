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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
from analytics_platform.storage.mongo.ledger.partition_ledger import (
    LEASE_FIELD,
    PAGE_ENDS,
    begin,
    finish,
    is_unfinished,
    ledger_entries,
    page_ends_of,
    stored_page_ends,
)
from analytics_platform.storage.mongo.migrations import LEDGER
from analytics_platform.storage.mongo.wire_documents import BATCH_ROWS, encoded, wire_table
from analytics_platform.system.read_ahead import read_ahead

TRANSACTION_ROWS = 5_000
"""Most rows of a partition written in one transaction; they take 10 s on the embedded server, less on a mongod."""

TRANSACTION_BYTES = 64 * 1024 * 1024
"""Most bytes of a partition written in one transaction; the server holds all of them until the commit."""

REPLACED_AT_ONCE = 50
"""Documents replaced by one request outside a transaction. The embedded server waits for the disk once per document:
500 in one request took longer than the timeout of 30 s while other processes wrote to the disk."""

DELETED_IDS = 100
"""Documents deleted by one list of ``_id``s. The embedded server searches the list for each document, so a longer list
costs more time; shorter lists cost more waits for the disk."""

_DUPLICATE_KEY = 11000
_NO_TRANSACTIONS = frozenset({20, 115, 263})
"""IllegalOperation (a standalone mongod), CommandNotSupported, OperationNotSupportedInTransaction."""

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


class TooMuchForTransactionError(Exception):
    """The stored documents of a partition, or the new ones, are too many or too large for one transaction."""


@dataclass(frozen=True)
class _Plan:
    """What a replacement starts from.

    Attributes:
        rows: The new content as ``wire_documents.wire_table``, ascending by ``_id``.
        new_ends: Page ends of the new content.
        stored_ends: Page ends of the stored documents.
        is_recorded: Whether the partition has a ledger entry. If not, its writer may have been killed, and the server
            completes the last request of a killed writer, perhaps after this replacement has read the documents.
        is_unfinished: Whether an earlier replacement or deletion was interrupted.
        insert: Whether to try to insert documents that the partition does not have, instead of replacing them anywhere.
        is_new: Whether the database holds nothing of the partition.
    """

    rows: pa.Table
    new_ends: list[str]
    stored_ends: list[str]
    is_recorded: bool
    is_unfinished: bool
    insert: bool
    is_new: bool

    @property
    def ends(self) -> list[str]:
        """All page ends, in no order."""
        return [*self.new_ends, *self.stored_ends]


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

    @cached_property
    def rows(self) -> pa.Table:
        """The new content as ``wire_documents.wire_table``, ascending by ``_id``; computed at the first access.

        Raises:
            SchemaError: If the table has another schema, or a number is not finite.
            DocumentError: If two rows share an ``_id``.
        """
        return by_id(wire_table(self.collection.table, self.table))

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
        plan = self._plan(insert=insert)
        if not transaction:
            self._refuse_if_superseded(None)
            begin(self.database, self.collection.address, self.key, plan.ends)
            return self._apply(plan, None)
        if plan.rows.num_rows > TRANSACTION_ROWS or plan.rows.nbytes > TRANSACTION_BYTES:
            raise TooMuchForTransactionError
        with client.start_session() as session:
            return session.with_transaction(lambda running: self._apply(plan, running))

    def _plan(self, *, insert: bool) -> _Plan:
        rows = self.rows
        entries = ledger_entries(self.database, self.collection.address, self.key)
        unfinished = is_unfinished(entries)
        return _Plan(
            rows,
            page_ends(rows),
            page_ends_of(entries),
            is_recorded=len(entries) > unfinished,
            is_unfinished=unfinished,
            insert=insert,
            is_new=insert and not entries and not self._count(),
        )

    def _count(self) -> int:
        """Return the number of the partition's documents; the server counts on the partition's index."""
        return self.database[self.collection.name].count_documents(self.collection.scope(self.key))

    def _apply(self, plan: _Plan, session: ClientSession | None) -> int:
        if session is not None:
            self._refuse_if_superseded(session)
        size = self._replace_documents(plan, session)
        if session is None and not plan.is_recorded and self._count() != plan.rows.num_rows:
            size = self._replace_documents(replace(plan, is_new=False), session)  # see is_recorded
        self._enter({"bytes": size, PAGE_ENDS: plan.new_ends, **self.kept}, session)
        if plan.ends or plan.is_unfinished:
            finish(self.database, self.collection.address, self.key, session)
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

    def _replace_documents(self, plan: _Plan, session: ClientSession | None) -> int:
        """Insert the documents of a new partition, or replace those of every page; return the bytes of all."""
        if plan.is_new:
            return sum(self._insert(batch, session) for batch in read_ahead(encoded(self.collection.table, plan.rows)))
        scope = self.collection.scope(self.key)
        name = self.collection.name
        ranges = id_ranges(plan.ends)
        size = 0
        compared = 0
        for one in ranges:
            page = rows_within(plan.rows, one)
            if page.num_rows:
                stored, foreign = self._stored(one.within(scope), session)
                compared += len(stored)
                for batch in encoded(self.collection.table, page):
                    size += self._write(batch, stored, session, insert=plan.insert)
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
        at_once = REPLACED_AT_ONCE if session is None else len(requests)
        results = (
            self._target.bulk_write(
                requests[start : start + at_once],
                ordered=False,
                bypass_document_validation=self.is_valid or None,
                session=session,
            )
            for start in range(0, len(requests), at_once)
        )
        return sum(result.matched_count for result in results)

    @property
    def _target(self) -> DriverCollection[RawBSONDocument]:
        return self.database.get_collection(self.collection.name, codec_options=_RAW)

    @property
    def _entry(self) -> str:
        return f"{self.collection.address}/{self.key}"


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
    finish(database, collection.address, key)


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
