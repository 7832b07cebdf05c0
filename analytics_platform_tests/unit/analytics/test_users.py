"""Customers over all days: running sums against a recomputation from all conversations."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.analytics.daily import user_daily
from analytics_platform.analytics.users import user_analytics
from analytics_platform.model import find_violations
from analytics_platform.model.table import SchemaError
from analytics_platform.model.tables.analytics_tables import USER_ANALYTICS, USER_DAILY
from analytics_platform_tests.sizes import by_day_or_night

MakePair = Callable[..., tuple[pa.Table, pa.Table]]
Rows = list[dict[str, Any]]
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(n) for n in range(10)]

CONVERSATION = st.fixed_dictionaries(
    {
        "date": st.sampled_from(DAYS),
        "user_id": st.sampled_from(["ann", "bob", "eve", "joe", None]),
        "hour": st.integers(0, 23),
        "message_count": st.integers(1, 50),
        "duration_seconds": st.floats(0, 1e5),
        "first_response_seconds": st.none() | st.floats(0, 1e4),
        "resolved": st.none() | st.booleans(),
        "rating": st.none() | st.floats(-5, 5),
        "quality_score": st.floats(0, 1),
        "sentiment": st.floats(-1, 1),
        "primary_topic": st.sampled_from(["a", "b", "other"]),
    }
)


def daily_tables(make_pair: MakePair, rows: Rows) -> list[pa.Table]:
    by_day = itertools.groupby(sorted(rows, key=lambda row: row["date"]), key=lambda row: row["date"])
    return [user_daily(*make_pair(*day)) for _, day in by_day]


def mean(values: list[float]) -> Any:
    return pytest.approx(sum(values) / len(values), rel=1e-9, abs=2e-9) if values else None


def recompute(user: str, rows: Rows) -> dict[str, Any]:
    """Work a customer out from all conversations, without any daily table."""
    outcomes = [row["resolved"] for row in rows if row["resolved"] is not None]
    answered = [row["first_response_seconds"] is not None for row in rows]
    ratings = [row["rating"] for row in rows if row["rating"] is not None]
    topics = Counter(row["primary_topic"] for row in rows)
    dates = [row["date"] for row in rows]
    return {
        "user_id": user,
        "conversation_count": len(rows),
        "message_count": sum(row["message_count"] for row in rows),
        "active_day_count": len(set(dates)),
        "answered_count": sum(answered),
        "timed_count": len(rows),
        "outcome_count": len(outcomes),
        "resolved_count": sum(outcomes),
        "closed_count": 0,
        "rated_count": len(ratings),
        "first_date": min(dates),
        "last_date": max(dates),
        "duration_seconds_mean": mean([row["duration_seconds"] for row in rows]),
        "answered_rate": mean(answered),
        "resolved_rate": mean(outcomes),
        "rating_mean": mean(ratings),
        "quality_score_mean": mean([row["quality_score"] for row in rows]),
        "sentiment_mean": mean([row["sentiment"] for row in rows]),
        "topics": [
            {"label": label, "count": count}
            for label, count in sorted(topics.items(), key=lambda item: (-item[1], item[0]))
        ],
        "hourly_conversations": [sum(row["hour"] == hour for row in rows) for hour in range(24)],
        "weekday_conversations": [sum(date.weekday() == day for date in dates) for day in range(7)],
    }


@settings(max_examples=by_day_or_night(20, 200), deadline=None)  # each example is a dozen tables
@given(st.lists(CONVERSATION, max_size=40))
def test_the_sums_equal_a_recomputation_from_all_conversations(make_pair: MakePair, rows: Rows) -> None:
    table = user_analytics(daily_tables(make_pair, rows))
    assert find_violations(USER_ANALYTICS, table) == []
    by_user: dict[str, Rows] = defaultdict(list)
    for row in rows:
        if row["user_id"] is not None:
            by_user[row["user_id"]].append(row)
    assert table.to_pylist() == [recompute(user, by_user[user]) for user in sorted(by_user)]


@settings(max_examples=by_day_or_night(20, 200), deadline=None)  # each example is a dozen tables
@given(st.lists(CONVERSATION, max_size=40), st.integers(1, 10))
def test_how_the_days_are_cut_into_tables_changes_no_bit(make_pair: MakePair, rows: Rows, size: int) -> None:
    days = daily_tables(make_pair, rows)
    chunks = [pa.concat_tables(days[start : start + size]) for start in range(0, len(days), size)]
    assert user_analytics(chunks).equals(user_analytics(days))


def test_many_customers_that_arrive_late_all_find_room(make_pair: MakePair) -> None:
    rows = [
        {"date": day, "user_id": f"u{user:03}"} for number, day in enumerate(DAYS) for user in range(number * 20 + 1)
    ]
    table = user_analytics(daily_tables(make_pair, rows))
    assert table.num_rows == 181
    assert table["active_day_count"].to_pylist()[:2] == [10, 9]
    assert table["first_date"].to_pylist()[-1] == DAYS[-1]


def test_days_are_taken_from_the_stream_one_at_a_time(make_pair: MakePair) -> None:
    days = daily_tables(make_pair, [{"date": day, "user_id": "ann"} for day in DAYS])
    alive: list[int] = []

    def stream() -> Iterator[pa.Table]:
        for number, day in enumerate(days):
            alive.append(number)
            yield day

    assert user_analytics(stream()).to_pylist()[0]["active_day_count"] == len(DAYS)
    assert alive == list(range(len(DAYS)))


def test_no_days_and_empty_days_give_an_empty_table() -> None:
    assert user_analytics([]).equals(USER_ANALYTICS.empty())
    assert user_analytics([USER_DAILY.empty()]).equals(USER_ANALYTICS.empty())


def test_a_day_out_of_order_or_twice_is_refused(make_pair: MakePair) -> None:
    first, second = daily_tables(make_pair, [{"date": day, "user_id": "ann"} for day in DAYS[:2]])
    with pytest.raises(ValueError, match="day 2024-01-01 came after 2024-01-02"):
        user_analytics([second, first])
    with pytest.raises(ValueError, match="day 2024-01-01 came after 2024-01-01"):
        user_analytics([first, first])


def test_another_table_is_refused_by_name() -> None:
    with pytest.raises(SchemaError, match="user_daily"):
        user_analytics([USER_ANALYTICS.empty()])
