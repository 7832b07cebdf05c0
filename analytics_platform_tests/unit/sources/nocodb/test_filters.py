"""How filters are written, and which values are refused; what they select is tested on the real server."""

from __future__ import annotations

import datetime as dt

import pytest

from analytics_platform.sources.nocodb import filters

NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("where", "written"),
    [
        (filters.eq("name", "it's (a, b)~or"), """('name',eq,"it's (a, b)~or")"""),
        (filters.eq("it's", 'say "x"'), """("it's",eq,'say "x"')"""),
        (filters.eq("name", ""), "('name',eq,'')"),
        (filters.ne("name", "null"), "('name',neq,'null')"),
        (filters.ge("n", -2.5), "('n',ge,-2.5)"),
        (filters.one_of("name", ["a,b", "c"]), "('name',in,'a,b','c')"),
        (filters.eq("done", True), "('done',checked)"),
        (filters.is_null("name"), "('name',null)"),
        (filters.all_of(filters.gt("Id", 1)), "('Id',gt,1)"),
        (
            filters.gt("Id", 1) & (filters.eq("a", 1) | filters.eq("b", 2)),
            "(('Id',gt,1)~and(('a',eq,1)~or('b',eq,2)))",
        ),
        (
            filters.changed_since(NEW_YEAR),
            "(('CreatedAt',ge,exactDate,'2026-01-01T00:00:00Z')~or('UpdatedAt',ge,exactDate,'2026-01-01T00:00:00Z'))",
        ),
        (
            filters.on_day("at", dt.date(2026, 1, 1)),
            "(('at',ge,exactDate,'2026-01-01T00:00:00Z')~and('at',lt,exactDate,'2026-01-02T00:00:00Z'))",
        ),
    ],
)
def test_filters_are_written_in_the_quoted_grammar(where, written):
    assert where.where() == str(where) == written


def test_negation_reaches_the_members_since_the_server_ignores_it_before_groups():
    some = filters.gt("n", 1) & (filters.eq("a", "x") | filters.is_null("b")) & filters.one_of("c", ["y", "z"])
    # `&` joins two at a time, so the first two are a group of their own.
    assert str(~some) == "((('n',le,1)~or(('a',neq,'x')~and('b',notnull)))~or(('c',neq,'y')~and('c',neq,'z')))"


@pytest.mark.parametrize(
    "where",
    [
        filters.gt("n", 1) | filters.eq("a", "x"),
        filters.since("at", NEW_YEAR),
        filters.eq("done", False),
        filters.not_null("b"),
    ],
)
def test_negating_twice_changes_nothing(where):
    assert filters.not_(~where) == where != ~where


def test_a_time_of_another_zone_is_written_in_utc():
    tokyo = dt.timezone(dt.timedelta(hours=9))
    assert "2025-12-31T15:00:00Z" in str(filters.since("at", dt.datetime(2026, 1, 1, tzinfo=tokyo)))


@pytest.mark.parametrize("text", ["both ' and \"", "ends with \\", "nul \0", "\ud800"])
def test_texts_that_the_server_cannot_read_are_refused(text):
    for make in (
        lambda: filters.eq("name", text),
        lambda: filters.eq(text, "x"),
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
