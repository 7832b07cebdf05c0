from __future__ import annotations

import datetime as dt

import bson
import pyarrow as pa
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.model import Column, Table
from analytics_platform.model.table import BOOLEAN, DATE, INTEGER, NUMBER, STRING, TIMESTAMP, SchemaError
from analytics_platform.model.tables.operational_tables import CONVERSATION_CATEGORIES
from analytics_platform.storage.mongo.wire_documents import DocumentError, to_documents, to_table

PAIR = pa.struct([pa.field("label", STRING, nullable=False), pa.field("weight", NUMBER)])
EVERY_TYPE = Table(
    name="every_type",
    grain="one row per key",
    columns=(
        Column("date", DATE, "Day."),
        Column("name", STRING, "Name."),
        Column("text", STRING, "Text.", nullable=True),
        Column("count", INTEGER, "Count.", nullable=True),
        Column("share", NUMBER, "Share.", nullable=True),
        Column("flag", BOOLEAN, "Flag.", nullable=True),
        Column("at", TIMESTAMP, "Time.", nullable=True),
        Column("day", DATE, "Other day.", nullable=True),
        Column("pairs", pa.list_(pa.field("item", PAIR, nullable=False)), "Pairs.", nullable=True),
        Column("vector", pa.list_(pa.field("item", pa.float16(), nullable=False), 2), "Vector."),
    ),
    key=("date", "name"),
    order=("name", "date"),
)

milliseconds = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
finite = st.floats(allow_nan=False, allow_infinity=False)
rows = st.fixed_dictionaries(
    {
        "date": st.dates(),
        "name": st.text(max_size=5),
        "text": st.none() | st.text(max_size=5),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "share": st.none() | finite,
        "flag": st.none() | st.booleans(),
        "at": st.none() | milliseconds,
        "day": st.none() | st.dates(),
        "pairs": st.none()
        | st.lists(st.fixed_dictionaries({"label": st.text(max_size=3), "weight": st.none() | finite}), max_size=2),
        "vector": st.lists(st.floats(width=16, allow_nan=False, allow_infinity=False), min_size=2, max_size=2),
    }
)


def through_bson(declared: Table, table: pa.Table) -> list[dict]:
    options = CodecOptions(tz_aware=True)
    return [bson.decode(d.raw, options) for batch in to_documents(declared, table) for _, d in batch]


@given(st.lists(rows, max_size=8, unique_by=lambda row: (row["name"], row["date"])))
def test_every_table_of_whole_milliseconds_comes_back_exactly(content):
    table = EVERY_TYPE.from_rows(content)
    documents = through_bson(EVERY_TYPE, table)
    back = to_table(EVERY_TYPE, reversed(documents))
    assert back.schema == table.schema
    assert back.equals(table)
    assert all(list(document) == ["_id", *EVERY_TYPE.column_names] for document in documents)


def row(**changes: object) -> dict:
    return {
        "date": dt.date(2026, 1, 5),
        "name": "a",
        **dict.fromkeys(["text", "count", "share", "flag", "at", "day", "pairs"]),
        "vector": [0.5, -1.0],
        **changes,
    }


def test_a_document_starts_with_the_joined_key_and_holds_dates_as_midnight_utc():
    (document,) = through_bson(EVERY_TYPE, EVERY_TYPE.from_rows([row()]))
    assert document["_id"] == "2026-01-05:a"
    assert document["date"] == dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    assert document["text"] is None


def test_times_finer_than_bson_are_cut_to_milliseconds():
    at = dt.datetime(2026, 1, 5, 1, 2, 3, 4567, tzinfo=dt.UTC)
    (document,) = through_bson(EVERY_TYPE, EVERY_TYPE.from_rows([row(at=at)]))
    assert document["at"] == at.replace(microsecond=4000)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("share", float("nan")),
        ("share", float("inf")),
        ("pairs", [{"label": "x", "weight": float("nan")}]),
        ("vector", [0.0, float("-inf")]),
    ],
)
def test_a_number_that_is_not_finite_is_refused_wherever_it_hides(column, value):
    table = EVERY_TYPE.from_rows([row(**{column: value})])
    with pytest.raises(SchemaError, match=f"column {column}"):
        list(to_documents(EVERY_TYPE, table))


def test_a_table_of_another_schema_is_refused():
    with pytest.raises(SchemaError, match="declared schema"):
        list(to_documents(EVERY_TYPE, EVERY_TYPE.empty().drop_columns(["flag"])))


def test_two_rows_that_would_share_an_id_are_refused_by_name():
    day = dt.date(2026, 1, 5)
    table = CONVERSATION_CATEGORIES.from_rows(
        [
            {"date": day, "conversation_id": "a", "topic": "b:c", "confidence": 1.0, "rank": 1},
            {"date": day, "conversation_id": "a", "topic": "b:c", "confidence": 0.5, "rank": 2},
        ]
    )
    with pytest.raises(DocumentError, match=r"conversation_categories.*'a:b:c'"):
        list(to_documents(CONVERSATION_CATEGORIES, table))


def test_colons_in_identifiers_give_no_two_rows_one_id():
    """A message ``c`` of conversation ``a:b`` and a message ``b:c`` of conversation ``a`` had the same ``_id``."""
    day = dt.date(2026, 1, 5)
    keys = [("a", "b:c"), ("a:b", "c"), ("a%3Ab", "c")]
    table = CONVERSATION_CATEGORIES.from_rows(
        [
            {"date": day, "conversation_id": conversation, "topic": topic, "confidence": 1.0, "rank": 1}
            for conversation, topic in keys
        ]
    )
    ids = {identifier for batch in to_documents(CONVERSATION_CATEGORIES, table) for identifier, _ in batch}
    assert ids == {"a:b:c", "a%3Ab:c", "a%253Ab:c"}


def test_a_document_too_large_for_mongodb_is_named():
    table = EVERY_TYPE.from_rows([row(name="huge", text="x" * (16 * 1024 * 1024))])
    with pytest.raises(DocumentError, match=r"every_type.*'2026-01-05:huge' has 16,"):
        list(to_documents(EVERY_TYPE, table))


def test_some_columns_are_returned_in_the_order_asked_for_and_the_declared_order_of_rows():
    table = EVERY_TYPE.from_rows([row(name=name, count=n) for n, name in enumerate("cab")])
    documents = [
        {field: document[field] for field in ("count", "name", "date")} for document in through_bson(EVERY_TYPE, table)
    ]
    back = to_table(EVERY_TYPE, reversed(documents), ["count", "name"])
    assert back.to_pylist() == [
        {"count": 1, "name": "a"},
        {"count": 2, "name": "b"},
        {"count": 0, "name": "c"},
    ]


def test_documents_of_another_declaration_are_refused_by_column():
    (document,) = through_bson(EVERY_TYPE, EVERY_TYPE.from_rows([row()]))
    del document["name"]
    with pytest.raises(SchemaError, match="column name"):
        to_table(EVERY_TYPE, [document])
