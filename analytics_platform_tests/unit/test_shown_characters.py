"""Control and direction characters that people write reach no report, alert, metadata or printed line as they are."""

from __future__ import annotations

import datetime as dt
from html.parser import HTMLParser
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics_platform.alerting.alert import Alert
from analytics_platform.alerting.channels import message
from analytics_platform.analytics.reports import charts
from analytics_platform.analytics.reports.page import Figure, render_page
from analytics_platform.analytics.reports.reading_list import Listed
from analytics_platform.defs.checks.declarations import check_result
from analytics_platform.model.tables.operational_tables import ANALYTICS_REPORTS
from analytics_platform.storage.failures import Failure, as_annotations
from analytics_platform.storage.io_manager import partition_metadata
from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform_tests.sizes import by_day_or_night

HOSTILE = [
    *map(chr, [*range(0x20), *range(0x7F, 0xA0)]),
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff",
]
RAW = frozenset(HOSTILE)
TEXTS = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from([*HOSTILE, *"<>&'\"\u0645\u05d0"])))
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


class Page(HTMLParser):
    """What a browser finds in a page: elements, attributes, and text by the element that it stands in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.labels: list[str] = []
        self.text = ""
        self.isolated: list[str] = []
        self._tag = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.labels += [value or "" for name, value in attrs if name == "aria-label"]
        self._tag = tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._tag == "bdi":
            self.isolated.append(data)
        self._tag = ""


def page(text: str) -> str:
    """A report in which people wrote ``text`` wherever they can write."""
    day = dt.date(2024, 1, 1)
    news = {"change": "new", "topic_id": text, "topic_name": text, "count": 1, "count_before": 0, "examples": [text]}
    report: dict[str, Any] = {
        "kind": "daily", "date": day, "period_start": day, "period_end": day, "title": text, "summary": text,
        "metrics": [], "findings": [text], "topics": [], "discovered_topics": [news], "html": "x.html",
    }  # fmt: skip
    listed = Listed(text, (text,), text, text, text, 0.0, None, text, (text,), text)
    figures = [Figure(text, text, "<svg></svg>")]
    return render_page(ANALYTICS_REPORTS.from_rows([report]), figures, [listed], [text])


@given(TEXTS)
@example("<script>\u202e\x9b</script>")
@settings(deadline=None)
def test_a_report_page_of_any_text_is_escaped_and_free_of_control_characters(text):
    """A right-to-left override in an id turned the rest of its line around in the report."""
    html = page(text)
    assert not (RAW - {"\n", "\t"}) & set(html)
    assert Page(html).tags == Page(page("plain")).tags | ({"bdi"} & Page(html).tags)


def test_arabic_and_hebrew_are_isolated_and_joined_emoji_stay_whole():
    arabic, hebrew = "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643\u0645", "\u05e9\u05dc\u05d5\u05dd"
    shown = Page(page(f"{arabic} & {hebrew}\u200f, {FAMILY} 12 of 163"))
    assert {arabic, hebrew} == set(shown.isolated)
    assert f"{arabic} & {hebrew}, {FAMILY} 12 of 163" in shown.text
    assert shown.labels == [f"{arabic} & {hebrew}, {FAMILY} 12 of 163: {arabic} & {hebrew}, {FAMILY} 12 of 163"]


@given(TEXTS.filter(str.strip))
@example("\x00")
@settings(deadline=None, max_examples=by_day_or_night(20, 200))
def test_a_chart_of_any_label_holds_no_control_character(text):
    svg = charts.to_svg(charts.topics_of_day([{"label": text, "count": 3}]))
    assert not (RAW - {"\n", "\t"}) & set(svg)
    assert not RAW & set(charts.metadata_chart(text, "<svg>").partition("(data:")[0].replace("\n\n", ""))


@given(TEXTS, TEXTS)
@example("failed for c1\nAll is well", "\u202e\x1b[31m")
def test_an_alert_of_any_text_has_a_line_per_part_and_no_control_character(title, text):
    """A line end in a file name began a line of its own in the message, which read like another alert."""
    alert = Alert("run_failed", "key", title or "title", text or "text", "http://ui")
    shown_title, body = message([alert])
    assert not RAW & set(shown_title)
    assert not (RAW - {"\n"}) & set(body)
    assert body.count("\n") == 1
    assert message([alert, alert])[1].count("\n") == 6


@given(TEXTS)
@example("c1\nc2")
def test_metadata_of_checks_and_partitions_holds_no_control_character(text):
    problem = check_result([text]).metadata["problems"].value
    failure = Failure(text, text, 1, "2024-01-01T00:00:00+00:00")
    info = PartitionInfo("2024-01-01", 1, 1, "h", "f", {"columns": text, **as_annotations([failure], [])})
    shown = partition_metadata(info)
    texts = [*problem, shown["columns"], *map(str, shown["failures"][0].values())]
    assert not RAW & set("".join(texts))
