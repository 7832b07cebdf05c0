"""The ``clean`` group: cleaned messages, and conversations with their metrics."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from analytics_platform.defs.assets import raw_assets
from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.model.tables import clean_tables as tables
from analytics_platform.transform.cleaning import Cleaning
from analytics_platform.transform.conversations import conversation_metrics
from analytics_platform.transform.messages import clean_messages

KINDS = frozenset({"parquet", "pandas"})
PLACE = GraphPlace("clean", KINDS)
SPANS_KEPT = "pii_spans_kept"
"""Annotation of the days of ``messages`` whose personal data is kept encrypted: a hash that identifies the key."""


def _cleaning_version(day: str, cleaning: Cleaning) -> Mapping[str, str]:  # noqa: ARG001  (the signature of PartitionFacts.version)
    return cleaning.versions


def _conversations_version(day: str, cleaning: Cleaning) -> Mapping[str, str]:  # noqa: ARG001  (the signature of PartitionFacts.version)
    return {**cleaning.versions, **cleaning.outcome_versions}


def _spans_kept(day: str, cleaning: Cleaning) -> Mapping[str, str]:  # noqa: ARG001  (the signature of PartitionFacts.annotate)
    proof = cleaning.privacy.spans_proof
    return {SPANS_KEPT: proof} if proof else {}


@table_asset(
    tables.MESSAGES,
    PLACE,
    upstream=Upstream({"raw_messages": raw_assets.raw_messages}),
    facts=PartitionFacts(version=_cleaning_version, annotate=_spans_kept),
    isolates=True,
)
def messages(raw_messages: pa.Table, cleaning: Cleaning) -> pa.Table:
    """Cleaned text of each message, without markup, code and personal data; its language, lengths and response time."""
    return clean_messages(raw_messages, cleaning)


@table_asset(
    tables.CONVERSATIONS,
    PLACE,
    upstream=Upstream({"messages": messages, "raw_conversations": raw_assets.raw_conversations}),
    facts=PartitionFacts(version=_conversations_version),
    isolates=True,
)
def conversations(messages: pa.Table, raw_conversations: pa.Table, cleaning: Cleaning) -> pa.Table:
    """Duration, turns, response times, talk ratio, outcome and quality score of each conversation."""
    return conversation_metrics(messages, raw_conversations, cleaning.privacy, cleaning.outcomes)


ASSETS = [messages, conversations]
