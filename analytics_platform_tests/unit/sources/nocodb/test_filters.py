"""How filters are written, and which values are refused; what they select is tested on the real server."""

from __future__ import annotations

import datetime as dt

import pytest

from analytics_platform.sources.nocodb.noco_api import filters

NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("where", "written"),
    [
        (filters.one_of("name", ["it's (a, b)~or"]), """('name',in,"it's (a, b)~or")"""),
        (filters.one_of("it's", ['say "x"']), """("it's",in,'say "x"')"""),
        (filters.one_of("name", [""]), "('name',in,'')"),
        (filters.one_of("name", ["a,b", "null"]), "('name',in,'a,b','null')"),
        (filters.le("n", -2.5), "('n',le,-2.5)"),
        (filters.all_of(filters.gt("Id", 1)), "('Id',gt,1)"),
        (
            filters.all_of(filters.gt("Id", 1), filters.any_of(filters.one_of("a", [1]), filters.le("b", 2))),
            "(('Id',gt,1)~and(('a',in,1)~or('b',le,2)))",
        ),
        (
            filters.changed_since(NEW_YEAR),
            "(('CreatedAt',ge,exactDate,'2026-01-01T00:00:00Z')~or('UpdatedAt',ge,exactDate,'2026-01-01T00:00:00Z'))",
        ),
    ],
)
def test_filters_are_written_in_the_quoted_grammar(where, written):
    assert where.where() == str(where) == written


def test_a_time_of_another_zone_is_written_in_utc():
    tokyo = dt.timezone(dt.timedelta(hours=9))
    assert "2025-12-31T15:00:00Z" in str(filters.since("at", dt.datetime(2026, 1, 1, tzinfo=tokyo)))


@pytest.mark.parametrize("text", ["both ' and \"", "ends with \\", "nul \0", "\ud800"])
def test_texts_that_the_server_cannot_read_are_refused(text):
    for make in (
        lambda: filters.one_of("name", [text]),
        lambda: filters.one_of(text, ["x"]),
        lambda: filters.gt(text, 1),
        lambda: filters.one_of("name", ["a", text]),
    ):
        with pytest.raises(ValueError, match=r"a filter cannot hold the (value|column)"):
            make()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), True, "1", None])
def test_only_finite_numbers_are_ordered(number):
    with pytest.raises(ValueError, match="expected a finite number"):
        filters.gt("n", number)


@pytest.mark.parametrize("moment", [dt.datetime(2026, 1, 1), NEW_YEAR.replace(microsecond=1)])  # noqa: DTZ001
def test_a_time_without_zone_or_with_a_fraction_is_refused(moment):
    with pytest.raises(ValueError, match="expected a time zone and whole seconds"):
        filters.since("at", moment)


@pytest.mark.parametrize("make", [filters.all_of, filters.any_of, lambda: filters.one_of("name", [])])
def test_a_filter_of_nothing_is_refused(make):
    with pytest.raises(ValueError, match="at least one"):
        make()
