"""The daily tables against values worked out by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.analytics.daily import agent_daily, daily_metrics, model_daily, user_daily
from analytics_platform.model import Table, find_violations
from analytics_platform.model.tables.analytics_tables import AGENT_DAILY, DAILY_METRICS, MODEL_DAILY, USER_DAILY
from analytics_platform.model.tables.clean_tables import CONVERSATIONS
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS

DAY = dt.date(2024, 1, 1)
Pair = tuple[pa.Table, pa.Table]
MakePair = Callable[..., Pair]
GROUPED = [(user_daily, USER_DAILY), (agent_daily, AGENT_DAILY), (model_daily, MODEL_DAILY)]


@pytest.fixture
def day(make_pair: MakePair) -> Pair:
    return make_pair(
        {"user_id": "ann", "agent_id": "zoe", "hour": 9, "message_count": 4, "duration_seconds": 60, "sentiment": -0.5,
         "first_response_seconds": 10, "resolved": True, "rating": 5, "primary_topic": "b", "quality_score": 0.9,
         "tokens": 100, "cost": 0.1},
        {"user_id": "ann", "agent_id": "bob", "hour": 9, "message_count": 2, "duration_seconds": 30, "sentiment": 0.5,
         "first_response_seconds": 30, "resolved": False, "primary_topic": "a", "quality_score": 0.6, "tokens": 1},
        {"user_id": "eve", "agent_id": "zoe", "hour": 23, "message_count": 3, "sentiment": -0.25, "rating": 2,
         "primary_topic": "a", "intent": "buy", "quality_score": 0.3},
        {"user_id": None, "model": "llm", "primary_topic": "c", "sentiment": 0.25, "quality_score": 0.0},
    )  # fmt: skip


def only(table: pa.Table) -> dict[str, Any]:
    (row,) = table.to_pylist()
    return dict(row)


def test_the_day_as_a_whole(day: Pair) -> None:
    table = daily_metrics([DAY], *day, failed_conversations=[2], quarantined_rows=[7])
    assert find_violations(DAILY_METRICS, table) == []
    row = only(table)
    hours = row.pop("hourly_conversations")
    assert {hour: count for hour, count in enumerate(hours) if count} == {0: 1, 9: 2, 23: 1}
    assert row == {
        "date": DAY,
        "conversation_count": 4,
        "message_count": 10,
        "user_count": 2,
        "agent_count": 2,
        "answered_count": 2,
        "timed_count": 4,
        "outcome_count": 2,
        "resolved_count": 1,
        "closed_count": 0,
        "rated_count": 2,
        "duration_seconds_mean": 22.5,
        "first_response_seconds_p50": 20,
        "first_response_seconds_p90": pytest.approx(28),
        "answered_rate": 0.5,
        "resolved_rate": 0.5,
        "rating_mean": 3.5,
        "quality_score_mean": pytest.approx(0.45),
        "sentiment_mean": 0,
        "topics": [{"label": "a", "count": 2}, {"label": "b", "count": 1}, {"label": "c", "count": 1}],
        "intents": [{"label": "ask", "count": 3}, {"label": "buy", "count": 1}],
        "negative_count": 1,
        "positive_count": 1,
        "tokens": 101,
        "cost": 0.1,
        "failed_conversation_count": 2,
        "quarantined_row_count": 7,
    }


def test_an_empty_day_has_one_row_with_zero_counts_and_null_means() -> None:
    table = daily_metrics(
        [DAY], CONVERSATIONS.empty(), CONVERSATION_INSIGHTS.empty(), failed_conversations=[0], quarantined_rows=[0]
    )
    assert find_violations(DAILY_METRICS, table) == []
    row = only(table)
    assert row["date"] == DAY
    assert (row["topics"], row["intents"], row["hourly_conversations"]) == ([], [], [0] * 24)
    assert {value for name, value in row.items() if name.endswith("_count")} == {0}
    rest = [name for name in row if name.endswith(("_mean", "_rate", "_p50", "_p90")) or name in ("tokens", "cost")]
    assert rest
    assert {row[name] for name in rest} == {None}


def test_days_computed_at_once_are_those_computed_alone(make_pair: MakePair) -> None:
    rows = [{"hour": hour, "sentiment": 0.1 * hour, "rating": hour % 5, "user_id": f"u{hour % 3}"} for hour in range(9)]
    days = [DAY, DAY + dt.timedelta(1), DAY + dt.timedelta(2)]  # nothing happened on the second

    def of(conversations: pa.Table, date: dt.date, first: int, last: int) -> pa.Table:
        part = conversations.slice(first, last - first)
        return part.set_column(part.column_names.index("date"), "date", pa.array([date] * len(part), pa.date32()))

    places = zip(days, [(0, 4), (4, 4), (4, 9)], strict=True)
    parts = [[of(table, date, *place) for table in make_pair(*rows)] for date, place in places]
    together = [pa.concat_tables(tables) for tables in zip(*parts, strict=True)]
    alone = [
        daily_metrics([date], *part, failed_conversations=[number], quarantined_rows=[2 * number])
        for number, (date, part) in enumerate(zip(days, parts, strict=True))
    ]
    at_once = daily_metrics(days, *together, failed_conversations=[0, 1, 2], quarantined_rows=[0, 2, 4])
    assert at_once.equals(pa.concat_tables(alone).combine_chunks())
    assert at_once["conversation_count"].to_pylist() == [4, 0, 5]


def test_customers_have_their_own_conversations_only(day: Pair) -> None:
    ann, eve = user_daily(*day).to_pylist()
    assert (ann["user_id"], ann["conversation_count"], ann["message_count"]) == ("ann", 2, 6)
    assert (ann["quality_score_mean"], ann["resolved_rate"], ann["rating_mean"]) == (0.75, 0.5, 5)
    assert ann["topics"] == [{"label": "a", "count": 1}, {"label": "b", "count": 1}]
    assert (ann["first_seen_at"].hour, (ann["last_seen_at"] - ann["first_seen_at"]).seconds) == (9, 60)
    assert (eve["user_id"], eve["conversation_count"], eve["answered_rate"]) == ("eve", 1, 0)
    assert (eve["resolved_rate"], eve["first_response_seconds_p50"]) == (None, None)
    assert eve["hourly_conversations"] == [0] * 23 + [1]


def test_agents_and_models_have_theirs(day: Pair) -> None:
    bob, zoe = agent_daily(*day).to_pylist()
    assert (bob["agent_id"], bob["conversation_count"], bob["tokens"], bob["cost"]) == ("bob", 1, 1, None)
    assert (zoe["agent_id"], zoe["conversation_count"], zoe["user_count"], zoe["cost"]) == ("zoe", 2, 2, 0.1)
    llm = only(model_daily(*day))
    assert (llm["model"], llm["conversation_count"], llm["user_count"], llm["tokens"]) == ("llm", 1, 0, None)


@pytest.mark.parametrize(("function", "declared"), GROUPED)
def test_grouped_tables_are_valid_and_the_same_every_time(
    day: Pair, function: Callable[..., pa.Table], declared: Table
) -> None:
    table = function(*day)
    assert find_violations(declared, table) == []
    backwards = [rows.take(list(reversed(range(rows.num_rows)))) for rows in day]
    assert function(*backwards).equals(table)


@pytest.mark.parametrize(("function", "declared"), GROUPED)
def test_a_day_without_such_conversations_gives_an_empty_table(
    make_pair: MakePair, function: Callable[..., pa.Table], declared: Table
) -> None:
    assert function(CONVERSATIONS.empty(), CONVERSATION_INSIGHTS.empty()).equals(declared.empty())
    assert function(*make_pair({})).equals(declared.empty())


def test_insights_that_do_not_fit_the_conversations_are_refused_by_name(day: Pair) -> None:
    conversations, insights = day
    with pytest.raises(ValueError, match="conversation_insights lacks 2 conversations, the first is 'c002'"):
        user_daily(conversations, insights.slice(0, 2))
    with pytest.raises(ValueError, match="conversations lacks 1 that conversation_insights has, the first is 'c000'"):
        user_daily(conversations.slice(1), insights)
    with pytest.raises(ValueError, match="'c003' stands more than once"):
        user_daily(conversations, pa.concat_tables([insights, insights.slice(3)]))


def test_a_conversation_of_another_day_is_refused_by_name(day: Pair) -> None:
    with pytest.raises(ValueError, match="'c000' is of 2024-01-01, not of 2024-01-02"):
        daily_metrics([DAY + dt.timedelta(1)], *day, failed_conversations=[0], quarantined_rows=[0])
