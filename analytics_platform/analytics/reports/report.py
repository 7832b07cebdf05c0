"""Makes the report document of a day, ``ANALYTICS_REPORTS``: headline figures, findings and topics."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from analytics_platform.analytics.reports import findings, wording
from analytics_platform.analytics.reports.evidence import FEW, OTHER, Evidence, read_days
from analytics_platform.model.tables.operational_tables import ANALYTICS_REPORTS

Unit = Literal[
    "conversations", "messages", "people", "share", "s", "points", "score", "sentiment", "tokens", "USD", "rows"
]


@dataclass(frozen=True)
class Headline:
    """A figure at the top of a report.

    Attributes:
        name: Column of ``daily_metrics``.
        title: Name of the figure for a reader.
        unit: Unit of the value; ``share`` and ``score`` range from 0 to 1, ``sentiment`` from -1 to 1.
    """

    name: str
    title: str
    unit: Unit


HEADLINES = (
    Headline("conversation_count", "Conversations", "conversations"),
    Headline("message_count", "Messages", "messages"),
    Headline("user_count", "Customers", "people"),
    Headline("agent_count", "Agents", "people"),
    Headline("answered_rate", "Answered", "share"),
    Headline("first_response_seconds_p50", "First response, median", "s"),
    Headline("first_response_seconds_p90", "First response, slowest tenth", "s"),
    Headline("duration_seconds_mean", "Duration, mean", "s"),
    Headline("resolved_rate", "Successes among stated outcomes", "share"),
    Headline("rating_mean", "Rating, mean", "points"),
    Headline("quality_score_mean", "Quality score, mean", "score"),
    Headline("sentiment_mean", "Sentiment, mean", "sentiment"),
    Headline("tokens", "LLM tokens", "tokens"),
    Headline("cost", "LLM cost", "USD"),
    Headline("failed_conversation_count", "Conversations that could not be processed", "conversations"),
    Headline("quarantined_row_count", "Rows of the source that could not be used", "rows"),
)
_AVERAGED = frozenset({"share", "s", "points", "score"})


def daily_report(
    date: dt.date,
    history: Mapping[str, pa.Table],
    conversations: pa.Table,
    conversation_insights: pa.Table,
    agent_daily: pa.Table,
    topic_news: Sequence[Mapping[str, Any]] = (),
) -> pa.Table:
    """Make the report of one day.

    Args:
        date: The day.
        history: ISO day → ``DAILY_METRICS`` of the day, and of each of the seven days before that has any. It may be
            lazy and hold more days, which are not read.
        conversations: ``CONVERSATIONS`` of the day.
        conversation_insights: ``CONVERSATION_INSIGHTS`` of the day.
        agent_daily: ``AGENT_DAILY`` of the day.
        topic_news: Discovered topics that are new, growing or gone, from ``topic_news.topic_news``.

    Returns:
        ``ANALYTICS_REPORTS``, one row of kind ``daily``. The change of a metric is relative to ``mean_of_days`` of the
        days before. It is null if the mean is unknown or zero, if an average covers fewer than five conversations,
        and for sentiment, whose scale has no natural zero point.

    Raises:
        ValueError: If ``history`` lacks the day itself.
    """
    *before, day = read_days(date, history)
    evidence = Evidence(day, before, conversations, conversation_insights, agent_daily)
    row = {
        "kind": "daily",
        "date": date,
        "period_start": date,
        "period_end": date,
        "title": f"Conversations on {wording.day(date)}",
        "summary": _summary(evidence),
        "metrics": [_metric(headline, evidence) for headline in HEADLINES],
        "findings": findings.find(evidence),
        "topics": day["topics"],
        "discovered_topics": list(topic_news),
        "html": page_name("daily", date),
    }
    return ANALYTICS_REPORTS.from_rows([row])


def page_name(kind: str, date: dt.date) -> str:
    """Return the file name of a report's page, below the reports folder."""
    return f"{kind}/{date.isoformat()}.html"


def _metric(headline: Headline, evidence: Evidence) -> dict[str, Any]:
    value, usual = evidence.day[headline.name], evidence.usual(headline.name)
    noisy = headline.unit in _AVERAGED and evidence.behind(headline.name) < FEW
    comparable = value is not None and usual and not noisy and headline.unit != "sentiment"
    change = round(value / usual - 1, 6) if comparable else None
    return {"name": headline.name, "value": value, "unit": headline.unit, "change": change}


def _summary(evidence: Evidence) -> str:
    day, total = evidence.day, evidence.total
    if not total:
        return "No conversations started on this day."
    parts = [f"{wording.count(total, 'conversation')} with {wording.count(day['user_count'], 'customer')}"]
    if day["answered_rate"] is not None:
        parts.append(f"{wording.share(day['answered_rate'])} answered")
    if day["first_response_seconds_p50"] is not None:
        parts.append(f"a median of {wording.seconds(day['first_response_seconds_p50'])} to the first answer")
    elif evidence.untimed == total:
        parts.append("response times unknown, because the source states no times of single messages")
    known = [topic["label"] for topic in day["topics"] if topic["label"] != OTHER]
    about = f"; asked about most: {wording.label(known[0])}" if known else ""
    return f"{', '.join(parts)}{about}."
