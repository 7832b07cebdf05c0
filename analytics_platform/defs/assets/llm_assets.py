"""The tables of the LLM tier in the ``insights`` group: labels, the ledger of calls, and failures.

Without ``ANALYTICS_LLM_MODEL`` nothing is sent to an LLM, and these tables are empty.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from analytics_platform.defs.assets import clean_assets
from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.defs.resources.llm_resource import Llm
from analytics_platform.insights.llm import llm_store
from analytics_platform.model.tables import llm_tables as tables

KINDS = frozenset({"parquet", "openai"})
PLACE = GraphPlace("insights", KINDS)
LLM_TIER = "analytics_platform.insights.llm.llm_tier"
"""The module behind the resource ``llm``, by name, because its import needs the extra ``llm``."""


def _tier_version(day: str, llm: Llm) -> Mapping[str, str]:  # noqa: ARG001  (the signature of PartitionFacts.version)
    return {"LLM tier": llm.version}


def _ledger_version(day: str, llm: Llm) -> Mapping[str, str]:
    return {"number of calls": llm.calls_version(day)}


def _failures_version(day: str, llm: Llm) -> Mapping[str, str]:
    return {"list of failures": llm.failures_version(day)}


def _waits(day: str, llm: Llm) -> str | None:
    return "conversations without an answer of the LLM" if llm.has_not_done(day) else None


@table_asset(
    tables.LLM_INSIGHTS,
    PLACE,
    upstream=Upstream({"messages": clean_assets.messages}),
    code=[LLM_TIER],
    facts=PartitionFacts(version=_tier_version, unfinished=_waits),
)
def llm_insights(day: str, messages: pa.Table, llm: Llm) -> pa.Table:
    """Topics, intent, sentiment, urgency and resolution of each conversation, as an LLM judges.

    Empty unless ANALYTICS_LLM_MODEL names a model.

    An answer is paid for once: the same conversation, model, prompt and taxonomy are never asked about again.
    """
    return llm.label(day, messages)


@table_asset(
    tables.LLM_CALLS,
    PLACE,
    upstream=Upstream({"llm_insights": llm_insights}),
    code=[llm_store],
    facts=PartitionFacts(version=_ledger_version),
)
def llm_calls(day: str, llm_insights: pa.Table, llm: Llm) -> pa.Table:  # noqa: ARG001  (after it)
    """Every call to the LLM about the day's conversations, in all runs: tokens, cost, latency and errors."""
    return llm.calls(day)


@table_asset(
    tables.LLM_FAILURES,
    PLACE,
    upstream=Upstream({"llm_insights": llm_insights}),
    code=[llm_store],
    facts=PartitionFacts(version=_failures_version),
)
def llm_failures(day: str, llm_insights: pa.Table, llm: Llm) -> pa.Table:  # noqa: ARG001  (after it)
    """Conversations that the LLM did not label, and why; the next run asks again where the budget was used up."""
    return llm.failures(day)


ASSETS = [llm_insights, llm_calls, llm_failures]
