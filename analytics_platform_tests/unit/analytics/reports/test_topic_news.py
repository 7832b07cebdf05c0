"""Discovered topics in a report."""

from __future__ import annotations

import datetime as dt
from typing import Any

from analytics_platform.analytics.reports import daily_report
from analytics_platform.analytics.reports.page import render_page
from analytics_platform.analytics.reports.topic_news import COLUMNS, ChangedTopic, topic_news
from analytics_platform.model.tables.topic_tables import CONVERSATION_TOPICS

DATE = dt.date(2006, 6, 8)


def conversations(date: dt.date, **topics: int) -> Any:
    rows = [
        {
            "date": date,
            "conversation_id": f"{topic}-{number}",
            "topic_id": None if topic == "none" else topic,
            "topic_name": None if topic == "none" else f"About {topic}",
            "parent_id": None if topic == "none" else "p",
            "parent_name": None if topic == "none" else "P",
            "topic_confidence": number / 100,
        }
        for topic, count in topics.items()
        for number in range(count)
    ]
    return CONVERSATION_TOPICS.from_rows(rows).select(COLUMNS)


def week(**topics: int) -> dict[str, Any]:
    days = [DATE - dt.timedelta(days=back) for back in range(1, 8)]
    return {date.isoformat(): conversations(date, **topics) for date in days}


def test_a_topic_whose_share_grew_clearly_is_named_with_two_examples() -> None:
    history = {**week(seats=2, bags=20), DATE.isoformat(): conversations(DATE, seats=12, bags=20, none=9, rare=3)}
    assert topic_news(DATE, history, [], []) == [
        {
            "change": "growing",
            "topic_id": "seats",
            "topic_name": "About seats",
            "count": 12,
            "count_before": 14,
            "examples": ["seats-11", "seats-10"],
        }
    ]


def test_a_new_topic_does_not_grow_and_one_that_is_gone_has_examples() -> None:
    born = [ChangedTopic("seats", "About seats", 41, ["c1", "c2", "c3"])]
    gone = [ChangedTopic("old", "About old", 0, ["c7"])]
    history = {**week(bags=20), DATE.isoformat(): conversations(DATE, seats=12, bags=20)}
    news = topic_news(DATE, history, born, gone)
    assert [(one["change"], one["topic_id"], one["count"], one["examples"]) for one in news] == [
        ("new", "seats", 41, ["c1", "c2"]),
        ("gone", "old", 0, ["c7"]),
    ]


def test_the_first_day_has_no_growing_topic() -> None:
    assert topic_news(DATE, {DATE.isoformat(): conversations(DATE, seats=12)}, [], []) == []


def test_the_page_escapes_names_that_people_wrote(day: Any) -> None:
    born = [ChangedTopic("t-1", "<script>alert(1)</script>\u202e", 41, ["<b>c1</b>"])]
    news = topic_news(DATE, {DATE.isoformat(): conversations(DATE)}, born, [])
    html = render_page(daily_report(**day(), topic_news=news))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>" not in html
    assert "<b>c1</b>" not in html
    assert "\u202e" not in html
    assert "new this week" in html


def test_a_report_without_news_has_no_section(day: Any) -> None:
    assert "Discovered topics" not in render_page(daily_report(**day()))
