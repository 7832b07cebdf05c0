"""Comparing what a partition holds with what it should hold."""

from __future__ import annotations

import datetime as dt
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.storage.agreement import Disagreement, compare, same_content

PLACE = Disagreement("mongo", "messages", "2006-05-15", "")
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("at", pa.timestamp("ms", tz="UTC")),
        ("score", pa.float64()),
        ("topics", pa.list_(pa.struct([("label", pa.string()), ("confidence", pa.float64())]))),
    ]
)
TIME = dt.datetime(2006, 5, 15, 10, tzinfo=dt.UTC)


def row(name: str, score: float | None = 0.5, *labels: str) -> dict[str, object]:
    return {"id": name, "at": TIME, "score": score, "topics": [{"label": one, "confidence": 0.5} for one in labels]}


def table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def difference(expected: pa.Table, actual: pa.Table, *misfits: str) -> Disagreement | None:
    return compare(PLACE, expected, actual, ["id"], misfits)


def test_the_same_rows_in_another_order_agree():
    assert difference(table(row("a"), row("b", None)), table(row("b", None), row("a"))) is None


def test_nothing_agrees_with_nothing():
    assert difference(table(), table()) is None


@pytest.mark.parametrize(
    ("actual", "told"),
    [
        ([row("a"), row("b")], "1 row differs from the lake (1 missing; 2 rows where the lake gives 3): c"),
        ([row("a"), row("b"), row("c", 0.5, "boot"), row("d")], "1 foreign; 4 rows where the lake gives 3): d"),
        ([row("a"), row("b", 0.25), row("c", 0.5, "boot")], "1 changed; 3 rows where the lake gives 3): b"),
        ([row("a"), row("b", None), row("c", 0.5, "boot")], "1 changed; 3 rows where the lake gives 3): b"),
        ([row("a"), row("b"), row("c", 0.5, "apt")], "1 changed; 3 rows where the lake gives 3): c"),
        ([row("a"), row("a"), row("b"), row("c", 0.5, "boot")], "1 foreign; 4 rows where the lake gives 3): a"),
    ],
)
def test_the_rows_that_differ_are_counted_and_named(actual, told):
    found = difference(table(row("a"), row("b"), row("c", 0.5, "boot")), table(*actual))
    assert str(found).endswith(told)
    assert str(found).startswith("2006-05-15: mongo messages: 1 row differs")


def test_a_row_that_fits_no_schema_is_told_apart_from_one_that_is_missing():
    found = difference(table(row("a"), row("b")), table(row("a")), "b")
    assert found is not None
    assert (found.rows, found.ids) == (1, ("b",))
    assert "1 misfit; 2 rows" in found.problem


def test_only_the_first_few_are_named():
    found = difference(table(*(row(f"{n:02}") for n in range(20))), table())
    assert found is not None
    assert (found.rows, found.ids) == (20, ("00", "01", "02", "03", "04"))
    assert str(found).endswith("04, …")


ROWS = st.dictionaries(st.sampled_from("abcdef"), st.one_of(st.none(), st.integers(0, 2).map(float)))


@given(expected=ROWS, actual=ROWS)
def test_exactly_the_rows_that_differ_are_found(expected, actual):
    left, right = (table(*(row(name, score) for name, score in rows.items())) for rows in (expected, actual))
    wrong = [
        key
        for key in expected.keys() | actual.keys()
        if (key in expected, expected.get(key)) != (key in actual, actual.get(key))
    ]
    found = difference(left, right)
    assert (found.rows if found else 0) == len(wrong)
    assert (found.ids if found else ()) == tuple(sorted(wrong)[:5])
    assert same_content(left, right, ["id"]) == (not wrong)


def test_a_number_that_is_none_agrees_with_itself():
    assert difference(table(row("a", math.nan)), table(row("a", math.nan))) is None
