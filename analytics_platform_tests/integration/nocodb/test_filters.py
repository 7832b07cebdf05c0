"""Filters mean on the real server what they say, whatever the values hold; both versions of the API."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_platform.sources.nocodb import filters

shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

NAMES = ["", " ", "a", "b", "null", "it's, (so)~or", 'say "x"', "~not", None]
NUMBERS = [-5, 0, 1, 2.5, None]
TIMES = [dt.datetime(2026, 1, 2, 20, tzinfo=dt.UTC), dt.datetime(2026, 1, 3, tzinfo=dt.UTC), None]
ROWS = [
    {"the name, (x)": name, "number": number, "at": at, "done": (index % 3) == 0}
    for index, (name, number, at) in enumerate(itertools.product(NAMES, NUMBERS, TIMES))
]

Selects = Callable[[dict[str, Any]], bool]


@pytest.fixture(scope="module")
def values(noco):
    return noco.make_table({"short": "SingleLineText", "long": "LongText"})


@pytest.fixture(scope="module")
def rows(noco):
    kinds = {"the name, (x)": "SingleLineText", "number": "Decimal", "at": "DateTime", "done": "Checkbox"}
    table = noco.make_table(kinds)
    sent = [{**row, "at": row["at"] and f"{row['at']:%Y-%m-%d %H:%M:%S+00:00}"} for row in ROWS]
    return table, dict(zip(noco.insert(table, sent), ROWS, strict=True))


@shared
@given(value=st.text(max_size=30), others=st.lists(st.text(max_size=30), max_size=3))
@example(value="a,b", others=["a", "b"])
@example(value="(a)~and(b)", others=["a"])
@example(value="it's", others=["its"])
@example(value='say "x"', others=["say x"])
@example(value="null", others=["NULL", ""])
@example(value="%", others=["anything", "_"])
@example(value=" a ", others=["a"])
@example(value="a\\", others=["a"])
@example(value="a\\b'", others=["b"])
@example(value="", others=[" "])
@example(value="日本, 😀", others=["日本"])
def test_equality_selects_the_equal_rows_or_is_refused(noco, values, client, read_ids, value, others):
    with_others = {value, *others, value + "x", value.upper(), value.strip()}
    sent = [{"short": each, "long": each} for each in with_others if "\0" not in each]
    start = max(noco.insert(values, sent)) - len(sent)
    stored = [row for page in client.pages(values, after=start) for row in page]
    for column in ("short", "long"):
        try:
            equal = read_ids(values, where=filters.eq(column, value), after=start)
            other = read_ids(values, where=~filters.eq(column, value), after=start)
            among = read_ids(values, where=filters.one_of(column, ["never there", value]), after=start)
        except ValueError as refused:
            assert "a filter cannot hold the value" in str(refused)
            assert value.endswith("\\") or "\0" in value or {"'", '"'} <= set(value)
            continue
        assert equal == among == [row["Id"] for row in stored if row[column] == value]
        assert other == [row["Id"] for row in stored if row[column] != value]


def _leaves() -> st.SearchStrategy[tuple[filters.Filter, Selects]]:
    name, number, at = "the name, (x)", "number", "at"
    texts, numbers = st.sampled_from(NAMES[:-1]), st.sampled_from([*NUMBERS[:-1], -2.25, 7])
    moments = st.sampled_from(TIMES[:-1]).flatmap(
        lambda moment: st.integers(-1, 1).map(lambda second: moment + dt.timedelta(seconds=second))
    )
    return st.one_of(
        texts.map(lambda text: (filters.eq(name, text), lambda row: row[name] == text)),
        texts.map(lambda text: (filters.ne(name, text), lambda row: row[name] != text)),
        st.lists(texts, min_size=1, max_size=3).map(
            lambda some: (filters.one_of(name, some), lambda row: row[name] in some)
        ),
        numbers.map(lambda n: (filters.eq(number, n), lambda row: row[number] == n)),
        numbers.map(lambda n: (filters.gt(number, n), lambda row: row[number] is not None and row[number] > n)),
        numbers.map(lambda n: (filters.ge(number, n), lambda row: row[number] is not None and row[number] >= n)),
        numbers.map(lambda n: (filters.lt(number, n), lambda row: row[number] is not None and row[number] < n)),
        numbers.map(lambda n: (filters.le(number, n), lambda row: row[number] is not None and row[number] <= n)),
        moments.map(lambda m: (filters.since(at, m), lambda row: row[at] is not None and row[at] >= m)),
        moments.map(lambda m: (filters.before(at, m), lambda row: row[at] is not None and row[at] < m)),
        st.booleans().map(lambda done: (filters.eq("done", done), lambda row: row["done"] is done)),
        st.sampled_from([name, number, at]).flatmap(
            lambda column: st.sampled_from(
                [
                    (filters.is_null(column), lambda row: row[column] is None),
                    (filters.not_null(column), lambda row: row[column] is not None),
                ]
            )
        ),
    )


def _combined(parts: st.SearchStrategy) -> st.SearchStrategy:
    some = st.lists(parts, min_size=1, max_size=3)
    return st.one_of(
        some.map(lambda each: (filters.all_of(*(f for f, _ in each)), lambda row: all(s(row) for _, s in each))),
        some.map(lambda each: (filters.any_of(*(f for f, _ in each)), lambda row: any(s(row) for _, s in each))),
    )


@shared
@given(pair=st.recursive(_leaves(), _combined, max_leaves=6))
def test_combined_filters_select_what_they_say(rows, read_ids, pair):
    table, stored = rows
    where, selects = pair
    assert read_ids(table, where=where) == [key for key, row in sorted(stored.items()) if selects(row)]


@pytest.mark.parametrize(
    ("where", "selects"),
    [
        (filters.gt("number", 0) & filters.lt("number", 2), lambda row: row["number"] != 1),
        (filters.one_of("number", [0, 1]) | filters.eq("done", True), lambda row: row["number"] not in {0, 1}),
        (~(filters.is_null("number") | filters.gt("number", 0)), lambda row: row["number"] in {1, 2.5, None}),
    ],
)
def test_a_negated_group_selects_the_other_rows_that_have_a_value(rows, read_ids, where, selects):
    table, stored = rows
    got = [stored[key] for key in read_ids(table, where=~where)]
    picked = [stored[key] for key in read_ids(table, where=where)]
    with_value = [row for row in stored.values() if row["number"] is not None]
    assert [row for row in with_value if row not in picked] == [row for row in got if row["number"] is not None]
    assert all(selects(row) for row in got)


def test_a_day_is_half_open_in_utc_whatever_zone_the_column_shows(noco, read_ids):
    table = noco.make_table({"at": "DateTime", "on": "Date"})
    times = ["2026-01-01 23:59:59", "2026-01-02 00:00:00", "2026-01-02 23:59:59", "2026-01-03 00:00:00"]
    noco.insert(table, [{"at": f"{time}+00:00", "on": time[:10]} for time in times])
    assert read_ids(table, where=filters.on_day("at", dt.date(2026, 1, 2))) == [2, 3]
    assert read_ids(table, where=filters.on_day("on", dt.date(2026, 1, 2))) == [2, 3]
