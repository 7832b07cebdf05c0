"""The content hash depends on what a table says and on nothing else."""

from __future__ import annotations

import datetime as dt
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.storage.content_hash import content_hash

ROWS = st.fixed_dictionaries(
    {
        "text": st.none() | st.text(max_size=5),
        "flag": st.none() | st.booleans(),
        "count": st.none() | st.integers(-5, 5),
        "score": st.none() | st.floats(allow_nan=False, width=32),
        "labels": st.none() | st.lists(st.fixed_dictionaries({"label": st.none() | st.text(max_size=3)}), max_size=3),
    }
)
SCHEMA = pa.schema(
    {
        "text": pa.string(),
        "flag": pa.bool_(),
        "count": pa.int64(),
        "score": pa.float64(),
        "labels": pa.list_(pa.struct({"label": pa.string()})),
    }
)


def build(rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@given(st.lists(ROWS, max_size=12), st.integers(0, 12))
def test_chunks_slices_and_parquet_do_not_matter(rows, cut):
    whole = build(rows)
    chunked = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    padded = pa.concat_tables([build([{}]), whole, build([{}])]).combine_chunks().slice(1, len(rows))
    buffer = io.BytesIO()
    pq.write_table(whole, buffer, compression="zstd")
    buffer.seek(0)
    assert content_hash(whole) == content_hash(chunked) == content_hash(padded) == content_hash(pq.read_table(buffer))


@given(st.lists(ROWS, max_size=6), st.lists(ROWS, max_size=6))
def test_different_content_has_a_different_hash(left, right):
    a, b = build(left), build(right)
    assert (content_hash(a) == content_hash(b)) == (a.to_pylist() == b.to_pylist())


def test_the_hash_of_stored_content_stays():
    """Another hash of the same content would make every partition of every lake stale."""
    row = {"text": "é", "flag": True, "count": -3, "score": -0.5, "labels": [{"label": "a"}, {"label": None}]}
    table = build([{}, row, {**row, "text": None, "labels": []}])
    day = pa.array([dt.date(2024, 2, 29), None, None])
    vectors = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.float32(), 2))
    times = pa.array([dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)] * 3)
    table = table.append_column("day", day).append_column("vector", vectors).append_column("time", times)
    table = table.append_column("none", pa.nulls(3)).append_column(
        "word", pa.array(["a", None, "a"]).dictionary_encode()
    )
    assert content_hash(table)[:16] == "63de311c11737ccc"
    assert content_hash(table.slice(0, 0))[:16] == "16c2630dbc0e49ab"


def test_bytes_under_nulls_do_not_matter():
    dirty = pa.Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\x01"), pa.array([7, 99]).buffers()[1]])
    assert content_hash(pa.table({"n": dirty})) == content_hash(pa.table({"n": pa.array([7, None], pa.int64())}))


def test_dictionary_encoding_does_not_matter():
    plain = pa.array(["a", "b", "a", None])
    assert content_hash(pa.table({"t": plain})) == content_hash(pa.table({"t": plain.dictionary_encode()}))


@pytest.mark.parametrize("kind", [pa.int32(), pa.float64(), pa.string()])
def test_names_and_types_matter(kind):
    ones = pa.table({"n": pa.array([1, 2], pa.int64())})
    assert content_hash(ones) != content_hash(pa.table({"n": ones["n"].cast(kind)}))
    assert content_hash(ones) != content_hash(ones.rename_columns(["m"]))


def test_an_unknown_type_is_refused():
    with pytest.raises(TypeError, match="decimal"):
        content_hash(pa.table({"d": pa.array([1], pa.decimal128(5, 2))}))
