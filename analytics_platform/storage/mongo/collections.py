"""Declarations of the six operational collections and of ``label_feedback``: tables, partitions and indexes.

`model.tables.operational_tables` declares the columns; `migrations` applies validators and indexes to a database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model import Table
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.table import KIND_SEPARATOR
from analytics_platform.model.tables.operational_tables import (
    CONVERSATION_ANALYTICS,
    CONVERSATION_CATEGORIES,
    CONVERSATION_MESSAGES,
    CONVERSATION_TRANSLATIONS,
    DAILY_REPORTS,
    USER_PROFILES,
)
from analytics_platform.storage.mongo.collection_validators import validator


@dataclass(frozen=True)
class Collection:
    """A MongoDB collection that stores a table's rows as documents.

    Args:
        table: The table; its name without a kind is the collection's name.
        indexes: Fields of each index besides the partition's, all ascending (MongoDB reads an index in both
            directions).
        partition: The date column whose value is the partition key; None when the collection is one partition, of
            key ``""``.
        fixed: Fields with one value in every document of this declaration. They limit a partition to documents of one
            kind: replacing a daily report leaves weekly reports alone. Their values are the kind in ``address``.
    """

    table: Table
    indexes: tuple[tuple[str, ...], ...] = ()
    partition: str | None = "date"
    fixed: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the collection in the database."""
        return self.table.base_name

    @property
    def address(self) -> str:
        """The collection's name in the store and the ledger; a slash and the kind follow if it holds one kind."""
        return KIND_SEPARATOR.join((self.name, *self.fixed.values()))

    @property
    def all_indexes(self) -> tuple[tuple[str, ...], ...]:
        """Fields of each index; the first index finds a page of a partition, which is a range of ``_id``."""
        scope = (*self.fixed, *([self.partition] if self.partition else []))
        # The embedded server uses its index of `_id` for single documents only; a range needs another index.
        return ((*scope, "_id") if scope else ("_id", self.table.columns[1].name), *self.indexes)

    @property
    def validator(self) -> dict[str, Any]:
        """The ``$jsonSchema`` validator that is derived from the table."""
        return validator(self.table)

    def scope(self, key: str) -> dict[str, Any]:
        """Return the filter that selects exactly the documents of a partition.

        Raises:
            ValueError: If the key is no day, or not empty in a collection of one partition.
        """
        if self.partition is None:
            if key:
                raise ValueError(f"{self.address} is not partitioned; its only key is '', not {key!r}")
            return dict(self.fixed)
        return {**self.fixed, self.partition: dt.datetime.combine(self._day(key), dt.time(), dt.UTC)}

    def check_scope(self, table: pa.Table, key: str) -> None:
        """Refuse a table with rows outside the partition: replacing the partition would never remove these rows.

        Raises:
            ValueError: Naming the column and the number of rows.
        """
        expected: dict[str, object] = dict(self.fixed)
        if self.partition is not None:
            expected[self.partition] = self._day(key)
        for column, value in expected.items():
            others = pc.sum(pc.not_equal(table.column(column), value)).as_py()
            if others:
                raise ValueError(f"{self.address}, partition {key!r}: {others} rows have another {column} than {value}")

    def _day(self, key: str) -> dt.date:
        try:
            return dt.date.fromisoformat(key)
        except ValueError:
            raise ValueError(f"{self.address}: partition key {key!r} is not a day, YYYY-MM-DD") from None


COLLECTIONS: tuple[Collection, ...] = (
    Collection(
        CONVERSATION_ANALYTICS, indexes=(("user_id", "started_at"), ("agent_id", "date"), ("primary_topic", "date"))
    ),
    Collection(CONVERSATION_MESSAGES, indexes=(("conversation_id", "position"),)),
    Collection(CONVERSATION_CATEGORIES, indexes=(("conversation_id", "rank"), ("topic", "date"))),
    Collection(CONVERSATION_TRANSLATIONS, indexes=(("conversation_id", "position"),)),
    Collection(USER_PROFILES, indexes=(("last_date",),), partition=None),
    Collection(DAILY_REPORTS, fixed={"kind": Cadence.DAILY.value}),
)


@dataclass(frozen=True)
class ExternalCollection:
    """A collection that people or applications write and the platform reads.

    Attributes:
        name: Name of the collection.
        validator: The ``$jsonSchema`` validator of its documents.
        all_indexes: Fields of each index.
    """

    name: str
    validator: dict[str, Any]
    all_indexes: tuple[tuple[str, ...], ...]


LABEL_FEEDBACK = ExternalCollection(
    "label_feedback",
    {
        "$jsonSchema": {
            "bsonType": ["object"],
            "required": ["kind", "label", "author", "corrected_at"],
            "properties": {
                **{name: {"bsonType": ["string", "null"]} for name in ("conversation_id", "message_id", "note")},
                **{name: {"bsonType": ["string"], "minLength": 1} for name in ("kind", "label", "author")},
                "corrected_at": {"bsonType": ["date"]},
            },
        }
    },
    (("conversation_id",), ("corrected_at",)),
)
"""The validator requires the fields of every correction; it cannot check whether label and conversation exist."""

TOPIC_CURATION = ExternalCollection(
    "topic_curation",
    {
        "$jsonSchema": {
            "bsonType": ["object"],
            "required": ["changed_at"],
            "properties": {
                "_id": {"bsonType": ["string"], "pattern": "^[tp]-"},
                **{name: {"bsonType": ["string", "null"]} for name in ("name", "merge_into", "parent")},
                **{name: {"bsonType": ["bool", "null"]} for name in ("pinned", "hidden")},
                "changed_at": {"bsonType": ["date"]},
            },
            "additionalProperties": False,
        }
    },
    (("changed_at",),),
)
"""What people say about discovered topics: a document for each topic or parent, whose identifier is the ``_id``."""
