"""Tables of the ``operational`` and ``reports`` groups: the documents that applications read from MongoDB.

The values of a table's key, joined by ``:``, are the document's ``_id``; in all values but the last, ``%`` and ``:``
are written as ``%25`` and ``%3A``. ``storage.mongo`` defines indexes and validators.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from analytics_platform.model.cadence import Cadence
from analytics_platform.model.table import DATE, INTEGER, NUMBER, STRING, Column, Table
from analytics_platform.model.tables.analytics_tables import SHARES_TYPE, USER_ANALYTICS
from analytics_platform.model.tables.clean_tables import (
    CONVERSATION_ID,
    CONVERSATIONS,
    MESSAGES,
    STAYS_IN_THE_LAKE,
)
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS, MESSAGE_INSIGHTS
from analytics_platform.model.tables.raw_tables import DATE_COLUMN
from analytics_platform.model.tables.topic_tables import CONVERSATION_TOPICS
from analytics_platform.model.tables.translation_tables import MESSAGE_TRANSLATIONS


def _beside(left: Table, right: Table, *, optional: str = "") -> tuple[Column, ...]:
    """Return the columns of ``left`` that may leave the lake, then the columns that only ``right`` has.

    Args:
        left: Table with one row for every row of the result.
        right: Table with further columns.
        optional: Meaning of null in the columns of ``right``, if some rows of ``left`` have no row in ``right``.
    """
    known = set(left.column_names)
    added = [column for column in right.columns if column.name not in known]
    if optional:
        added = [replace(column, nullable=True, doc=f"{column.doc[:-1]}; {optional}.") for column in added]
    return (*(column for column in left.columns if column.name not in STAYS_IN_THE_LAKE), *added)


CONVERSATION_ANALYTICS = Table(
    name="conversation_analytics",
    grain="one document per conversation: its metrics, its insights and its discovered topic",
    columns=(
        *_beside(CONVERSATIONS, CONVERSATION_INSIGHTS),
        *(column for column in CONVERSATION_TOPICS.columns if column.name not in CONVERSATIONS.column_names),
    ),
    key=("conversation_id",),
)

CONVERSATION_MESSAGES = Table(
    name="conversation_messages",
    grain="one document per message: its text and its insights",
    columns=_beside(MESSAGES, MESSAGE_INSIGHTS, optional="null for tool, system and empty messages"),
    key=("conversation_id", "message_id"),
    order=("conversation_id", "position"),
)

CONVERSATION_CATEGORIES = Table(
    name="conversation_categories",
    grain="one document per conversation and topic",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        Column("topic", STRING, "Topic of the conversation, a label of the taxonomy; other when none fits."),
        Column(
            "confidence",
            NUMBER,
            "Confidence in the topic; for other, the confidence of the conversation's labels taken together.",
            minimum=0,
            maximum=1,
        ),
        Column("rank", INTEGER, "Place among the conversation's topics by confidence, from 1.", minimum=1),
    ),
    key=("conversation_id", "topic"),
    order=("conversation_id", "rank"),
)

CONVERSATION_TRANSLATIONS = Table(
    name="conversation_translations",
    grain="one document per translated message and target language; empty while translation is off",
    columns=MESSAGE_TRANSLATIONS.columns,
    key=MESSAGE_TRANSLATIONS.key,
    order=MESSAGE_TRANSLATIONS.order,
)

USER_PROFILES = Table(
    name="user_analytics",
    grain="one document per customer, over all days",
    columns=USER_ANALYTICS.columns,
    key=("user_id",),
)

_KIND = Column(
    "kind",
    STRING,
    "How many days the report is about: one day, one week or one month.",
    allowed=frozenset({"daily", "weekly", "monthly"}),
)

ANALYTICS_REPORTS = Table(
    name="analytics_reports",
    grain="one document per report",
    columns=(
        _KIND,
        DATE_COLUMN,
        Column("period_start", DATE, "First UTC day that the report is about."),
        Column("period_end", DATE, "Last UTC day that the report is about, inclusive."),
        Column("title", STRING, "Title of the report."),
        Column("summary", STRING, "The reported days in one sentence."),
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
            "Headline figures: name, value, unit, and change relative to the mean of the seven days "
            "before (0.1 is 10 % more). Value is null when unknown; change is null when there is "
            "nothing to compare with.",
        ),
        Column(
            "findings",
            pa.list_(pa.field("item", STRING, nullable=False)),
            "Sentences that say what is remarkable, most striking first.",
        ),
        Column("topics", SHARES_TYPE, "Primary topics, each with its number of conversations, most frequent first."),
        Column(
            "discovered_topics",
            pa.list_(
                pa.field(
                    "item",
                    pa.struct(
                        [
                            pa.field("change", STRING, nullable=False),  # new | growing | gone
                            pa.field("topic_id", STRING, nullable=False),
                            pa.field("topic_name", STRING, nullable=False),
                            pa.field("count", INTEGER, nullable=False),
                            pa.field("count_before", INTEGER, nullable=False),
                            pa.field("examples", pa.list_(pa.field("item", STRING, nullable=False)), nullable=False),
                        ]
                    ),
                    nullable=False,
                )
            ),
            "Discovered topics that are new, growing or gone: name, number of conversations, their number on the seven "
            "days before, and at most two conversations as examples. A new topic counts the conversations of the 28 "
            "days in which it was found; a topic that is gone has none there.",
        ),
        Column("html", STRING, "File name of the report's page, below the folder reports/ of the home."),
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
