"""The ``operational`` group: the MongoDB collections that applications read, one asset each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from analytics_platform.analytics import operational_documents
from analytics_platform.defs.assets import (
    analytics_assets,
    clean_assets,
    insight_assets,
    llm_assets,
    processing_errors,
    topic_assets,
)
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.tables import operational_tables as tables
from analytics_platform.storage.warehouse import facts

if TYPE_CHECKING:
    import dagster as dg

collection_asset = partial(
    table_asset, place=GraphPlace("operational", frozenset({"mongodb"}), prefix="mongo"), store="mongo"
)
FAILED = {"processing_errors": processing_errors.processing_errors}
"""Input of every collection, for its failures: a failed conversation is in no collection, any other is in all of
them.
"""


@collection_asset(
    tables.CONVERSATION_ANALYTICS,
    upstream=Upstream(
        {
            "conversations": clean_assets.conversations,
            "conversation_insights": insight_assets.conversation_insights,
            "conversation_topics": topic_assets.conversation_topics,
            **FAILED,
        }
    ),
)
def conversation_analytics(
    conversations: pa.Table, conversation_insights: pa.Table, conversation_topics: pa.Table
) -> pa.Table:
    """Metrics, insights and discovered topic of each conversation, in one document."""
    return operational_documents.conversation_analytics(conversations, conversation_insights, conversation_topics)


@collection_asset(
    tables.CONVERSATION_MESSAGES,
    upstream=Upstream(
        {"messages": clean_assets.messages, "message_insights": insight_assets.message_insights, **FAILED}
    ),
)
def conversation_messages(messages: pa.Table, message_insights: pa.Table) -> pa.Table:
    """Text and insights of each message, in one document."""
    return operational_documents.conversation_messages(messages, message_insights)


@collection_asset(
    tables.CONVERSATION_CATEGORIES,
    upstream=Upstream({"conversation_insights": insight_assets.conversation_insights, **FAILED}),
)
def conversation_categories(conversation_insights: pa.Table) -> pa.Table:
    """One document for each topic of a conversation, for applications that filter by topic."""
    return operational_documents.conversation_categories(conversation_insights)


@collection_asset(
    tables.CONVERSATION_TRANSLATIONS,
    upstream=Upstream({"message_translations": llm_assets.message_translations, **FAILED}),
)
def conversation_translations(message_translations: pa.Table) -> pa.Table:
    """Translations of messages; those of a conversation, in the order of their positions, are its translation.

    Empty while translation is off, that is without ANALYTICS_TRANSLATE_TO or ANALYTICS_LLM_MODEL.
    """
    return tables.CONVERSATION_TRANSLATIONS.conform(message_translations)


AGREEING = [
    *(asset.name for asset in (conversation_analytics, conversation_messages, conversation_categories)),
    *facts.FACTS,
]
"""The assets that store conversations outside the lake. ``daily_report`` and ``mongo/user_analytics`` wait until
each of these assets agrees with the lake.
"""


@collection_asset(
    tables.USER_PROFILES,
    upstream=Upstream({"user_analytics": analytics_assets.user_analytics}, wait_for=AGREEING),
    cadence=Cadence.WHOLE,
)
def user_analytics(user_analytics: pa.Table) -> pa.Table:
    """Conversations, usual hours and weekdays, topics and sentiment of each customer over all stored days."""
    return user_analytics


ASSETS = [
    conversation_analytics,
    conversation_messages,
    conversation_categories,
    conversation_translations,
    user_analytics,
]
DAILY = [asset for asset in ASSETS if asset.recipe.cadence is Cadence.DAILY]
"""The collections that a run computes again from the lake day by day, so that old days may be removed. The daily report
is not one of them: its document is the only copy, which the page of the report is made of.
"""
NAMES = frozenset(asset.name for asset in ASSETS)


def switched_off() -> list[dg.AssetSpec]:
    """Return the collections of a platform without MongoDB: they stay in the lineage, and nothing computes them."""
    told = "Off: this platform has no MongoDB (ANALYTICS_MONGO_URI=off); the collection is neither written nor read."
    return [
        spec.replace_attributes(description=f"{told}\n\n{spec.description}", metadata={}, partitions_def=None)
        for asset in ASSETS
        for spec in asset.definition.specs
    ]
