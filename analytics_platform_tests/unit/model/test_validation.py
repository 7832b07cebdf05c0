"""Every rule that a declaration states is checked, and the broken rows are counted."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.model import Column, Table, Violation, find_violations
from analytics_platform.model.table import NUMBER, STRING

RATINGS = Table(
    name="ratings",
    grain="one row per user and day",
    columns=(
        Column("user", STRING, "Who."),
        Column("day", STRING, "When."),
        Column("mood", STRING, "How.", nullable=True, allowed=frozenset({"bad", "good"})),
        Column("stars", NUMBER, "How many.", nullable=True, minimum=1, maximum=5),
    ),
    key=("user", "day"),
)


def ratings(**columns: list[Any]) -> pa.Table:
    """Return as many valid rows as the columns given are long, with these columns replaced."""
    count = len(next(iter(columns.values())))
    valid: dict[str, list[Any]] = {
        "user": [f"u{i}" for i in range(count)],
        "day": ["monday"] * count,
        "mood": ["good"] * count,
        "stars": [3.0] * count,
    }
    return pa.table(valid | columns, schema=RATINGS.arrow_schema)


def test_a_valid_table_and_an_empty_one_break_nothing() -> None:
    assert find_violations(RATINGS, ratings(mood=["bad", None], stars=[1.0, 5.0])) == []
    assert find_violations(RATINGS, RATINGS.empty()) == []


@pytest.mark.parametrize(
    ("columns", "column", "rule", "rows"),
    [
        ({"day": [None, "monday", None]}, "day", "is not null", 2),
        ({"mood": ["good", "ugly", None]}, "mood", "is one of ['bad', 'good']", 1),
        ({"stars": [0.5, 0.0, 3.0]}, "stars", ">= 1", 2),
        ({"stars": [5.5, None, 3.0]}, "stars", "<= 5", 1),
        ({"user": ["u", "u", "u", "v"]}, "user,day", "is unique", 2),
    ],
)
def test_a_broken_rule_is_named_with_its_rows(columns: dict[str, list[Any]], column: str, rule: str, rows: int) -> None:
    assert find_violations(RATINGS, ratings(**columns)) == [Violation("ratings", column, rule, rows)]


def test_a_number_that_is_none_is_not_finite() -> None:
    broken = {
        violation.rule: violation.rows for violation in find_violations(RATINGS, ratings(stars=[float("nan"), 3.0]))
    }
    assert broken["is finite"] == 1


def test_infinity_is_not_finite_and_too_large() -> None:
    found = find_violations(RATINGS, ratings(stars=[float("inf")]))
    assert [violation.rule for violation in found] == ["is finite", "<= 5"]


def test_another_schema_is_one_violation_of_all_rows() -> None:
    table = ratings(stars=[1.0, 2.0]).drop_columns("mood")
    assert find_violations(RATINGS, table) == [Violation("ratings", "*", "has the declared schema", 2)]


def test_schema_metadata_changes_nothing() -> None:
    assert find_violations(RATINGS, ratings(stars=[1.0]).replace_schema_metadata({"written": "today"})) == []


def test_a_violation_reads_as_a_sentence() -> None:
    assert str(Violation("ratings", "stars", ">= 1", 2)) == "ratings.stars: 2 rows break «>= 1»"


@given(stars=st.lists(st.none() | st.floats(-10, 10), min_size=1, max_size=30))
def test_the_range_rules_count_what_a_plain_loop_counts(stars: list[float | None]) -> None:
    expected = {
        ">= 1": sum(star is not None and star < 1 for star in stars),
        "<= 5": sum(star is not None and star > 5 for star in stars),
    }
    found = {violation.rule: violation.rows for violation in find_violations(RATINGS, ratings(stars=stars))}
    assert found == {rule: count for rule, count in expected.items() if count}


@given(keys=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), min_size=1, max_size=12))
def test_the_key_is_unique_exactly_when_no_pair_repeats(keys: list[tuple[str, str]]) -> None:
    found = find_violations(RATINGS, ratings(user=[user for user, _ in keys], day=[day for _, day in keys]))
    assert sum(violation.rows for violation in found) == len(keys) - len(set(keys))
