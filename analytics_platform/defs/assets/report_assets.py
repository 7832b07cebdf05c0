"""The ``reports`` group: the daily report for a support or product lead, as a document and as an HTML page.

The page shows the stored document after the document's checks have passed. A missing or changed page is written again
without computing the document again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analytics_platform.analytics.reports import evidence, report, topic_news
from analytics_platform.defs.assets import (
    analytics_assets,
    clean_assets,
    insight_assets,
    operational_assets,
    processing_errors,
    topic_assets,
)
from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import GraphPlace, TableAsset, Upstream, table_asset
from analytics_platform.defs.resources.topics_resource import Topics
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.tables.operational_tables import DAILY_REPORT_PAGES, DAILY_REPORTS
from analytics_platform.model.tables.topic_tables import BIRTH, DEATH, SPLIT
from analytics_platform.storage.partitions import PartitionStream

if TYPE_CHECKING:
    from analytics_platform.insights.topics.topics_in_force import TopicsInForce

SAMPLE_NOTE = (
    "This is the sample: the times of the airline conversations are synthetic; "
    "those of the ubuntu conversations are real, to the minute."
)


def _notes(source_name: str) -> list[str]:
    return [SAMPLE_NOTE] if source_name == "sample" else []


def _shown(_: str, document: pa.Table, **__: object) -> Mapping[str, Any]:
    import dagster as dg  # noqa: PLC0415  (only a run shows it, and has imported Dagster)

    from analytics_platform.analytics.reports import charts  # noqa: PLC0415  (imports Altair)

    topics = document["topics"][0].as_py()
    if not topics:
        return {}
    markdown = charts.metadata_chart("Topics of the day", charts.to_svg(charts.topics_of_day(topics)))
    return {"summary": document["summary"][0].as_py(), "topics": dg.MetadataValue.md(markdown)}


def _changed(topics: TopicsInForce, *events: str) -> list[topic_news.ChangedTopic]:
    """Return the topics that a change of the epoch in force is about."""
    return [
        topic_news.ChangedTopic(change.topic_id, topics.names[change.topic_id], change.count, topics.examples(change))
        for change in topics.changes(*events)
    ]


@table_asset(
    DAILY_REPORTS,
    GraphPlace("reports", frozenset({"mongodb"}), name="daily_report"),
    upstream=Upstream(
        {
            "daily_metrics": analytics_assets.daily_metrics,
            "conversations": clean_assets.conversations,
            "conversation_insights": insight_assets.conversation_insights,
            "agent_daily": analytics_assets.agent_daily,
            "conversation_topics": topic_assets.conversation_topics,
            "processing_errors": processing_errors.processing_errors,
        },
        days_before=evidence.BASELINE_DAYS,
        wait_for=operational_assets.AGREEING,
    ),
    code=[topic_assets.IN_FORCE],
    facts=PartitionFacts(version=topic_assets.version_in_force, metadata=_shown),
    store="mongo",
)
def daily_report(
    day: str,
    daily_metrics: PartitionStream,
    conversations: pa.Table,
    conversation_insights: pa.Table,
    agent_daily: pa.Table,
    conversation_topics: PartitionStream,
    topics: Topics,
) -> pa.Table:
    """Headline figures with their change against the week before, findings and topics of the day, as a document.

    Discovered topics that are new, growing or gone are part of it.
    """
    date, history = dt.date.fromisoformat(day), dict(daily_metrics)
    in_force, topics_of_days = topics.in_force(day), conversation_topics.select(*topic_news.COLUMNS)
    news = topic_news.topic_news(date, topics_of_days, _changed(in_force, BIRTH, SPLIT), _changed(in_force, DEATH))
    return report.daily_report(date, history, conversations, conversation_insights, agent_daily, news)


@table_asset(
    DAILY_REPORT_PAGES,
    GraphPlace("reports", frozenset({"html"}), name="daily_report_page"),
    upstream=Upstream(
        {
            "daily_report": daily_report,
            "daily_metrics": analytics_assets.daily_metrics,
            "conversations": clean_assets.conversations,
            "conversation_insights": insight_assets.conversation_insights,
            "processing_errors": processing_errors.processing_errors,
        },
        days_before=evidence.CHARTED_DAYS,
    ),
    facts=PartitionFacts(version=lambda _, source_name: {"notes": "\n".join(_notes(source_name))}),
    store="pages",
)
def daily_report_page(
    day: str,
    daily_report: pa.Table,
    daily_metrics: PartitionStream,
    conversations: pa.Table,
    conversation_insights: pa.Table,
    source_name: str,
) -> pa.Table:
    """The report of the day as a self-contained HTML page, with charts and the conversations worth reading."""
    from analytics_platform.analytics.reports import page  # noqa: PLC0415  (imports Altair)

    history = dict(daily_metrics)
    html = page.daily_page(daily_report, history, conversations, conversation_insights, _notes(source_name))
    return DAILY_REPORT_PAGES.from_rows(
        [{"kind": Cadence.DAILY.value, "date": dt.date.fromisoformat(day), "page": html}]
    )


ASSETS = [daily_report, daily_report_page]


def in_lake() -> list[TableAsset]:
    """Return the assets of a platform without MongoDB: the document of the report is stored in the lake."""
    facts_only = [name for name in operational_assets.AGREEING if name not in operational_assets.NAMES]
    report = daily_report.stored_in("lake", replace(daily_report.upstream, wait_for=facts_only))
    tables = {**daily_report_page.upstream.tables, "daily_report": report}
    return [report, daily_report_page.stored_in("pages", replace(daily_report_page.upstream, tables=tables))]
