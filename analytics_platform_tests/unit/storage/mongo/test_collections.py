from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from analytics_platform.model import Column, Table
from analytics_platform.model.table import STRING, SchemaError
from analytics_platform.model.tables.operational_tables import ANALYTICS_REPORTS, CONVERSATION_CATEGORIES, USER_PROFILES
from analytics_platform.storage.mongo.collection_validators import satisfies_validator, validator
from analytics_platform.storage.mongo.collections import COLLECTIONS, Collection

CATEGORIES = Collection(CONVERSATION_CATEGORIES)
USERS = Collection(USER_PROFILES, partition=None)
DAILY_REPORTS = Collection(ANALYTICS_REPORTS, fixed={"kind": "daily"})
MIDNIGHT = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)


def test_the_six_collections_are_declared():
    assert sorted(collection.name for collection in COLLECTIONS) == [
        "analytics_reports",
        "conversation_analytics",
        "conversation_categories",
        "conversation_messages",
        "conversation_translations",
        "user_analytics",
    ]


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda collection: collection.name)
def test_indexes_and_scopes_name_declared_columns(collection):
    fields = {field for index in collection.all_indexes for field in index} | set(collection.fixed)
    assert fields <= {"_id", *collection.table.column_names}


def test_a_partition_is_its_day_its_fixed_fields_or_everything():
    assert CATEGORIES.scope("2026-01-05") == {"date": MIDNIGHT}
    assert DAILY_REPORTS.scope("2026-01-05") == {"kind": "daily", "date": MIDNIGHT}
    assert DAILY_REPORTS.all_indexes == (("kind", "date", "_id"),)
    assert USERS.scope("") == {}
    assert USERS.all_indexes[0] == ("_id", "conversation_count")


@pytest.mark.parametrize(
    ("collection", "key", "message"),
    [(CATEGORIES, "", "is not a day"), (CATEGORIES, "2026-13-01", "is not a day"), (USERS, "2026-01-05", "only key")],
)
def test_a_key_that_the_collection_cannot_have_is_refused(collection, key, message):
    with pytest.raises(ValueError, match=message):
        collection.scope(key)


def test_rows_outside_the_partition_are_refused():
    rows = [
        {"date": dt.date(2026, 1, day), "conversation_id": "a", "topic": str(day), "confidence": 1.0, "rank": 1}
        for day in (5, 6, 7)
    ]
    table = CONVERSATION_CATEGORIES.from_rows(rows)
    with pytest.raises(ValueError, match="2 rows have another date than 2026-01-05"):
        CATEGORIES.check_scope(table, "2026-01-05")
    CATEGORIES.check_scope(table.slice(0, 1), "2026-01-05")
    CATEGORIES.check_scope(CONVERSATION_CATEGORIES.empty(), "2026-01-05")


def test_a_validator_says_what_the_declaration_says():
    schema = DAILY_REPORTS.validator["$jsonSchema"]
    properties = schema["properties"]
    assert schema["required"] == ["_id", *ANALYTICS_REPORTS.column_names]
    assert schema["additionalProperties"] is False
    assert properties["kind"] == {"bsonType": ["string"], "enum": ["daily", "monthly", "weekly"]}
    assert properties["date"] == {"bsonType": ["date"]}
    metric = properties["metrics"]["items"]
    assert metric["required"] == ["name", "value", "unit", "change"]
    assert metric["properties"]["name"] == {"bsonType": ["string"]}
    assert metric["properties"]["change"] == {"bsonType": ["double", "null"]}


def test_a_validator_has_bounds_lengths_and_null_among_the_allowed_values():
    properties = validator(USER_PROFILES)["$jsonSchema"]["properties"]
    assert properties["sentiment_mean"] == {"bsonType": ["double", "null"], "minimum": -1, "maximum": 1}
    assert properties["hourly_conversations"]["minItems"] == properties["hourly_conversations"]["maxItems"] == 24
    optional = Column("label", STRING, "Label.", nullable=True, allowed=frozenset({"a"}))
    table = Table("t", "one row", (Column("k", STRING, "Key."), optional), key=("k",))
    assert validator(table)["$jsonSchema"]["properties"]["label"] == {
        "bsonType": ["string", "null"],
        "enum": ["a", None],
    }


def test_a_type_without_a_bson_form_is_refused_by_name():
    table = Table("t", "one row", (Column("k", pa.duration("s"), "Key."),), key=("k",))
    with pytest.raises(SchemaError, match=r"table t, column k: type duration\[s\]"):
        validator(table)


REPORT = {
    "kind": "daily",
    **dict.fromkeys(("date", "period_start", "period_end"), dt.date(2026, 1, 5)),
    **dict.fromkeys(("title", "summary", "html"), "text"),
    "metrics": [{"name": "conversations", "value": 3.0, "unit": None, "change": None}],
    "findings": ["Nothing."],
    "discovered_topics": [],
    "topics": [{"label": "billing", "count": 3}],
}


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"metrics": [], "findings": [], "topics": []}, True),
        ({"kind": "yearly"}, False),
        ({"metrics": [{"name": None, "value": 3.0, "unit": None, "change": None}]}, False),
        ({"findings": ["Nothing.", None]}, False),
        ({"metrics": [None]}, False),
    ],
    ids=str,
)
def test_the_store_accepts_what_the_validator_accepts(changes, accepted):
    """The embedded server does not check a document again that the store has accepted."""
    table = pa.Table.from_pylist([{**REPORT, **changes}], ANALYTICS_REPORTS.arrow_schema)
    assert satisfies_validator(ANALYTICS_REPORTS, table) is accepted
