"""The ``insights`` group: vectors and labels of messages and conversations."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from analytics_platform.defs.assets import clean_assets, llm_assets
from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.defs.resources.corrections_resource import Corrections
from analytics_platform.defs.resources.insights_resource import Insights
from analytics_platform.insights import similarity
from analytics_platform.model.tables import insight_tables as tables

KINDS = frozenset({"parquet", "numpy"})
PLACE = GraphPlace("insights", KINDS)
_ENGINE = "analytics_platform.insights.engine"
"""The module behind the resource ``insights``, by name: importing it takes a second, which only labelling needs."""


def _engine_version(day: str, insights: Insights) -> Mapping[str, str]:  # noqa: ARG001  (the signature of PartitionFacts.version)
    return insights.versions


def _label_versions(day: str, insights: Insights, corrections: Corrections) -> Mapping[str, str]:
    return {**insights.versions, **corrections.version(day)}


@table_asset(
    tables.MESSAGE_EMBEDDINGS,
    PLACE,
    upstream=Upstream({"messages": clean_assets.messages}),
    code=[_ENGINE],
    facts=PartitionFacts(version=_engine_version),
    isolates=True,
)
def message_embeddings(messages: pa.Table, insights: Insights) -> pa.Table:
    """A vector of the meaning of each message that has text and is written by a person or an assistant."""
    return insights.engine.embed_messages(messages)


@table_asset(
    tables.CONVERSATION_EMBEDDINGS,
    PLACE,
    upstream=Upstream({"messages": clean_assets.messages, "message_embeddings": message_embeddings}),
    isolates=True,
)
def conversation_embeddings(messages: pa.Table, message_embeddings: pa.Table) -> pa.Table:
    """A vector of the meaning of each conversation: the weighted mean of its messages' vectors.

    The customer's opening weighs most. `analytics similar` compares these vectors.
    """
    return similarity.conversation_embeddings(messages, message_embeddings)


@table_asset(
    tables.MESSAGE_INSIGHTS,
    PLACE,
    upstream=Upstream({"messages": clean_assets.messages, "message_embeddings": message_embeddings}),
    code=[_ENGINE],
    facts=PartitionFacts(version=_engine_version),
    isolates=True,
)
def message_insights(messages: pa.Table, message_embeddings: pa.Table, insights: Insights) -> pa.Table:
    """Sentiment, intent and topics of each message, each with its confidence."""
    return insights.engine.label_messages(messages, message_embeddings)


_READ = {
    "messages": clean_assets.messages,
    "message_embeddings": message_embeddings,
    "message_insights": message_insights,
    "conversations": clean_assets.conversations,
}


@table_asset(
    tables.CONVERSATION_INSIGHTS,
    PLACE,
    upstream=Upstream(_READ),
    code=[_ENGINE],
    facts=PartitionFacts(version=_label_versions),
    isolates=True,
)
def conversation_insights(
    messages: pa.Table,
    message_embeddings: pa.Table,
    message_insights: pa.Table,
    conversations: pa.Table,
    insights: Insights,
    corrections: Corrections,
) -> pa.Table:
    """Topics, intent, sentiment, urgency and resolution of each conversation, with confidence and reasons.

    A label that a person corrected is the person's.
    """
    return insights.engine.label_conversations(
        messages,
        message_embeddings,
        message_insights,
        conversations.select(["conversation_id", "resolved"]),
        corrected=corrections.by_kind,
    )


@table_asset(
    tables.CONVERSATION_INSIGHTS,
    GraphPlace("insights", KINDS | llm_assets.KINDS),
    upstream=Upstream({**_READ, "llm_insights": llm_assets.llm_insights}),
    code=[_ENGINE],
    facts=PartitionFacts(version=_label_versions),
    isolates=True,
)
def conversation_insights_by_llm(
    messages: pa.Table,
    message_embeddings: pa.Table,
    message_insights: pa.Table,
    conversations: pa.Table,
    llm_insights: pa.Table,
    insights: Insights,
    corrections: Corrections,
) -> pa.Table:
    """Topics, intent, sentiment, urgency and resolution of each conversation, with confidence and reasons.

    The labels are the LLM's. The engine's labels remain for conversations that the LLM has not answered, for
    resolutions that the source states, and for labels that a rule of the taxonomy forces or forbids. A label that a
    person corrected is the person's.
    """
    return insights.engine.label_conversations(
        messages,
        message_embeddings,
        message_insights,
        conversations.select(["conversation_id", "resolved"]),
        answers=llm_insights,
        corrected=corrections.by_kind,
    )


ASSETS = [message_embeddings, conversation_embeddings, message_insights, conversation_insights]
BY_LLM = {conversation_insights.name: conversation_insights_by_llm}
"""Assets that take the place of ``ASSETS`` in the tier ``llm``, by the name of the asset that they replace."""
