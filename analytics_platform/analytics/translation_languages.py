"""Figures of translations by language: how many messages, how many translated, how well, and at what cost."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.tables.translation_tables import PROMPT_PREFIX, TRANSLATION_LANGUAGES

_LANGUAGES = ["source_language", "target_language"]
_DAY = ["date", *_LANGUAGES]
_CONVERSATION = "conversation_id"


def count_languages(translations: pa.Table, failures: pa.Table, calls: pa.Table) -> pa.Table:
    """Return ``TRANSLATION_LANGUAGES`` of a day.

    Args:
        translations: ``MESSAGE_TRANSLATIONS`` of the day.
        failures: ``TRANSLATION_FAILURES`` of the day.
        calls: ``LLM_CALLS`` of the day; calls for labels are left out.
    """
    named = [*_DAY, _CONVERSATION]
    translated = translations.select([*named, "quality", "length_ratio"]).to_pandas()
    both = pd.concat([translated.assign(is_translated=True), failures.select(named).to_pandas()], ignore_index=True)
    if both.empty:
        return TRANSLATION_LANGUAGES.empty()
    both["is_translated"] = both["is_translated"].notna()
    paid = calls.filter(pc.starts_with(calls["prompt_version"], PROMPT_PREFIX))
    figures = both.groupby(_DAY, as_index=False).agg(
        message_count=(_CONVERSATION, "size"),
        translated_count=("is_translated", "sum"),
        translated_share=("is_translated", "mean"),
        quality_p50=("quality", "median"),
        length_ratio_p50=("length_ratio", "median"),
    )
    figures = figures.merge(_cost(both, paid), on=_LANGUAGES, how="left")
    if not pc.any(pc.and_(pc.equal(paid["status"], "ok"), pc.is_null(paid["cost_usd"]))).as_py():
        figures["cost_usd"] = figures["cost_usd"].fillna(0.0)  # all prices are known, and nothing was asked
    return TRANSLATION_LANGUAGES.conform(pa.Table.from_pandas(figures, preserve_index=False))


def _cost(messages: pd.DataFrame, calls: pa.Table) -> pd.DataFrame:
    """Return the cost by language; the cost of a conversation is divided by its numbers of messages of a language."""
    known = calls.filter(pc.is_valid(calls["cost_usd"])).select([_CONVERSATION, "cost_usd"]).to_pandas()
    costs = known.groupby(_CONVERSATION, as_index=False)["cost_usd"].sum()
    counts = messages.groupby([_CONVERSATION, *_LANGUAGES], as_index=False).size()
    counts["share"] = counts["size"] / counts.groupby(_CONVERSATION)["size"].transform("sum")
    shared = counts.merge(costs, on=_CONVERSATION)
    shared["cost_usd"] *= shared["share"]
    return shared.groupby(_LANGUAGES, as_index=False).agg(cost_usd=("cost_usd", "sum"))
