from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.analytics.reports import daily_report
from analytics_platform.model import find_violations
from analytics_platform.model.tables.analytics_tables import DAILY_METRICS
from analytics_platform.model.tables.operational_tables import ANALYTICS_REPORTS


def metric(report: pa.Table, name: str) -> dict[str, Any]:
    return next(metric for metric in report["metrics"][0].as_py() if metric["name"] == name)


class Lazy(Mapping[str, pa.Table]):
    """A mapping that notes what is read."""

    def __init__(self, tables: dict[str, pa.Table]) -> None:
        self.tables = tables
        self.read: list[str] = []

    def __getitem__(self, key: str) -> pa.Table:
        self.read.append(key)
        return self.tables[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)


def test_the_document_is_valid_and_the_same_twice(day: Any, week: Any) -> None:
    tables = day(before=week())
    report = daily_report(**tables)
    assert find_violations(ANALYTICS_REPORTS, report) == []
    assert report.num_rows == 1
    assert report.equals(daily_report(**tables))
    assert report["html"][0].as_py() == "daily/2006-06-08.html"
    assert report["title"][0].as_py() == "Conversations on Thursday 2006-06-08"


def test_the_summary_says_the_day_in_one_sentence(day: Any) -> None:
    assert daily_report(**day())["summary"][0].as_py() == (
        "100 conversations with 100 customers, 90% answered, a median of 1 min to the first answer; "
        "asked about most: sound."
    )


def test_an_empty_day_has_no_averages_and_no_changes_of_them(day: Any, make: Any, week: Any) -> None:
    report = daily_report(**day(make.metrics(conversations=0), week(), [], []))
    assert report["summary"][0].as_py() == "No conversations started on this day."
    assert metric(report, "conversation_count")["change"] == -1
    assert metric(report, "sentiment_mean")["value"] is None
    assert metric(report, "first_response_seconds_p50")["change"] is None


def test_a_change_is_relative_to_the_mean_of_the_days_available(day: Any, make: Any, week: Any) -> None:
    before = [*week(conversations=50)[:1], *week(conversations=100)[-1:]]
    report = daily_report(**day(make.metrics(conversations=150), before))
    assert metric(report, "conversation_count") == {
        "name": "conversation_count",
        "value": 150,
        "unit": "conversations",
        "change": 1.0,
    }


@pytest.mark.parametrize("name", ["conversation_count", "first_response_seconds_p50", "cost"])
def test_nothing_to_compare_with_means_no_change(day: Any, name: str) -> None:
    assert metric(daily_report(**day()), name)["change"] is None


def test_an_average_over_fewer_than_five_conversations_has_no_change(day: Any, make: Any, week: Any) -> None:
    report = daily_report(
        **day(make.metrics(outcome_count=4, resolved_rate=0.5), week(outcome_count=9, resolved_rate=0.9))
    )
    assert metric(report, "resolved_rate") == {"name": "resolved_rate", "value": 0.5, "unit": "share", "change": None}


def test_only_the_eight_days_needed_are_read_and_each_once(day: Any, make: Any) -> None:
    tables = day()
    days = [make.date + dt.timedelta(days=n) for n in range(-30, 30)]
    history = Lazy({one.isoformat(): make.metrics(one) for one in days})
    daily_report(**{**tables, "history": history})
    assert sorted(history.read) == [f"2006-06-{n:02d}" for n in range(1, 9)]


def test_a_history_without_the_day_itself_is_refused_by_name(day: Any) -> None:
    tables = day()
    with pytest.raises(ValueError, match="report of 2006-06-08: daily_metrics has 0 rows"):
        daily_report(**{**tables, "history": {}})
    with pytest.raises(ValueError, match="daily_metrics has 0 rows"):
        daily_report(**{**tables, "history": {"2006-06-08": DAILY_METRICS.empty()}})
