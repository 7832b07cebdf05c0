"""A declaration is refused when it contradicts itself; data is brought into one form or refused by column."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.model.table import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    TIMESTAMP,
    Column,
    SchemaError,
    Table,
)

WORDS = pa.list_(pa.field("item", STRING, nullable=False))
PAIR = pa.list_(pa.field("item", INTEGER, nullable=False), 2)

CHATS = Table(
    name="chats",
    grain="one row per chat",
    columns=(
        Column("id", STRING, "The chat."),
        Column("room", STRING, "Where.", nullable=True),
        Column("at", TIMESTAMP, "When, UTC."),
        Column("size", INTEGER, "How long.", minimum=0),
        Column("score", NUMBER, "How good.", nullable=True),
        Column("open", BOOLEAN, "Whether it goes on."),
        Column("words", WORDS, "What was said."),
        Column("span", PAIR, "From and to."),
    ),
    key=("id",),
    order=("room",),
)

ROW: dict[str, Any] = {
    "id": "a",
    "room": "lobby",
    "at": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    "size": 3,
    "score": 0.5,
    "open": True,
    "words": ["hi", "there"],
    "span": [1, 2],
}

rows_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text(st.characters(codec="utf-8"), max_size=4),
            "room": st.none() | st.sampled_from(["attic", "cellar"]),
            "at": st.datetimes(min_value=dt.datetime(1970, 1, 1), max_value=dt.datetime(2100, 1, 1)).map(  # noqa: DTZ001
                lambda at: at.replace(tzinfo=dt.UTC)
            ),
            "size": st.integers(0, 2**53),
            "score": st.none() | st.floats(allow_nan=False),
            "open": st.booleans(),
            "words": st.lists(st.text(st.characters(codec="utf-8"), max_size=3), max_size=3),
            "span": st.tuples(st.integers(0, 9), st.integers(0, 9)).map(list),
        }
    ),
    unique_by=lambda row: row["id"],
    max_size=8,
)


@given(rows=rows_strategy, data=st.data())
def test_the_canonical_form_does_not_depend_on_the_order_of_rows_or_columns(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    expected = CHATS.from_rows(rows)
    names = data.draw(st.permutations(CHATS.column_names))
    shuffled = pa.Table.from_pylist(data.draw(st.permutations(rows)), schema=CHATS.arrow_schema).select(names)
    assert CHATS.conform(shuffled).equals(expected)


@given(rows=rows_strategy)
def test_the_canonical_form_keeps_every_row_and_is_its_own_canonical_form(rows: list[dict[str, Any]]) -> None:
    table = CHATS.from_rows(rows)
    assert sorted(table.to_pylist(), key=lambda row: row["id"]) == sorted(rows, key=lambda row: row["id"])
    assert CHATS.conform(table).equals(table)
    assert table.schema == CHATS.arrow_schema
    assert {column.num_chunks for column in table.columns} == {1}


@given(rows=rows_strategy)
def test_a_frame_and_a_table_of_the_same_rows_become_the_same_table(rows: list[dict[str, Any]]) -> None:
    table = CHATS.from_rows(rows)
    assert CHATS.conform(table.to_pandas()).equals(table)


def test_rows_come_by_order_then_by_key_with_missing_values_last() -> None:
    rows = [
        ROW | {"id": key, "room": room} for key, room in [("d", None), ("b", "lobby"), ("c", "attic"), ("a", "lobby")]
    ]
    assert CHATS.from_rows(rows).column("id").to_pylist() == ["c", "a", "b", "d"]


def test_chunks_are_joined() -> None:
    one = CHATS.from_rows([ROW])
    joined = CHATS.conform(pa.concat_tables([one, CHATS.from_rows([ROW | {"id": "b"}])]))
    assert joined.column("id").num_chunks == 1
    assert joined.num_rows == 2


def test_an_empty_table_has_the_schema() -> None:
    assert CHATS.conform(CHATS.empty()).equals(CHATS.empty())
    assert CHATS.conform(CHATS.empty().to_pandas()).schema == CHATS.arrow_schema


def test_narrower_types_are_widened_without_loss() -> None:
    narrow = CHATS.from_rows([ROW]).set_column(3, "size", pa.array([3], pa.int8()))
    assert CHATS.conform(narrow).equals(CHATS.from_rows([ROW]))


def with_column(name: str, values: pa.Array) -> pa.Table:
    table = CHATS.from_rows([ROW])
    return table.set_column(CHATS.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        pytest.param("id", pa.array([None], STRING), id="missing key"),
        pytest.param("id", pa.array([7]), id="number for text"),
        pytest.param("size", pa.array(["7"]), id="text for number"),
        pytest.param("at", pa.array(["2024-01-01"]), id="text for time"),
        pytest.param("size", pa.array([1.5]), id="fraction for integer"),
        pytest.param("size", pa.array([2**63], pa.uint64()), id="too large"),
        pytest.param("words", pa.array([["hi", None]]), id="missing word"),
        pytest.param("span", pa.array([[1, None]]), id="missing end"),
        pytest.param("span", pa.array([[1, 2, 3]]), id="three ends"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_table_and_column(name: str, values: pa.Array) -> None:
    table = with_column(name, values)
    for data in (table, table.to_pandas()):
        with pytest.raises(SchemaError, match=rf"^table chats, column {name}: "):
            CHATS.conform(data)


def test_missing_and_unknown_columns_are_refused_by_name() -> None:
    table = CHATS.from_rows([ROW]).rename_columns({"size": "length"})
    for data in (table, table.to_pandas()):
        with pytest.raises(SchemaError, match=r"missing columns \['size'\], unknown columns \['length'\]"):
            CHATS.conform(data)


def test_a_frames_index_is_no_column() -> None:
    frame = CHATS.from_rows([ROW]).to_pandas().set_index(pd.Index([99]))
    assert CHATS.conform(frame).equals(CHATS.from_rows([ROW]))


def test_a_frames_text_column_without_any_text_fits_every_nullable_type() -> None:
    frame = CHATS.from_rows([ROW]).to_pandas().assign(score=pd.Series([None], dtype="str"))
    assert CHATS.conform(frame).column("score").to_pylist() == [None]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"key": ()}, "key and order must name its columns"),
        ({"key": ("nobody",)}, r"\['nobody'\]"),
        ({"order": ("nowhere",)}, r"\['nowhere'\]"),
        ({"columns": (*CHATS.columns, CHATS.columns[0])}, "declared twice"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(SchemaError, match=rf"^table chats: .*{says}"):
        dataclasses.replace(CHATS, **change)


def test_a_column_is_found_by_name_and_an_unknown_name_says_whose_it_is() -> None:
    assert CHATS.column("size").minimum == 0
    with pytest.raises(KeyError, match="table chats has no column 'weight'"):
        CHATS.column("weight")
