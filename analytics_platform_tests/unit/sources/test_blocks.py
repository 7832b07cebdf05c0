"""Rows are judged in blocks: merged from small batches, read ahead by a thread, and returned in their order."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from analytics_platform.sources import rows as rows_module
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.row_rules.row_validation import judge, prepare_judging
from analytics_platform.sources.row_rules.tidying import INSTANT, plain_instants
from analytics_platform.sources.row_rules.time_forms import time_macros, time_of
from analytics_platform.sources.rows import Problem, Rows, merge_rows
from analytics_platform.system.read_ahead import read_ahead


def rows_of(*numbers: int, **columns: list[str | None]) -> Rows:
    return Rows(np.array(numbers, dtype=np.int64), {name: pa.array(values) for name, values in columns.items()})


def test_judged_rows_stand_in_the_order_of_the_rows():
    """A join returned the few rows of one NocoDB page in another order, and rows got each other's time of change."""
    numbers = [7, 3, 9, 1, 8]
    rows = rows_of(
        *numbers,
        conversation_id=["c"] * 5,
        role=["user", "bot", "agent", "user", "nobody"],
        text=["a", "b", "c", "d", "e"],
        timestamp=["2024-01-05T10:00:00Z"] * 5,
    )
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        prepare_judging(db, FieldMapping())

        judged = judge(db, FieldMapping().apply(rows), file=0, first_position=100)

    assert judged["source_row"].to_pylist() == numbers
    assert judged["position"].to_pylist() == [100 + number for number in numbers]
    assert judged["text"].to_pylist() == ["a", "b", "c", "d", "e"]


def test_small_batches_of_the_same_columns_are_merged(monkeypatch):
    monkeypatch.setattr(rows_module, "BLOCK_ROWS", 3)
    first, other = FieldMapping(), FieldMapping()
    problem = Problem("unreadable_row", "broken")
    batches = [
        (first, rows_of(1, a=["x"])),
        (first, Rows(np.array([2]), {"a": pa.array(["y"])}, {2: problem})),
        (first, rows_of(3, a=["z"])),
        (first, rows_of(4, a=["u"])),
        (first, rows_of(5, b=["v"])),
        (other, rows_of(6, b=["w"])),
    ]

    merged = list(merge_rows(batches))

    assert [rows.numbers.tolist() for _, rows in merged] == [[1, 2, 3], [4], [5], [6]]
    assert merged[0][1].columns["a"].to_pylist() == ["x", "y", "z"]
    assert merged[0][1].problems == {2: problem}
    assert [mapping is other for mapping, _ in merged] == [False, False, False, True]


def test_read_ahead_yields_all_items_and_raises_the_error_at_its_place():
    def items():
        yield None
        yield 2
        raise ValueError("broken")

    reader = read_ahead(items())

    assert [next(reader), next(reader)] == [None, 2]
    with pytest.raises(ValueError, match="broken"):
        next(reader)


def test_read_ahead_ends_when_the_caller_stops():
    assert next(read_ahead(range(10**9))) == 0


@pytest.mark.parametrize(
    "time",
    [
        "2024-01-01 09",
        "2024-01-01 09Z",
        "2024-01-01 09+05:30",
        "2024-01-01 09:00",
        "2024-01-01T09:00:00.5+05:30",
        "2024-01-01 09:00:00-0330",
        "2024-02-30 09:00:00Z",
        "2024-01-01 24:00:00",
        "1704448800",
        "0001-01-01 00:00:00Z",
    ],
)
def test_times_that_arrow_reads_are_what_sql_reads(time):
    """A time with an hour and no minutes is none of ours, though Arrow reads it."""
    quick = plain_instants(pa.array([time, None]), naive_is_utc=True)

    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute(time_macros(None))
        statement = f"SELECT ({time_of('$time', ('auto',), None)}).at AS at"
        by_sql = db.sql(statement, params={"time": time}).to_arrow_table()["at"]

    assert quick.type == INSTANT
    assert quick[0].as_py() in (None, by_sql[0].as_py())
    assert quick[1].as_py() is None


def test_a_local_time_is_never_read_without_its_zone():
    assert plain_instants(pa.array(["2024-01-01 09:00:00"]), naive_is_utc=False).null_count == 1
