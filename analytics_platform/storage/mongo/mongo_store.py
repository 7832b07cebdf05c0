"""The store of operational documents: it keeps the partitions of a table as documents of a MongoDB collection.

The ledger, a further collection, records which partitions are stored.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymongo
from pymongo import MongoClient
from pymongo.collection import Collection as DriverCollection
from pymongo.database import Database
from pymongo.errors import ConfigurationError, ConnectionFailure, OperationFailure, PyMongoError

from analytics_platform.storage.content_hash import content_hash
from analytics_platform.storage.leases.held_lease import Fence
from analytics_platform.storage.mongo.collection_validators import satisfies_validator
from analytics_platform.storage.mongo.collections import COLLECTIONS, LABEL_FEEDBACK, TOPIC_CURATION, Collection
from analytics_platform.storage.mongo.ledger.partition_ledger import (
    LEASE_FIELD,
    PAGE_ENDS,
    entries_of,
    recorded_keys,
    stored_page_ends,
)
from analytics_platform.storage.mongo.migrations import LEDGER, migrate
from analytics_platform.storage.mongo.mongo_errors import MongoStoreError, address, timeout_of, translated
from analytics_platform.storage.mongo.readback import StoredPage, read_pages, read_rows, stored_dates
from analytics_platform.storage.mongo.replacement import (
    Replacement,
    TooMuchForTransactionError,
    delete_documents,
    delete_partition,
    refuses_transactions,
)
from analytics_platform.storage.mongo.server import refuses
from analytics_platform.storage.mongo.wire_documents import fields_needed, to_table
from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform.storage.provenance import STORED_FIELD

_CLOSE_SECONDS = 1.0
_NO_ADDRESS = (
    "ANALYTICS_MONGO_URI: not a MongoDB address; expected mongodb://user:password@host:port/ "
    "with user and password percent-encoded, or mongodb+srv:// with a host that DNS knows"
)
_PROBE_SECONDS = 2.0
"""Time for the one request that a server which was silent must answer before the store asks it anything else."""

_LISTENING_SECONDS = 0.5
"""Time for which the embedded server counts as running after it was seen to listen at its port."""

_FACTS = {PAGE_ENDS: 0, LEASE_FIELD: 0}
"""The projection of a ledger entry that leaves its ``PartitionInfo``."""

_TIMEOUTS_OF_A_TRANSACTION = 2
"""Limit of a whole transaction, in timeouts of one request; the driver would otherwise repeat it for two minutes."""


def require_mongo_address(uri: str) -> None:
    """Refuse a URI that is no MongoDB address, without a connection; ``mongodb+srv://`` passes without a DNS lookup.

    Raises:
        MongoStoreError: Without any part of the address, which may hold a password.
    """
    if uri.startswith("mongodb+srv://"):
        return
    try:
        MongoClient(uri, connect=False).close()
    except (ConfigurationError, ValueError):
        raise MongoStoreError(_NO_ADDRESS) from None


def _info(entry: Mapping[str, Any]) -> PartitionInfo:
    facts = {name: value for name, value in entry.items() if name not in ("_id", STORED_FIELD)}
    return PartitionInfo(key=entry["_id"].rpartition("/")[2], provenance=entry[STORED_FIELD], **facts)


class MongoStore:
    """Partitions of the operational collections in one MongoDB database; safe to share between threads.

    The ``name`` argument of a method is the collection, followed by a slash and the kind if the partitions hold one
    kind: ``analytics_reports/daily``. The ledger uses the same name, so kinds are separate in it.

    The constructor contacts no server; the first write brings the database up to date (``migrate``).

    After a request that the server did not answer, each further call fails within two seconds until the server answers
    again. Otherwise a run would wait for a dead server once per asset. A call fails at once if the embedded server was
    killed: it does not come back at its port, and the driver would look for it until the timeout.

    Args:
        uri: Address of the server, credentials included; never shown.
        database: Name of the database.
        timeout_seconds: Time to find the server, and for each request; ``timeoutMS`` of the URI takes precedence.
        collections: The collections that the store accepts.
        transactions: Whether to use transactions, as long as the server supports them.
        embedded_in: Folder of the embedded server, for messages; None for the server of ANALYTICS_MONGO_URI. The
            embedded server does not validate documents that the store has checked.
        fence: Tells the lease under which a partition is written; None if no machine shares the database.
    """

    def __init__(
        self,
        uri: str,
        database: str,
        *,
        timeout_seconds: float = 30.0,
        collections: Sequence[Collection] = COLLECTIONS,
        transactions: bool = True,
        embedded_in: Path | None = None,
        fence: Fence | None = None,
    ) -> None:
        self._uri = uri
        self._name = database
        self._timeout_seconds = timeout_of(uri) or timeout_seconds
        self._collections = {collection.address: collection for collection in collections}
        self._transactions = transactions
        self._embedded_in = embedded_in
        self._fence = fence
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._client: MongoClient[Any] | None = None
        self._migrated = False
        self._silent = False
        self._listened_at = 0.0

    def __repr__(self) -> str:
        """Return hosts and database only; the URI may hold a password."""
        return f"MongoStore({address(self._uri)!r}, {self._name!r})"

    def __enter__(self) -> MongoStore:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            if self._client is not None:
                with pymongo.timeout(_CLOSE_SECONDS):  # the driver says goodbye, and looks for a server that died
                    self._client.close()
                self._client = None

    def ping(self) -> str:
        """Return the server's version.

        Raises:
            MongoStoreError: If the server does not answer in time.
        """
        with self._translated("ping"):
            database = self._database()
            database.command("ping")
            return str(database.command("buildInfo")["version"])

    def migrate(self) -> list[int]:
        """Bring the database up to date, and return the versions that this call applied; see ``migrations.migrate``."""
        with self._translated("migrate"):
            applied = migrate(self._database(), (*self._collections.values(), LABEL_FEEDBACK, TOPIC_CURATION))
            self._migrated = True
            return applied

    @contextmanager
    def lend(self, name: str) -> Iterator[DriverCollection[Any]]:
        """Lend a collection that has no partitions; the driver's errors become ``MongoStoreError``."""
        with self._translated(f"use {name}"):
            yield self._database()[name]

    def keys(self, name: str) -> list[str]:
        """Return the keys of the partitions stored for a collection, ascending."""
        self._collection(name)
        with self._translated(f"list the partitions of {name}"):
            return recorded_keys(self._database(), name, unfinished=False)

    def info(self, name: str, key: str) -> PartitionInfo | None:
        """Return the ledger's entry of a partition, or None when the partition is not stored."""
        self._collection(name)
        with self._translated(f"look up partition {key!r} of {name}"):
            entry = self._database()[LEDGER].find_one({"_id": f"{name}/{key}"}, _FACTS)
        return _info(entry) if entry else None

    def infos(self, name: str) -> dict[str, PartitionInfo]:
        """Return the ledger's entries of all partitions of a collection by key, ascending; one request."""
        self._collection(name)
        with self._translated(f"look up the partitions of {name}"):
            infos = map(_info, self._database()[LEDGER].find(entries_of(name), _FACTS, sort=[("_id", 1)]))
            return {info.key: info for info in infos}

    def is_as_written(self, name: str, info: PartitionInfo) -> bool:
        """Tell whether the ledger still has this entry of a partition, and the server counts its number of documents.

        A document that was edited in place is not noticed; ``read_back`` shows it.
        """
        if self.info(name, info.key) != info:
            return False
        collection = self._collection(name)
        with self._translated(f"count partition {info.key!r} of {name}"):
            stored = self._database()[collection.name]
            return bool(stored.count_documents(collection.scope(info.key)) == info.rows)

    def read(self, name: str, key: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a partition, or some of its columns, in the declared order of rows.

        Raises:
            KeyError: If the partition is not stored, or the table has no such column.
            SchemaError: If the documents do not fit the declaration, e.g. because an earlier version wrote them.
        """
        collection = self._collection(name)
        fields = sorted(fields_needed(collection.table, columns))
        if self.info(name, key) is None:
            raise KeyError(f"{name} has no partition {key!r}; materialize it first")
        with self._translated(f"read partition {key!r} of {name}"):
            ends = stored_page_ends(self._database(), name, key)
            found = read_rows(self._database()[collection.name], collection.scope(key), ends, ["_id", *fields])
            return to_table(collection.table, found, columns)

    def read_back(self, name: str, key: str, ends: Iterable[str] = ()) -> Iterator[StoredPage]:
        """Yield the stored documents of a partition page by page, even if the ledger has no entry for it.

        Args:
            name: The collection.
            key: The partition.
            ends: Further ends of pages besides those in the ledger, e.g. ``id_pages.page_ends`` of the expected rows:
                they bound the pages of a partition that has no entry in the ledger.
        """
        collection = self._collection(name)
        with self._translated(f"read back partition {key!r} of {name}"):
            known = stored_page_ends(self._database(), name, key)
            yield from read_pages(self._database()[collection.name], collection, key, [*known, *ends])

    def dates(self, name: str, skipped: Iterable[str] = ()) -> tuple[list[str], list[Any]]:
        """Return the days of a collection's documents, and the ``_id`` of each document whose date is no day.

        Both are empty for a collection that is one partition.

        Args:
            name: The collection.
            skipped: Days to skip; the days in the ledger are skipped, too.

        Returns:
            Days that are neither in ``skipped`` nor in the ledger, ascending, and the ``_id``s.
        """
        collection = self._collection(name)
        recorded = self.keys(name)
        with self._translated(f"list the dates of {name}"):
            return stored_dates(self._database()[collection.name], collection, {*recorded, *skipped})

    def discard(self, name: str, identities: Sequence[Any]) -> None:
        """Delete documents by ``_id`` from any partition; the ledger stays unchanged."""
        collection = self._collection(name)
        with self._translated(f"delete documents of {name}"):
            delete_documents(self._database(), collection.name, {}, identities)

    def delete(self, name: str, key: str) -> None:
        """Delete a partition; a partition that is not stored is no error.

        Raises:
            LeaseLostError: If the lease under which it is deleted is lost.
        """
        collection = self._collection(name)
        if lease := self._fence.lease_of(key) if self._fence else None:
            lease.require()
        with self._translated(f"delete partition {key!r} of {name}"):
            delete_partition(self._database(), collection, key)

    def delete_before(self, name: str, first: str) -> list[str]:
        """Delete the partitions of the days before ``first``, and return those days, ascending.

        A deletion that was interrupted is completed.
        """
        self._collection(name)
        with self._translated(f"list the partitions of {name}"):
            days = [key for key in recorded_keys(self._database(), name) if key < first]
        for day in days:
            self.delete(name, day)
        return days

    def write(
        self, name: str, key: str, table: pa.Table, provenance: str, annotations: Mapping[str, str] | None = None
    ) -> PartitionInfo:
        """Replace exactly the documents of a partition.

        Args:
            name: The collection.
            key: The partition: its day, or ``""`` for a collection that is one partition.
            table: The content, of the declared schema.
            provenance: Provenance of the content, as ``Provenance.text`` returns it.
            annotations: Further facts to keep in the ledger.

        Raises:
            ValueError: If the table has rows of other partitions, repeats an ``_id`` or contains too large a document.
            SchemaError: If the table does not have the declared schema, or contains a number that is not finite.
            MongoStoreError: If the server cannot be reached or refuses a document.
            LeaseLostError: If the lease under which the partition is written is lost.
        """
        collection = self._collection(name)
        collection.check_scope(table, key)
        kept: dict[str, Any] = {
            "rows": table.num_rows,
            "content_hash": content_hash(table),
            STORED_FIELD: provenance,
            "annotations": dict(sorted((annotations or {}).items())),
        }
        if not self._migrated:
            self.migrate()
        lease = self._fence.lease_of(key) if self._fence else None
        # A holder of other days writes an unpartitioned table, too, so the higher token is not always the later write.
        token = lease.token if lease and key else None
        is_valid = self._embedded_in is not None and satisfies_validator(collection.table, table)
        replacement = Replacement(self._database(), collection, key, table, kept, token, is_valid)
        _ = replacement.rows  # made here, while another thread writes
        # One transaction at a time: the embedded server answers two that touch the same pages with an internal error,
        # and is no faster with several writers.
        with self._writing, self._translated(f"write partition {key!r} of {name}"):
            if lease:
                lease.require()
            size = self._replace(replacement)
        return PartitionInfo(key, kept["rows"], size, kept["content_hash"], provenance, kept["annotations"])

    def _replace(self, replacement: Replacement) -> int:
        client = self._connected()
        if self._transactions:
            try:
                with pymongo.timeout(_TIMEOUTS_OF_A_TRANSACTION * self._timeout_seconds):
                    return replacement.run(client, transaction=True)
            except OperationFailure as error:
                if not refuses_transactions(error):
                    raise
                self._transactions = False
            except TooMuchForTransactionError:
                pass
        return replacement.run(client, transaction=False)

    def _collection(self, name: str) -> Collection:
        if name not in self._collections:
            raise MongoStoreError(f"no collection {name!r} is declared; there are {sorted(self._collections)}")
        return self._collections[name]

    def _database(self) -> Database[Any]:
        return self._connected()[self._name]

    def _connected(self) -> MongoClient[Any]:
        with self._lock:
            if self._client is None:
                milliseconds = int(self._timeout_seconds * 1000)
                try:
                    self._client = MongoClient(
                        self._uri,
                        appname="analytics-platform",
                        tz_aware=True,
                        timeoutMS=milliseconds,
                        serverSelectionTimeoutMS=milliseconds,
                        connectTimeoutMS=milliseconds,
                    )
                except (ConfigurationError, ValueError):  # the driver's message may quote a part of the password
                    raise MongoStoreError(_NO_ADDRESS) from None
            return self._client

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        place = address(self._uri)
        with translated(place, action, self._timeout_seconds, self._embedded_in):
            self._require_embedded_server()
        if self._silent:
            seconds = min(_PROBE_SECONDS, self._timeout_seconds)
            with translated(place, action, seconds, self._embedded_in), pymongo.timeout(seconds):
                self._database().command("ping")
            self._silent = False
        with translated(place, action, self._timeout_seconds, self._embedded_in):
            try:
                yield
            except PyMongoError as error:
                self._silent = error.timeout or isinstance(error, ConnectionFailure)
                raise

    def _require_embedded_server(self) -> None:
        """Raise ``ConnectionFailure`` if the embedded server has ended."""
        if self._embedded_in is None or time.monotonic() < self._listened_at + _LISTENING_SECONDS:
            return
        if refuses(self._uri):
            raise ConnectionFailure
        self._listened_at = time.monotonic()
