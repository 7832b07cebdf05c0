"""Prepare a database for writing: apply versioned migrations, then the declared validators and indexes.

A changed declaration (a column, a bound, a further index) needs no migration: each start applies the declarations that
differ. Write a ``Migration`` for a change that no declaration expresses, such as renaming a field or dropping an index.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pymongo
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure
from pymongo.operations import IndexModel

from analytics_platform.storage.mongo.collections import COLLECTIONS, Collection, ExternalCollection
from analytics_platform.storage.mongo.mongo_errors import MongoStoreError

LEDGER = "_partitions"
"""Collection that records which partitions are stored."""

RECORD = "_migrations"
"""Collection that records which migrations were applied."""

INDEX_SECONDS = 3600.0
"""Time allowed to build one index in one request; the embedded server indexes 3,000 documents per second."""

_NAMESPACE_EXISTS = 48


@dataclass(frozen=True)
class Migration:
    """One step from a version of the database to the next.

    Args:
        version: Number from 1, without gaps.
        name: Short description of the change.
        apply: Makes the change. It must tolerate a second run and two processes at once: there is no lock, because
            a lock would outlive a process that is killed while it holds the lock.
    """

    version: int
    name: str
    apply: Callable[[Database[Any], Sequence[Collection | ExternalCollection]], None]


def create_collections(database: Database[Any], collections: Sequence[Collection | ExternalCollection]) -> None:
    """Create the missing collections; on older servers a transaction cannot create a collection."""
    existing = set(database.list_collection_names())
    for name in (*(collection.name for collection in collections), LEDGER):
        if name not in existing:
            _create(database, name)


def name_kind_of_reports(database: Database[Any], _: Sequence[Collection | ExternalCollection]) -> None:
    """Rename the ledger entries of daily reports from ``analytics_reports/DAY`` to ``analytics_reports/daily/DAY``.

    An entry that has the new name already stays: a process that migrated earlier has written it since.
    """
    ledger = database[LEDGER]
    for prefix in ("", "unfinished:"):
        before = f"{prefix}analytics_reports/"
        after = f"{before}daily/"
        for entry in list(ledger.find({"_id": {"$regex": f"^{before}[0-9-]+$"}})):
            wanted = {"_id": after + entry["_id"].removeprefix(before)}
            kept = {name: value for name, value in entry.items() if name != "_id"}
            with contextlib.suppress(DuplicateKeyError):  # another process was quicker
                ledger.update_one(wanted, {"$setOnInsert": kept}, upsert=True)
            ledger.delete_one({"_id": entry["_id"]})


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "create collections", create_collections),
    Migration(2, "name the kind of reports in the ledger", name_kind_of_reports),
)


def migrate(
    database: Database[Any],
    collections: Sequence[Collection | ExternalCollection] = COLLECTIONS,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> list[int]:
    """Bring a database to the declared state; a database in this state is not changed.

    Returns:
        The versions that this call applied.

    Raises:
        MongoStoreError: If a newer version of the platform migrated the database.
    """
    record = database[RECORD]
    applied = {document["_id"] for document in record.find({}, {"_id": 1})}
    newest = migrations[-1].version
    if applied and max(applied) > newest:
        raise MongoStoreError(
            f"database {database.name} has version {max(applied)}, this platform knows {newest}: "
            "upgrade the platform, or set ANALYTICS_MONGO_DATABASE to another database"
        )
    pending = [migration for migration in migrations if migration.version not in applied]
    for migration in pending:
        migration.apply(database, collections)
        _remember(database, migration)
    _apply_declarations(database, collections)
    return [migration.version for migration in pending]


def _apply_declarations(database: Database[Any], collections: Sequence[Collection | ExternalCollection]) -> None:
    """Apply the declared validators and indexes that differ from those in the database."""
    options = {found["name"]: found.get("options", {}) for found in database.list_collections()}
    for collection in collections:
        if collection.name not in options:
            _create(database, collection.name)
        wanted = collection.validator
        if options.get(collection.name, {}).get("validator") != wanted:
            database.command("collMod", collection.name, validator=wanted, validationLevel="strict")
        indexes = [IndexModel(list(fields)) for fields in collection.all_indexes]
        present = database[collection.name].index_information()
        for index in (index for index in indexes if index.document["name"] not in present):
            with pymongo.timeout(INDEX_SECONDS):
                database[collection.name].create_indexes([index])


def _create(database: Database[Any], name: str) -> None:
    try:
        database.create_collection(name, check_exists=False)
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:  # another process was quicker
            raise


def _remember(database: Database[Any], migration: Migration) -> None:
    entry = {"name": migration.name, "applied_at": dt.datetime.now(dt.UTC)}
    try:
        database[RECORD].update_one({"_id": migration.version}, {"$setOnInsert": entry}, upsert=True)
    except DuplicateKeyError:
        return  # another process applied it at the same moment
