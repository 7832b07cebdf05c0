"""Tables of the ``operational`` and ``reports`` groups: the documents that applications read from MongoDB.

A table's key, joined by ``:``, is the document's ``_id``. Indexes and validators are ``storage.mongo``'s.
"""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model.analytics_tables import SHARES_TYPE, USER_ANALYTICS
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.clean_tables import (
    CONVERSATION_ID,
    CONVERSATIONS,
    MESSAGE_ID,
    MESSAGES,
    STAYS_IN_THE_LAKE,
)
from analytics_platform.model.insight_tables import CONVERSATION_INSIGHTS, MESSAGE_INSIGHTS
from analytics_platform.model.raw_tables import DATE_COLUMN
from analytics_platform.model.table import DATE, INTEGER, NUMBER, STRING, Column, Table


def _beside(left: Table, right: Table, *, optional: bool) -> tuple[Column, ...]:
    """Columns of ``left`` that may leave the lake, then those that only ``right`` has, nullable when ``optional``."""
    known = set(left.column_names)
    added = [column for column in right.columns if column.name not in known]
    if optional:
        added = [Column(**{**vars(column), "nullable": True}) for column in added]
    return (*(column for column in left.columns if column.name not in STAYS_IN_THE_LAKE), *added)


CONVERSATION_ANALYTICS = Table(
    name="conversation_analytics",
    grain="one document per conversation: its metrics and its insights",
    columns=_beside(CONVERSATIONS, CONVERSATION_INSIGHTS, optional=False),
    key=("conversation_id",),
)

CONVERSATION_MESSAGES = Table(
    name="conversation_messages",
    grain="one document per message: its text and its insights (null for tool and empty messages)",
    columns=_beside(MESSAGES, MESSAGE_INSIGHTS, optional=True),
    key=("message_id",),
    order=("conversation_id", "position"),
)

CONVERSATION_CATEGORIES = Table(
    name="conversation_categories",
    grain="one document per conversation and topic",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        Column("topic", STRING, "A topic of the taxonomy; other when none fits."),
        Column("confidence", NUMBER, "Confidence in the topic, 0 to 1.", minimum=0, maximum=1),
        Column("rank", INTEGER, "Place among the conversation's topics, from 1.", minimum=1),
    ),
    key=("conversation_id", "topic"),
    order=("conversation_id", "rank"),
)

CONVERSATION_TRANSLATIONS = Table(
    name="conversation_translations",
    grain="one document per message and target language; empty until translation is configured",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        MESSAGE_ID,
        Column("source_language", STRING, "ISO 639-1 code of the original."),
        Column("target_language", STRING, "ISO 639-1 code of the translation."),
        Column("text", STRING, "The translation."),
        Column(
            "quality",
            NUMBER,
            "Estimated quality, 0 to 1; null when not estimated.",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column("translator", STRING, "What translated it."),
    ),
    key=("message_id", "target_language"),
)

USER_PROFILES = Table(
    name="user_analytics",
    grain="one document per customer, over all days",
    columns=USER_ANALYTICS.columns,
    key=("user_id",),
)

_KIND = Column("kind", STRING, "Cadence.", allowed=frozenset({"daily", "weekly", "monthly"}))

ANALYTICS_REPORTS = Table(
    name="analytics_reports",
    grain="one document per report",
    columns=(
        _KIND,
        DATE_COLUMN,
        Column("period_start", DATE, "First day reported."),
        Column("period_end", DATE, "Last day reported, inclusive."),
        Column("title", STRING, "Title for a reader."),
        Column("summary", STRING, "The day in one sentence."),
        Column(
            "metrics",
            pa.list_(
                pa.field(
                    "item",
                    pa.struct(
                        [
                            pa.field("name", STRING, nullable=False),
                            pa.field("value", NUMBER),
                            pa.field("unit", STRING),
                            pa.field("change", NUMBER),  # relative to the trailing mean; null when there is none
                        ]
                    ),
                    nullable=False,
                )
            ),
            "Headline figures, each with its relative change against the mean of the seven days before.",
        ),
        Column(
            "findings",
            pa.list_(pa.field("item", STRING, nullable=False)),
            "What a reader should notice, most striking first.",
        ),
        Column("topics", SHARES_TYPE, "Primary topics with their number of conversations."),
        Column("html", STRING, "File name of the page below the reports folder."),
    ),
    key=("kind", "date"),
)

DAILY_REPORTS = ANALYTICS_REPORTS.of_kind(Cadence.DAILY)

REPORT_PAGES = Table(
    name="report_pages",
    grain="one row per page: an HTML file of its own below the reports folder",
    columns=(
        _KIND,
        DATE_COLUMN,
        Column("page", STRING, "The page: one HTML document that loads nothing from elsewhere."),
    ),
    key=("kind", "date"),
)

DAILY_REPORT_PAGES = REPORT_PAGES.of_kind(Cadence.DAILY)
