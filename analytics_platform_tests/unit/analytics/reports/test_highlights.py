from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa

from analytics_platform.analytics.reports import key_findings
from analytics_platform.model.tables.analytics_tables import MODEL_DAILY, USER_ANALYTICS


def model_day(name: str, stated: int, resolved: int) -> pa.Table:
    counts = ("conversation_count", "message_count", "user_count", "answered_count", "timed_count", "rated_count")
    row = {
        "date": dt.date(2006, 6, 8),
        "model": name,
        "outcome_count": stated,
        "resolved_count": resolved,
        "closed_count": 0,
        "topics": [],
    }
    return MODEL_DAILY.from_rows([{**row, **dict.fromkeys(counts, stated)}])


def test_a_range_without_conversations_says_so(make: Any) -> None:
    assert key_findings([make.metrics(conversations=0)]) == ["No conversations took place in these days."]
    assert key_findings([]) == ["No conversations took place in these days."]


def test_three_findings_carry_the_numbers_of_all_days(make: Any) -> None:
    days = [
        make.metrics(dt.date(2006, 6, 1), 150, topics={"disks": 100, "other": 50}),
        make.metrics(dt.date(2006, 6, 2), 50, topics={"sound": 50}, first_response_seconds_p50=None),
        make.metrics(dt.date(2006, 6, 3), 0),
    ]
    assert key_findings(iter(days)) == [
        (
            "Busiest of 2 days with conversations: Thursday 2006-06-01 with 150 of 200. "
            "Asked about most: disks, 100 of 200 conversations (50%)."
        ),
        (
            "20 of 200 conversations (10%) got no answer; the others typically waited 1 min for one "
            "(the days' medians, averaged by volume)."
        ),
        "Customers sounded worst on Thursday 2006-06-01: mean sentiment +0.10.",
    ]


def test_models_are_compared_by_their_stated_outcomes_over_all_days(make: Any) -> None:
    models = [model_day("alpha", 6, 3), model_day("alpha", 4, 3), model_day("beta", 10, 9), model_day("gamma", 4, 0)]
    assert key_findings([make.metrics()], model_daily=models)[1] == (
        "Successes by LLM, of conversations with a stated outcome: "
        "beta 9 of 10 conversations (90%) against alpha 6 of 10 conversations (60%)."
    )
    assert key_findings([make.metrics()], model_daily=models[2:])[1].endswith("beta 9 of 10 conversations (90%).")


def test_returning_customers_are_counted_when_no_outcome_is_stated(make: Any) -> None:
    counts = (
        "conversation_count", "message_count", "answered_count", "timed_count", "outcome_count", "resolved_count",
        "closed_count", "rated_count",
    )  # fmt: skip
    seen = {
        "first_date": make.date,
        "last_date": make.date,
        "topics": [],
        "hourly_conversations": [0] * 24,
        "weekday_conversations": [0] * 7,
        **dict.fromkeys(counts, 1),
    }
    users = USER_ANALYTICS.from_rows([{**seen, "user_id": f"u{n}", "active_day_count": n} for n in (1, 2, 3)])
    assert key_findings([make.metrics()], users)[2] == "2 of 3 customers (67%) came back on another day."
    assert len(key_findings([make.metrics()], USER_ANALYTICS.empty())) == 2


def test_a_run_says_why_waits_and_successes_are_missing(make: Any) -> None:
    """A ticket export without times and failures ended with waits of 0 s and 100% successes."""
    unknown = {"first_response_seconds_p50": None, "timed_count": 0, "closed_count": 60}
    assert key_findings([make.metrics(**unknown)])[1:] == [
        (
            "10 of 100 conversations (10%) got no answer; the source states no times of single messages, so waits are "
            "unknown."
        ),
        "60 of 100 conversations (60%) were closed; the source states no failures, so there is no share of successes.",
    ]
