"""Filters mean on the real server what they say, whatever the values hold; both versions of the API."""

from __future__ import annotations

import datetime as dt
import itertools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_platform.sources.nocodb.noco_api import filters
from analytics_platform_tests.sizes import by_day_or_night

shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

NAMES = ["", " ", "a", "b", "null", "it's, (so)~or", 'say "x"', "~not", None]
NUMBERS = [-5, 0, 1, 2.5, None]
TIMES = [dt.datetime(2026, 1, 2, 20, tzinfo=dt.UTC), dt.datetime(2026, 1, 3, tzinfo=dt.UTC), None]
ROWS = [
    {"the name, (x)": name, "number": number, "at": at, "done": (index % 3) == 0}
    for index, (name, number, at) in enumerate(itertools.product(NAMES, NUMBERS, TIMES))
]

Row = dict[str, Any]
Selects = Callable[[Row], bool]


@dataclass
class Pair:
    """A filter, and in Python which rows it selects."""

    where: filters.Filter
    selects: Selects


@pytest.fixture(scope="module")
def values(noco):
    return noco.make_table({"short": "SingleLineText", "long": "LongText"})


@pytest.fixture(scope="module")
def rows(noco):
    kinds = {"the name, (x)": "SingleLineText", "number": "Decimal", "at": "DateTime", "done": "Checkbox"}
    table = noco.make_table(kinds)
    sent = [{**row, "at": row["at"] and f"{row['at']:%Y-%m-%d %H:%M:%S+00:00}"} for row in ROWS]
    return table, dict(zip(noco.insert(table, sent), ROWS, strict=True))


@settings(shared, max_examples=by_day_or_night(15, 150))
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
@example(value="\0", others=[])
@example(value="日本, 😀", others=["日本"])
def test_equality_selects_the_equal_rows_or_is_refused(noco, values, client, read_ids, value, others):
    with_others = {value, *others, value + "x", value.upper(), value.strip(), "another"}
    sent = [{"short": each, "long": each} for each in with_others if "\0" not in each]
    start = max(noco.insert(values, sent)) - len(sent)
    stored = [row for page in client.pages(values, after=start) for row in page]
    for column in ("short", "long"):
        if value.endswith("\\") or "\0" in value or {"'", '"'} <= set(value):
            with pytest.raises(ValueError, match="a filter cannot hold the value"):
                filters.one_of(column, [value])
            continue
        equal = read_ids(values, where=filters.one_of(column, [value]), after=start)
        among = read_ids(values, where=filters.one_of(column, ["never there", value]), after=start)
        assert equal == among == [row["Id"] for row in stored if row[column] == value]


def _leaf(where: filters.Filter, column: str, test: Selects) -> Pair:
    """Pair a filter with what it selects, which is never a row without a value."""
    return Pair(where, lambda row: row[column] is not None and test(row))


def _leaves() -> st.SearchStrategy[Pair]:
    name, number, at = "the name, (x)", "number", "at"
    texts, numbers = st.sampled_from(NAMES[:-1]), st.sampled_from([*NUMBERS[:-1], -2.25, 7])
    seconds = st.sampled_from([dt.timedelta(seconds=second) for second in (-1, 0, 1)])
    moments = st.builds(lambda moment, second: moment + second, st.sampled_from(TIMES[:-1]), seconds)
    orders = st.sampled_from([(filters.gt, operator.gt), (filters.le, operator.le)])
    return st.one_of(
        st.lists(texts, min_size=1, max_size=3).map(
            lambda some: _leaf(filters.one_of(name, some), name, lambda row: row[name] in some)
        ),
        numbers.map(lambda n: _leaf(filters.one_of(number, [n]), number, lambda row: row[number] == n)),
        st.builds(
            lambda order, n: _leaf(order[0](number, n), number, lambda row: order[1](row[number], n)), orders, numbers
        ),
        moments.map(lambda moment: _leaf(filters.since(at, moment), at, lambda row: row[at] >= moment)),
    )


def _joined(parts: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    some = st.lists(parts, min_size=1, max_size=3)
    joins = st.sampled_from([(filters.all_of, all), (filters.any_of, any)])
    return st.builds(
        lambda join, each: Pair(
            join[0](*(one.where for one in each)), lambda row: join[1](one.selects(row) for one in each)
        ),
        joins,
        some,
    )


@shared
@given(pair=st.recursive(_leaves(), _joined, max_leaves=6))
def test_joined_filters_select_what_they_say(rows, read_ids, pair):
    table, stored = rows
    assert read_ids(table, where=pair.where) == [key for key, row in sorted(stored.items()) if pair.selects(row)]


def test_times_are_compared_in_utc_whatever_zone_the_column_shows(noco, read_ids):
    table = noco.make_table({"at": "DateTime", "on": "Date"})
    times = ["2026-01-01 23:59:59", "2026-01-02 00:00:00", "2026-01-02 23:59:59", "2026-01-03 00:00:00"]
    noco.insert(table, [{"at": f"{time}+00:00", "on": time[:10]} for time in times])
    assert read_ids(table, where=filters.since("at", dt.datetime(2026, 1, 2, tzinfo=dt.UTC))) == [2, 3, 4]
    assert read_ids(table, where=filters.since("on", dt.datetime(2026, 1, 2, tzinfo=dt.UTC))) == [2, 3, 4]
