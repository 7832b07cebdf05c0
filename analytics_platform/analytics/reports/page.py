"""Renders a report as one self-contained HTML page without scripts and requests; equal input gives equal bytes.

``page.html.j2`` holds layout and colours. The template engine escapes all text of the source, replaces control and
direction characters by a symbol, and isolates right-to-left text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
import pyarrow as pa
from markupsafe import Markup, escape

from analytics_platform.analytics.reports import charts, wording
from analytics_platform.analytics.reports.evidence import (
    BASELINE_DAYS,
    CHARTED_DAYS,
    OTHER,
    QUIET_DAY,
    mean_of_days,
    read_days,
)
from analytics_platform.analytics.reports.reading_list import Listed, reading_list
from analytics_platform.analytics.reports.report import HEADLINES, Unit
from analytics_platform.system.plain_text import with_symbols

_RIGHT_TO_LEFT = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
_RIGHT_TO_LEFT_PHRASE = re.compile(rf"{_RIGHT_TO_LEFT}(?:[ \d'’./_\u200c\u200d-]*{_RIGHT_TO_LEFT})*")

_FORMATS: Mapping[Unit, Callable[[float], str]] = {
    "share": wording.share,
    "s": wording.seconds,
    "score": "{:.2f}".format,
    "points": "{:.2f}".format,
    "sentiment": wording.signed,
    "USD": "${:,.2f}".format,
}


@dataclass(frozen=True)
class Figure:
    """A chart on the page.

    Attributes:
        title: Title of the chart.
        description: Content of the chart in words and numbers, for readers who cannot see it.
        svg: SVG text from ``charts.to_svg``.
    """

    title: str
    description: str
    svg: str


@dataclass(frozen=True)
class _Headline:
    """A row of the table of figures, ready to print."""

    title: str
    value: str
    change: str


def day_figures(date: dt.date, history: Mapping[str, pa.Table], conversation_insights: pa.Table) -> list[Figure]:
    """Draw the charts of a day's page; a quiet day has only the first chart.

    Args:
        date: The day.
        history: ISO day → ``DAILY_METRICS`` of the day, and of each of the 14 days before that has any.
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the day.

    Raises:
        ValueError: If ``history`` lacks the day itself.
    """
    *before, today = read_days(date, history, CHARTED_DAYS)
    total = today["conversation_count"]
    usual = mean_of_days([day for day in before if (date - day["date"]).days <= BASELINE_DAYS], "conversation_count")
    dashed = "" if usual is None else f"; the dashed line is the mean of the week before, {wording.mean(usual)}"
    volume = f"{wording.count(total, 'conversation')}{dashed}"
    counts = {day["date"]: day["conversation_count"] for day in (*before, today)}
    trend = charts.to_svg(charts.conversations_per_day(counts, date, usual))
    figures = [Figure("Conversations per day", f"{volume}.", trend)]
    if total >= QUIET_DAY:
        hourly, topics = today["hourly_conversations"], today["topics"]
        moods = f"{today['negative_count']} negative, {today['positive_count']} positive, the rest between."
        sentiments = charts.sentiment_distribution(conversation_insights["sentiment"])
        if topics:
            known = [wording.label(topic["label"]) for topic in topics if topic["label"] != OTHER]
            about = f"Most asked about: {', '.join(known[:3])}." if known else "No known topic."
            figures.append(Figure("Topics", about, charts.to_svg(charts.topics_of_day(topics))))
        if any(hourly):
            busiest = f"The busiest hour begins at {hourly.index(max(hourly)):02d}:00."
            figures.append(Figure("Hours of the day", busiest, charts.to_svg(charts.hours_of_day(hourly))))
        figures.append(Figure("Sentiment", moods, charts.to_svg(sentiments)))
    return figures


def render_page(
    report: pa.Table,
    figures: Sequence[Figure] = (),
    listed: Sequence[Listed] = (),
    notes: Sequence[str] = (),
) -> str:
    """Render a report as an HTML page.

    Args:
        report: ``ANALYTICS_REPORTS``, one row.
        figures: The charts, in the order shown.
        listed: Conversations worth opening.
        notes: Sentences for the footer, e.g. which times are synthetic.

    Raises:
        ValueError: If ``report`` has not exactly one row.
    """
    if report.num_rows != 1:
        raise ValueError(f"a page shows one report, not {report.num_rows}")
    row = report.to_pylist()[0]
    return _template().render(
        report=row,
        headlines=[_headline(metric) for metric in row["metrics"] if metric["value"] is not None],
        figures=[(figure, Markup(figure.svg)) for figure in figures],  # noqa: S704  (texts are escaped by the renderer)
        listed=listed,
        notes=notes,
        baseline_days=BASELINE_DAYS,
        wording=wording,
    )


def daily_page(
    report: pa.Table,
    history: Mapping[str, pa.Table],
    conversations: pa.Table,
    conversation_insights: pa.Table,
    notes: Sequence[str] = (),
) -> str:
    """Draw and render the page of a daily report.

    Args:
        report: From ``daily_report``.
        history: As for ``day_figures``.
        conversations: ``CONVERSATIONS`` of the day.
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the day.
        notes: As for ``render_page``.
    """
    figures = day_figures(report["date"][0].as_py(), history, conversation_insights)
    return render_page(report, figures, reading_list(conversations, conversation_insights), notes)


def _headline(metric: Mapping[str, Any]) -> _Headline:
    titles = {headline.name: headline.title for headline in HEADLINES}
    change = "" if metric["change"] is None else wording.change(metric["change"])
    value = _FORMATS.get(metric["unit"], wording.count)(metric["value"])
    return _Headline(titles.get(metric["name"], metric["name"]), value, change)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("analytics_platform.analytics.reports", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["in_attribute"] = _in_attribute
    return environment.get_template("page.html.j2")


def _shown(value: object) -> object:
    """Return the value of a template expression as the content of an HTML element, escaped."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = with_symbols(value)
    shown, end = Markup(), 0
    for phrase in _RIGHT_TO_LEFT_PHRASE.finditer(text):  # isolated, so that later numbers keep their place
        shown += escape(text[end : phrase.start()]) + Markup("<bdi>{}</bdi>").format(phrase[0])
        end = phrase.end()
    return shown + escape(text[end:])


def _in_attribute(value: str) -> Markup:
    """Return the value of a template expression for an attribute or the page's title, where no element may stand."""
    return escape(with_symbols(value))
