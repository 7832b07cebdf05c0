from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.analytics.reports import daily_report, page

HOSTILE = '"><script>alert(1)</script>'


class Reader(HTMLParser):
    """Collects elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def render(tables: dict[str, Any], notes: tuple[str, ...] = ()) -> str:
    return page.daily_page(
        daily_report(**tables),
        tables["history"],
        tables["conversations"],
        tables["conversation_insights"],
        notes,
    )


def test_a_page_is_self_contained_and_the_same_twice(day: Any, week: Any) -> None:
    tables = day(before=week())
    html = render(tables)
    read = Reader(html)
    assert html == render(tables)
    assert html.startswith("<!doctype html>")
    assert read.references == []
    assert not {"script", "link", "img", "iframe"} & set(read.tags)
    assert read.tags.count("svg") == 4
    assert "url(" not in html
    assert "@import" not in html


def test_a_page_shows_figures_with_units_and_changes(day: Any, week: Any) -> None:
    text = Reader(render(day(before=week(conversations=80)))).text
    assert "First response, median" in text
    assert "1 min" in text
    assert "+25%" in text
    assert "LLM cost" not in text


def test_hostile_strings_stay_text(day: Any, make: Any) -> None:
    reasons = [("sentiment", "negative", HOSTILE, [HOSTILE], 1.0)]
    tables = day(
        make.metrics(topics={HOSTILE: 100}, negative_count=1),
        conversations=[make.conversation(HOSTILE, user_id=HOSTILE, agent_id=HOSTILE)],
        insights=[make.insight(HOSTILE, -0.9, topic=HOSTILE, reasons=reasons)],
        agents=[make.agent(HOSTILE, 9, quality_score_mean=0.9), make.agent("ana", 9, quality_score_mean=0.1)],
    )
    html = render(tables, (HOSTILE,))
    assert "<script" not in html
    assert Reader(html).text.count(HOSTILE) > 6


def test_an_empty_day_has_a_page_with_one_chart_and_no_list(day: Any, make: Any, week: Any) -> None:
    html = render(day(make.metrics(conversations=0), week(), [], []))
    assert "No conversations started on this day; the mean of the 7 days before is 100." in html
    assert Reader(html).tags.count("svg") == 1
    assert "worth opening" not in html


@pytest.mark.parametrize("conversations", [1, 100])
def test_a_day_without_any_average_still_has_a_page(day: Any, make: Any, week: Any, conversations: int) -> None:
    missing = dict.fromkeys(
        (
            "duration_seconds_mean",
            "first_response_seconds_p50",
            "first_response_seconds_p90",
            "answered_rate",
            "quality_score_mean",
            "sentiment_mean",
        )
    )
    nameless = {"user_id": None, "agent_id": None, "first_response_seconds": None}
    tables = day(
        make.metrics(conversations=conversations, answered_count=0, topics={}, **missing),
        week(conversations=1, **missing),
        [make.conversation("one", **nameless), make.conversation("two", **nameless)],
    )
    text = Reader(render(tables)).text
    assert "None" not in text
    assert "nan" not in text


def test_notes_appear_only_when_given(day: Any) -> None:
    assert "synthetic" not in render(day())
    assert "<p>Some times are synthetic.</p>" in render(day(), ("Some times are synthetic.",))


def test_conversations_worth_opening_say_why_and_what_decided(day: Any, make: Any) -> None:
    reasons = [("sentiment", "negative", "m7", ["broken"], 2.0), ("topic", "sound", "m1", ["audio"], 9.0)]
    waiting = {"first_response_seconds": 5040.0}
    tables = day(
        conversations=[make.conversation("angry", **waiting), make.conversation("calm", agent_id=None, user_id=None)],
        insights=[make.insight("angry", -0.9, reasons=reasons), make.insight("calm", reasons=reasons)],
    )
    listed = page.reading_list(tables["conversations"], tables["conversation_insights"])
    assert [(one.conversation_id, one.why) for one in listed] == [("angry", ("lowest sentiment", "longest wait"))]
    assert (listed[0].message_id, listed[0].words) == ("m7", ("broken",))
    text = " ".join(Reader(render(tables)).text.split())
    assert "lowest sentiment, longest wait sound \N{MINUS SIGN}0.90 1 h 24 min “broken” message m7" in text


def test_the_list_names_the_rule_that_decided(day: Any, make: Any) -> None:
    reasons = [("sentiment", "negative", "m7", ["broken"], 2.0, "says_broken")]
    tables = day(conversations=[make.conversation("angry")], insights=[make.insight("angry", -0.9, reasons=reasons)])
    assert "message m7, rule says_broken" in " ".join(Reader(render(tables)).text.split())


def test_the_list_is_short_ordered_and_breaks_ties_by_name(make: Any, day: Any) -> None:
    names = ["e", "d", "c", "b", "a"]
    tables = day(
        conversations=[make.conversation(name, first_response_seconds=None) for name in names],
        insights=[make.insight(name, -0.5) for name in names[1:]] + [make.insight("e", -0.6)],
    )
    listed = page.reading_list(tables["conversations"], tables["conversation_insights"])
    assert [one.conversation_id for one in listed] == ["e", "a", "b"]
    assert listed[0].first_response_seconds is None


def test_a_page_of_two_reports_is_refused(day: Any) -> None:
    report = daily_report(**day())
    with pytest.raises(ValueError, match="one report, not 2"):
        page.render_page(pa.concat_tables([report, report]))
