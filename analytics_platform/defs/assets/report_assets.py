"""The ``reports`` group: what a support or product lead reads in the morning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from analytics_platform.analytics import reports
from analytics_platform.analytics.reports import charts, report
from analytics_platform.analytics.reports.page import CHARTED_DAYS, daily_page
from analytics_platform.defs.assets import (
    analytics_assets,
    clean_assets,
    insight_assets,
    operational_assets,
    processing_errors,
)
from analytics_platform.defs.framework.table_asset import table_asset
from analytics_platform.files import write_atomically
from analytics_platform.model import operational_tables as tables
from analytics_platform.storage.partitions import PartitionStream

SAMPLE_NOTE = (
    "This is the sample: the times of the airline conversations are synthetic; "
    "those of the ubuntu conversations are real, to the minute."
)


def page_path(reports_dir: Path, day: str) -> Path:
    """Return where the page of a day is."""
    return reports_dir / report.page_name("daily", dt.date.fromisoformat(day))


def _page_is_missing(day: str, *, reports_dir: Path, **_: object) -> str | None:
    return None if page_path(reports_dir, day).exists() else "missing page"


def _shown(day: str, document: pa.Table, *, reports_dir: Path, **_: object) -> Mapping[str, Any]:
    page = {"page": dg.MetadataValue.path(page_path(reports_dir, day).absolute())}
    topics = document["topics"][0].as_py()
    if not topics:
        return page
    markdown = charts.metadata_chart("Topics of the day", charts.to_svg(charts.topics_of_day(topics)))
    return {**page, "summary": document["summary"][0].as_py(), "topics": dg.MetadataValue.md(markdown)}


@table_asset(
    tables.ANALYTICS_REPORTS,
    name="daily_report",
    group="reports",
    code=[reports],
    store="mongo",
    upstream={
        "daily_metrics": analytics_assets.daily_metrics,
        "conversations": clean_assets.conversations,
        "conversation_insights": insight_assets.conversation_insights,
        "agent_daily": analytics_assets.agent_daily,
        "processing_errors": processing_errors.processing_errors,
    },
    days_before=CHARTED_DAYS,
    kinds=frozenset({"mongodb", "html"}),
    unfinished=_page_is_missing,
    deps=operational_assets.AGREEING,
    metadata=_shown,
)
def daily_report(
    day: str,
    daily_metrics: PartitionStream,
    conversations: pa.Table,
    conversation_insights: pa.Table,
    agent_daily: pa.Table,
    source_name: str,
    reports_dir: Path,
) -> pa.Table:
    """Figures with their change against the week before, findings and topics of the day, as a document and a page."""
    date, history = dt.date.fromisoformat(day), dict(daily_metrics)
    document = report.daily_report(date, history, conversations, conversation_insights, agent_daily)
    notes = [SAMPLE_NOTE] if source_name == "sample" else []
    page = daily_page(document, history, conversations, conversation_insights, notes)
    write_atomically(page_path(reports_dir, day), page.encode())
    return document


ASSETS = [daily_report]
