"""What a failed dbt test found is told in words, whichever test it is, and never more than a few lines of it."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from analytics_platform.storage.warehouse.failed_tests import PROBLEMS_LISTED, DataTest, describe_problems


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """A fact of three days, and a dimension without days."""
    with duckdb.connect() as connection:
        connection.execute("""
            create table fct as
            select * from (values
                ('a', date '2006-05-15', 'ann'), ('a', date '2006-05-16', 'bob'), ('b', date '2006-05-17', null),
                ('c', date '2006-05-15', 'eve'), ('d', date '2006-05-15', 'eve')
            ) as rows(fct_id, date, user_id);
            create table dim as select unnest(['ann', 'ann', 'bob']) as user_id;
        """)
        yield connection


def unique(table: str, column: str) -> str:
    return f"select {column} as unique_field, count(*) as n_records from {table} group by {column} having count(*) > 1"


@pytest.mark.parametrize(
    ("test", "told"),
    [
        (
            DataTest(unique("fct", "fct_id"), "unique", "fct", "fct_id"),
            ["2006-05-15, 2006-05-16: fct.fct_id is 'a' in 2 rows, and must be in one alone"],
        ),
        (
            DataTest(unique("dim", "user_id"), "unique", "dim", "user_id"),
            ["dim.user_id is 'ann' in 2 rows, and must be in one alone"],
        ),
        (
            DataTest("select user_id from fct where user_id is null", "not_null", "fct", "user_id"),
            ["2006-05-17: fct.user_id is missing in 1 row, e.g. fct_id 'b'"],
        ),
        (
            DataTest(
                "select user_id as from_field from fct anti join dim using (user_id) where user_id is not null -- end",
                "relationships", "fct", "user_id", {"to": "ref('dim')", "field": "user_id"},
            ),
            ["2006-05-15: fct.user_id is 'eve' in 2 rows, e.g. fct_id 'c', and dim.user_id lacks it"],
        ),
        (
            DataTest("select 'x' as value_field, 1 as n_records", "of_a_package", "fct", "user_id"),
            [],
        ),
        (
            DataTest("select date '2006-05-15' as date, 'counts differ' as explanation"),
            ["2006-05-15: counts differ"],
        ),
        (
            DataTest("select 3 as rows, 'a' || chr(27) || '[31m' as name, [1] as more"),
            ["rows is 3, name is 'a\\x1b[31m', more is …"],
        ),
    ],
)  # fmt: skip
def test_a_failure_is_told_with_day_column_value_and_rows(
    warehouse: duckdb.DuckDBPyConnection, test: DataTest, told: list[str]
) -> None:
    assert describe_problems(warehouse, test) == told


@pytest.mark.parametrize("column", [None, "number"])
def test_many_failures_are_told_by_a_few_and_a_count(warehouse: duckdb.DuckDBPyConnection, column: str | None) -> None:
    warehouse.execute("create table many as select 'k' || range as key, range as number from range(1000)")
    test = DataTest("select number from many", "never", "many" if column else None, column)
    told = describe_problems(warehouse, test)
    assert len(told) == PROBLEMS_LISTED + 1
    assert told[-1] == "and 995 more"
