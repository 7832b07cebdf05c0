"""Descriptions of failed dbt tests in words: day, column, value and number of rows.

The failing rows come from the test's own SQL, run once more on the file that dbt built. Texts that people may have
written are shortened and escaped; a description otherwise contains only identifiers, labels, days and counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from analytics_platform.system.plain_text import counted

PROBLEMS_LISTED = 5
"""Most problems of one test that are described; further problems are only counted."""
_DAYS_TOLD = 3
_CHARACTERS_TOLD = 40


@dataclass(frozen=True)
class DataTest:
    """A data test of the dbt project.

    Attributes:
        sql: The compiled query; each row that it returns is a failure.
        kind: Generic test such as ``unique`` or ``accepted_values``; None for a singular test.
        model: Name of the tested model, for a test of one column.
        column: Name of the tested column.
        arguments: Arguments of the test in the project, e.g. ``{"values": ["low", "high"]}``.
    """

    sql: str
    kind: str | None = None
    model: str | None = None
    column: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Group:
    """Rows of a model that share a failing value."""

    value: str | None
    rows: int
    days: Sequence[str]
    key: str | None


def describe_problems(connection: duckdb.DuckDBPyConnection, test: DataTest) -> list[str]:
    """Return the problems of a failed test, one sentence each; after ``PROBLEMS_LISTED``, the number of further ones.

    Args:
        connection: The file that dbt built, with access to every table that the test reads.
        test: The test.

    Raises:
        duckdb.Error: If the query cannot be run.
    """
    if test.model and test.column:
        return _limited(*_of_column(connection, test, test.model, test.column))
    failing = connection.sql(f"select * from (\n{test.sql}\n)")  # noqa: S608  (of the project)
    total = failing.count("*").fetchall()[0][0]
    rows = [dict(zip(failing.columns, row, strict=True)) for row in failing.limit(PROBLEMS_LISTED).fetchall()]
    return _limited([_row_in_words(row) for row in rows], total)


def _limited(problems: list[str], total: int) -> list[str]:
    rest = total - len(problems)
    return [*problems, f"and {rest:,} more"] if rest > 0 else problems


def _row_in_words(row: Mapping[str, Any]) -> str:
    if "explanation" in row:
        return f"{row['date']}: {row['explanation']}" if "date" in row else str(row["explanation"])
    return ", ".join(f"{name} is {_shown(value)}" for name, value in row.items())


def _of_column(connection: duckdb.DuckDBPyConnection, test: DataTest, model: str, column: str) -> tuple[list[str], int]:
    """Return one sentence for each of the first failing values of a column, and the number of all failing values."""
    failing = connection.sql(f"select * from (\n{test.sql}\n)")  # noqa: S608  (of the project)
    value, (key, *others) = failing.columns[0], connection.table(model).columns
    days = "list(distinct rows.date::varchar order by rows.date::varchar)" if "date" in (key, *others) else "[]"
    query = f"""
        with failing as (select distinct {_quoted(value)} as value from (\n{test.sql}\n))
        select
            failing.value::varchar as value, count(*) as row_count, {days} as days, min(rows.{_quoted(key)}) as key,
            count(*) over () as value_count
        from {_quoted(model)} as rows
        join failing on rows.{_quoted(column)} is not distinct from failing.value
        group by failing.value
        order by row_count desc, value
        limit {PROBLEMS_LISTED}
    """  # noqa: S608  (names and SQL of the project)
    rows = connection.execute(query).fetchall()
    groups = [_Group(value, count, days, None if key == column else f"{key} {_shown(first)}")
              for value, count, days, first, _ in rows]  # fmt: skip
    in_words = _WORDS.get(test.kind or "", _any_kind)
    problems = [f"{_told_days(group.days)}{in_words(test, group)}" for group in groups]
    return problems, rows[0][-1] if rows else 0


def _any_kind(test: DataTest, group: _Group) -> str:
    return f"{test.model}.{test.column} is {_shown(group.value)} in {_told_rows(group)}"


def _unique(test: DataTest, group: _Group) -> str:
    return f"{_any_kind(test, group)}, and must be in one alone"


def _accepted_values(test: DataTest, group: _Group) -> str:
    return f"{_any_kind(test, group)}; known are {', '.join(map(str, test.arguments.get('values', [])))}"


def _relationships(test: DataTest, group: _Group) -> str:
    to = str(test.arguments.get("to", "")).removeprefix("ref('").removesuffix("')")
    return f"{_any_kind(test, group)}, and {to}.{test.arguments.get('field', '')} lacks it"


_WORDS: Mapping[str, Callable[[DataTest, _Group], str]] = {
    "unique": _unique,
    "accepted_values": _accepted_values,
    "relationships": _relationships,
}


def _told_rows(group: _Group) -> str:
    count = f"{group.rows:,} row{'s' if group.rows != 1 else ''}"
    return f"{count}, e.g. {group.key}" if group.key else count


def _told_days(days: Sequence[str]) -> str:
    if not days:
        return ""
    rest = len(days) - _DAYS_TOLD
    return ", ".join(days[:_DAYS_TOLD]) + (f" and {counted(rest, 'more day')}: " if rest > 0 else ": ")


def _shown(value: object) -> str:
    """Return a value on one line: texts shortened and quoted, control characters as escapes."""
    if value is None:
        return "missing"
    if not isinstance(value, str):
        return str(value) if isinstance(value, int | float) or hasattr(value, "isoformat") else "…"
    return repr(value if len(value) <= _CHARACTERS_TOLD else f"{value[:_CHARACTERS_TOLD]}…")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
