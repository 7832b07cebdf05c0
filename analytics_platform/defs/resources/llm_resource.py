"""The LLM tier as a resource: it opens the tier and its store at first use, and stores the failures of a day.

Without ANALYTICS_LLM_MODEL the tier is off.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
from pydantic import SecretStr

from analytics_platform.insights.llm.config import LlmConfig, LlmError
from analytics_platform.insights.llm.llm_store import LlmStore
from analytics_platform.insights.taxonomies.taxonomy import TaxonomyParts, load_taxonomy
from analytics_platform.model.tables.llm_tables import LLM_CALLS, LLM_FAILURES, LLM_INSIGHTS
from analytics_platform.storage.content_hash import content_hash
from analytics_platform.system.plain_text import agreeing, counted

if TYPE_CHECKING:
    from analytics_platform.insights.llm.llm_tier import LlmTier, Plan

_REASONS = {"budget": "budget spent", "unavailable": "endpoint unavailable", "invalid": "answers invalid"}
"""Texts for failure reasons whose names are not clear by themselves."""


class Llm:
    """The LLM tier and its store.

    Args:
        config: Configuration of the endpoint; None without a model.
        taxonomy: Packs and files of labels, combined in this order; the demo's pack when None.
        api_key: Returns the endpoint's key; called at first use.
        open_store: Opens the store that all workers share; called at first use.
    """

    def __init__(
        self,
        config: LlmConfig | None,
        taxonomy: TaxonomyParts | None,
        *,
        api_key: Callable[[], SecretStr],
        open_store: Callable[[], LlmStore],
    ) -> None:
        self._config = config
        self._taxonomy = taxonomy
        self._api_key = api_key
        self._open_store = open_store
        self._labelled: set[str] = set()

    @property
    def is_on(self) -> bool:
        """Whether a model is configured."""
        return self._config is not None

    def require_usable(self) -> None:
        """Refuse an unusable prompt, price list or tokenizer; neither the store nor the endpoint is contacted.

        Raises:
            LlmError: If the tier is off, its packages are not installed, or a file cannot be used.
        """
        config = self._require_installed()
        from analytics_platform.insights.llm.api.token_estimate import token_counter  # noqa: PLC0415  (an extra)
        from analytics_platform.insights.llm.llm_tier import load_files  # noqa: PLC0415  (an extra)

        load_files(config, load_taxonomy(self._taxonomy))
        token_counter(config.tokenizer)

    @cached_property
    def tier(self) -> LlmTier:
        """The tier, opened at first use.

        Raises:
            LlmError: If the tier is off, its packages are not installed, or its configuration is wrong.
        """
        config = self._require_installed().model_copy(update={"api_key": self._api_key()})
        from analytics_platform.insights.llm.llm_tier import LlmTier  # noqa: PLC0415  (an extra)

        return LlmTier(config, load_taxonomy(self._taxonomy), self._store)

    def _require_installed(self) -> LlmConfig:
        """Return the configuration, or raise ``LlmError`` if no model is named or a package is missing."""
        if self._config is None:
            raise LlmError("ANALYTICS_LLM_MODEL: not set; set it to the model that labels conversations")
        try:
            import analytics_platform.insights.llm.llm_tier  # noqa: F401, PLC0415  (an extra)
        except ModuleNotFoundError as error:
            raise LlmError(
                f"ANALYTICS_LLM_MODEL: the package {error.name} is not installed; run `make install EXTRAS=llm`"
            ) from None
        return self._config

    @property
    def version(self) -> str:
        """Hash of everything that labels depend on besides messages and code; ``off`` if the tier is off."""
        return self.tier.version if self.is_on else "off"

    def label(self, day: str, messages: pa.Table) -> pa.Table:
        """Return ``LLM_INSIGHTS`` of a day, and store the conversations without labels as failures."""
        if not self.is_on:
            return LLM_INSIGHTS.empty()
        self._labelled.add(day)
        outcome = self.tier.label_conversations(messages)
        self._store.replace_failures(dt.date.fromisoformat(day), outcome.failures.to_pylist())
        return outcome.insights

    def calls(self, day: str) -> pa.Table:
        """Return ``LLM_CALLS`` of a day, over all runs."""
        rows = self._store.calls(dt.date.fromisoformat(day)) if self.is_on else []
        return LLM_CALLS.from_rows(rows)

    def calls_version(self, day: str) -> str:
        """Return a version of the day's ledger: its number of calls; ``off`` if the tier is off."""
        return str(self._store.count_calls(dt.date.fromisoformat(day))) if self.is_on else "off"

    def failures(self, day: str) -> pa.Table:
        """Return ``LLM_FAILURES`` of a day."""
        rows = self._store.failures(dt.date.fromisoformat(day)) if self.is_on else []
        return LLM_FAILURES.from_rows(rows)

    def failures_version(self, day: str) -> str:
        """Return a version of the day's failures: their content hash; ``off`` if the tier is off."""
        return content_hash(self.failures(day)) if self.is_on else "off"

    def unanswered(self, days: Iterable[str]) -> list[str]:
        """Return one line with the number of conversations without an answer, by reason; no line if there are none."""
        reasons = Counter(reason for day in days for reason in self.failures(day)["reason"].to_pylist())
        if not reasons:
            return []
        listed = ", ".join(
            f"{count:,} {_REASONS.get(reason, reason.replace('_', ' '))}" for reason, count in reasons.most_common()
        )
        without = reasons.total()
        lacking = f"{counted(without, 'conversation')} {agreeing(without, 'has', 'have')} no answer"
        return [f"llm_insights: {lacking}: {listed}; see the table llm_failures"]

    def has_not_done(self, day: str) -> bool:
        """Tell whether conversations of a day wait for this run.

        After this run has labelled the day, conversations without labels wait for the next run.
        """
        return self.is_on and day not in self._labelled and any(self.failures(day)["will_retry"].to_pylist())

    def plan(self, messages: pa.Table) -> Plan:
        """Return the estimated requests, tokens and cost of labelling these messages."""
        return self.tier.plan(messages)

    def close(self) -> None:
        """Close the connections to the LLM endpoint."""
        if "tier" in vars(self):
            self.tier.close()

    @cached_property
    def _store(self) -> LlmStore:
        return self._open_store()
