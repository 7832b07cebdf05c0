"""How the documents of a partition are replaced, so that whoever reads meanwhile sees each once and never none.

* Where the server has transactions, and the partition is at most ``TRANSACTION_ROWS`` rows (a transaction may take
  60 s by default): documents and ledger entry change in one transaction. Readers see the old state or the new.
* Otherwise in order: the ledger entry goes, new documents are written over old ones by ``_id``, documents no longer
  wanted go, the ledger entry comes back. Killed in between, the partition counts as not stored and is written again.

Documents that are already there, byte for byte, are not sent again. A conversation that moved to another day keeps its
``_id``: writing the new day moves it, and writing the old day deletes only documents that still have the old date.

Belongs here: this sequence of requests. Does not belong here: connecting, checking, or translating errors (``store``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, MongoClient, ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure

from analytics_platform.storage.mongo.collections import Collection
from analytics_platform.storage.mongo.documents import BATCH_ROWS, to_documents
from analytics_platform.storage.mongo.migrations import LEDGER

TRANSACTION_ROWS = 5_000
"""Rows of the largest partition written in one transaction: 10 s on the embedded server, far less on a mongod."""

_DUPLICATE_KEY = 11000
_NO_TRANSACTIONS = frozenset({20, 115, 263})
"""IllegalOperation (a standalone mongod), CommandNotSupported, OperationNotSupportedInTransaction."""

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


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
        if not transaction:
            self.database[LEDGER].delete_one({"_id": self._entry})
            return self._apply(None, insert=insert)
        with client.start_session() as session:
            return session.with_transaction(lambda running: self._apply(running, insert=insert))

    def _apply(self, session: ClientSession | None, *, insert: bool) -> int:
        size = self._replace_documents(session, insert=insert)
        entry = {"_id": self._entry, "bytes": size, **self.kept}
        self.database[LEDGER].replace_one({"_id": self._entry}, entry, upsert=True, session=session)
        return size

    def _replace_documents(self, session: ClientSession | None, *, insert: bool) -> int:
        scope = self.collection.scope(self.key)
        target = self.database.get_collection(self.collection.name, codec_options=_RAW)
        stored = {found["_id"]: _digest(found) for found in target.find(scope, session=session, batch_size=BATCH_ROWS)}
        size = 0
        for batch in to_documents(self.collection.table, self.table):
            new: list[InsertOne[RawBSONDocument]] = []
            requests: list[ReplaceOne[RawBSONDocument]] = []
            for identity, document in batch:
                size += len(document.raw)
                known = stored.pop(identity, None)
                if known is None and insert:
                    new.append(InsertOne(document))
                elif known != _digest(document):
                    requests.append(ReplaceOne({"_id": identity}, document, upsert=True))
            # Alone and in order: a document that exists elsewhere ends the transaction, and what the server says of
            # requests after it would have the driver try the same again instead of telling us.
            if new:
                target.bulk_write(new, ordered=True, session=session)
            if requests:
                target.bulk_write(requests, ordered=False, session=session)
        delete_documents(self.database, self.collection.name, scope, list(stored), session)
        return size

    @property
    def _entry(self) -> str:
        return f"{self.collection.name}/{self.key}"


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
