"""Rows that are judged in columns are judged as the rules in SQL judge them."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics_platform.model.tables.raw_tables import MAX_TEXT_CHARACTERS, MAX_VALUE_CHARACTERS
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.row_rules import row_validation
from analytics_platform.sources.row_rules.plain_rows import PlainRows, validate_plain_rows
from analytics_platform.sources.row_rules.row_validation import judge, prepare_judging
from analytics_platform.sources.rows import Problem, Rows
from analytics_platform_tests.sizes import by_day_or_night

LONG = "x" * (MAX_VALUE_CHARACTERS + 1)
WIDE = "ä" * MAX_VALUE_CHARACTERS
NUMBERS = [
    "5", "4.5", "-1", "+3", "007", ".5", "5.", "1e3", "1E400", "1,234", "4,5", "0,125", "4/5", "$0.25", "12 USD",
    "good", "NaN", "inf", "1_000", "1000000000000", "1000000000001", "9e15", "9000000000000001", "-0", "0.1", "12.0",
    "²",
]  # fmt: skip
VALUES = {
    "conversation_id": ["c", "c", "c", "101.0", LONG, WIDE, None],
    "role": ["user", "Assistant", "BOT", "Kunde", "КЛИЕНТ", "клиент", "tool", "nobody", "Human:", None],
    "text": [
        "hello",
        "  hello",
        "привет",
        "\N{NO-BREAK SPACE}",
        "\u200e\u200f",
        "\u3000あ",
        "half \ufffd",
        "a\x00b",
        None,
    ],
    "timestamp": [
        "2024-01-05T10:00:00Z",
        "2024-01-05T10:00:00.123456+02:00",
        "1969-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "2099-12-31T23:59:59.999999Z",
        "2024-01-05 10:00",
        "1704448800",
        "yesterday",
        None,
    ],
    "message_id": ["m", "m", LONG, None],
    "user_id": ["u", WIDE, LONG, None],
    "language": [
        "en",
        "DE",
        "pt-BR",
        "zh_Hans_CN",
        "en-",
        "klingon",
        "English",
        "español",
        "ESPAÑOL",
        "e",
        "und",
        None,
    ],
    "time_source": ["day", "conversation", "hour", None],
    "sequence": NUMBERS,
    "rating": NUMBERS,
    "tokens": NUMBERS,
    "input_tokens": NUMBERS,
    "output_tokens": NUMBERS,
    "cost": NUMBERS,
    "model": ["gpt-4o", "openai/gpt-4o-2024-08-06", "unknown", None],
    "note": ["plain", 'with "quotes"', "back\\slash", "tab\tand\nline", "bell\x07", "ünï\u2028", "True", None],
    'Note ü"': ["x", None],
}
PLAIN = {
    "conversation_id": "c", "role": "user", "text": "hello", "timestamp": "2024-01-05T10:00:00Z", "message_id": "m",
}  # fmt: skip


@pytest.fixture(scope="module")
def databases() -> Iterator[dict[bool, tuple[FieldMapping, duckdb.DuckDBPyConnection]]]:
    """Databases that can judge, without and with prices of models."""
    with duckdb.connect() as plain, duckdb.connect() as priced:
        mappings = {False: FieldMapping(), True: FieldMapping(prices={"gpt-4o": (2.5, 10.0)})}
        for mapping, db in ((mappings[False], plain), (mappings[True], priced)):
            db.execute("SET TimeZone = 'UTC'")
            prepare_judging(db, mapping)
        yield {False: (mappings[False], plain), True: (mappings[True], priced)}


def rows_of(rows: list[dict[str, str | None]]) -> Rows:
    columns = {name: pa.array([row.get(name, PLAIN.get(name)) for row in rows], pa.string()) for name in VALUES}
    return Rows(np.arange(1, len(rows) + 1), columns)


def judged_both_ways(
    mapping: FieldMapping, db: duckdb.DuckDBPyConnection, rows: Rows
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return rows as judged, and as judged with no row taken for plain."""

    def none_plain(batch, **places) -> PlainRows:
        found = validate_plain_rows(batch, **places)
        return PlainRows(np.zeros_like(found.is_plain), found.columns)

    batch = mapping.apply(rows)
    quick = judge(db, batch, file=3, first_position=1 << 41)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_validation, "validate_plain_rows", none_plain)
        by_rules = judge(db, batch, file=3, first_position=1 << 41)
    assert quick.schema == by_rules.schema
    return quick.to_pylist(), by_rules.to_pylist()


def some_row() -> st.SearchStrategy[dict[str, str | None]]:
    """Return rows of which few columns have another value than a plain one."""
    pairs = st.sampled_from(list(VALUES)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(VALUES[name])))
    return st.lists(pairs, max_size=4).map(dict)


@settings(max_examples=by_day_or_night(8, 400), deadline=None)
@given(rows=st.lists(some_row(), min_size=1, max_size=12), has_prices=st.booleans())
@example(rows=[{name: value} for name, values in VALUES.items() for value in values], has_prices=False)
@example(rows=[{name: value} for name, values in VALUES.items() for value in values], has_prices=True)
def test_rows_judged_in_columns_are_those_judged_by_the_rules(databases, rows, has_prices):
    quick, by_rules = judged_both_ways(*databases[has_prices], rows_of(rows))

    assert quick == by_rules


@pytest.mark.parametrize(
    "odd",
    [
        {"rating": "so so", "tokens": "1,234", "sequence": "1_000", "cost": "$1"},
        {"timestamp": "yesterday"},
        {"language": "klingon", "role": "nobody"},
        {"note": None},
        {"text": "\u200e"},
    ],
)
def test_a_column_of_one_odd_value_is_judged_as_by_the_rules(databases, odd):
    """A column that is odd as a whole takes another way than one with a single odd value."""
    quick, by_rules = judged_both_ways(*databases[False], rows_of([odd, odd]))

    assert quick == by_rules


def test_a_text_at_the_limit_is_judged_as_by_the_rules(databases):
    texts = ["x" * MAX_TEXT_CHARACTERS, "x" * (MAX_TEXT_CHARACTERS + 1), "ä" * MAX_TEXT_CHARACTERS]

    quick, by_rules = judged_both_ways(*databases[False], rows_of([{"text": text, "note": text} for text in texts]))

    assert quick == by_rules


def test_a_row_with_a_problem_is_never_plain(databases):
    mapping, db = databases[False]
    rows = Rows(np.array([1, 2]), rows_of([{}, {}]).columns, {2: Problem("unreadable_row", "broken", "a,b")})

    judged = judge(db, mapping.apply(rows), file=0, first_position=0)

    assert judged["reason"].to_pylist() == [None, "unreadable_row"]
    assert judged["line"].to_pylist() == [None, "a,b"]


def test_rows_in_which_nothing_is_wrong_are_plain():
    """Rows that took the slow way made reading take five times as long."""
    rows = rows_of([{}, {"role": "Agent", "language": "de", "rating": "4.5", "tokens": "12", "note": 'with "quotes"'}])

    assert validate_plain_rows(FieldMapping().apply(rows), file=0, first_position=0).is_plain.all()
