"""The tables of the LLM in the ``insights`` group: labels, translations, the ledger of calls, and failures.

Without ``ANALYTICS_LLM_MODEL`` nothing is sent to an LLM, and these tables are empty. The tables of translations are
also empty without ``ANALYTICS_TRANSLATE_TO``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from analytics_platform.analytics.translation_languages import count_languages
from analytics_platform.defs.assets import clean_assets
from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.defs.resources.llm_resource import Llm
from analytics_platform.defs.resources.translation_resource import Translations
from analytics_platform.insights.llm import llm_store
from analytics_platform.model.tables import llm_tables as tables
from analytics_platform.model.tables import translation_tables
from analytics_platform.model.tables.topic_tables import TOPIC_NAMES

KINDS = frozenset({"parquet", "openai"})
PLACE = GraphPlace("insights", KINDS)
LLM_TIER = "analytics_platform.insights.llm.llm_tier"
TRANSLATOR = "analytics_platform.insights.llm.translating.translator"
"""The modules behind the resources ``llm`` and ``translations``, by name: their import needs the extra ``llm``."""


def _tier_version(day: str, llm: Llm) -> Mapping[str, str]:  # noqa: ARG001  (the signature of PartitionFacts.version)
    return {"LLM tier": llm.version}


def _is_off(llm: Llm) -> bool:
    return not llm.is_on


def _translates_nothing(translations: Translations) -> bool:
    return not translations.is_on


def _ledger_version(day: str, llm: Llm) -> Mapping[str, str]:
    return {"number of calls": llm.access.calls_version(day)}


def _failures_version(day: str, llm: Llm) -> Mapping[str, str]:
    return {"list of failures": llm.failures.version(day)}


def _waits(day: str, llm: Llm) -> str | None:
    return "conversations without an answer of the LLM" if llm.failures.are_waiting(day) else None


def _translator_version(day: str, translations: Translations) -> Mapping[str, str]:  # noqa: ARG001  (the signature of PartitionFacts.version)
    return {"translator": translations.version}


def _translation_failures_version(day: str, translations: Translations) -> Mapping[str, str]:
    return {"list of failures": translations.failures.version(day)}


def _waits_for_translation(day: str, translations: Translations) -> str | None:
    return "messages without a translation" if translations.failures.are_waiting(day) else None


def _translation_state(_: str, __: pa.Table, translations: Translations) -> Mapping[str, Any]:
    return {"translation": translations.state}


def _languages(_: str, languages: pa.Table, **__: object) -> Mapping[str, Any]:
    import dagster as dg  # noqa: PLC0415  (only a run shows it, and has imported Dagster)

    shown = languages.drop_columns(["date"]).to_pylist()
    return {"languages": dg.MetadataValue.table([dg.TableRecord(row) for row in shown])} if shown else {}


@table_asset(
    tables.LLM_INSIGHTS,
    PLACE,
    upstream=Upstream({"messages": clean_assets.messages}),
    code=[LLM_TIER],
    facts=PartitionFacts(version=_tier_version, unfinished=_waits, is_off=_is_off),
)
def llm_insights(day: str, messages: pa.Table, llm: Llm) -> pa.Table:
    """Topics, intent, sentiment, urgency and resolution of each conversation, as an LLM judges.

    Empty unless ANALYTICS_LLM_MODEL names a model.

    An answer is paid for once: the same conversation, model, prompt and taxonomy are never asked about again.
    """
    return llm.label(day, messages)


@table_asset(
    translation_tables.MESSAGE_TRANSLATIONS,
    PLACE,
    upstream=Upstream({"messages": clean_assets.messages}),
    code=[TRANSLATOR],
    facts=PartitionFacts(
        version=_translator_version,
        unfinished=_waits_for_translation,
        metadata=_translation_state,
        is_off=_translates_nothing,
    ),
)
def message_translations(day: str, messages: pa.Table, translations: Translations) -> pa.Table:
    """Translation of each message that is not in the language of ANALYTICS_TRANSLATE_TO, by an LLM, and its quality.

    Off and empty unless ANALYTICS_TRANSLATE_TO names a language and ANALYTICS_LLM_MODEL a model.

    A translation is paid for once: the same text, language, model and prompt are never asked about again.
    """
    return translations.translate(day, messages)


@table_asset(
    tables.LLM_CALLS,
    PLACE,
    upstream=Upstream({"llm_insights": llm_insights}, wait_for=[message_translations.name, TOPIC_NAMES.name]),
    code=[llm_store],
    facts=PartitionFacts(version=_ledger_version, is_off=_is_off),
)
def llm_calls(day: str, llm_insights: pa.Table, llm: Llm) -> pa.Table:  # noqa: ARG001  (after it)
    """Every call to the LLM about the day's conversations, in all runs: tokens, cost, latency and errors.

    Calls for names of discovered topics are under the last day that the topic's epoch reads.
    """
    return llm.access.calls(day)


@table_asset(
    tables.LLM_FAILURES,
    PLACE,
    upstream=Upstream({"llm_insights": llm_insights}),
    code=[llm_store],
    facts=PartitionFacts(version=_failures_version, is_off=_is_off),
)
def llm_failures(day: str, llm_insights: pa.Table, llm: Llm) -> pa.Table:  # noqa: ARG001  (after it)
    """Conversations that the LLM did not label, and why; the next run asks again where the budget was used up."""
    return llm.failures.read(day)


@table_asset(
    translation_tables.TRANSLATION_FAILURES,
    PLACE,
    upstream=Upstream({"message_translations": message_translations}),
    code=[llm_store],
    facts=PartitionFacts(version=_translation_failures_version, is_off=_translates_nothing),
)
def translation_failures(day: str, message_translations: pa.Table, translations: Translations) -> pa.Table:  # noqa: ARG001  (after it)
    """Messages that the LLM did not translate, and why; the next run asks again where the budget was used up."""
    return translations.failures.read(day)


@table_asset(
    translation_tables.TRANSLATION_LANGUAGES,
    PLACE,
    upstream=Upstream(
        {
            "message_translations": message_translations,
            "translation_failures": translation_failures,
        }
    ),
    code=[llm_store],
    # A call that changes the cost also changes one of the two tables.
    facts=PartitionFacts(metadata=_languages, is_off=_translates_nothing),
)
def translation_languages(
    day: str, message_translations: pa.Table, translation_failures: pa.Table, translations: Translations
) -> pa.Table:
    """Messages to translate by language: their number, the share translated, the median quality, and the cost."""
    return count_languages(message_translations, translation_failures, translations.access.calls(day))


ASSETS = [
    llm_insights,
    message_translations,
    llm_calls,
    llm_failures,
    translation_failures,
    translation_languages,
]
