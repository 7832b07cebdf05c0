"""The LLM tier as a resource: it opens the tier at first use, and stores the failures of a day.

Without ANALYTICS_LLM_MODEL the tier is off.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from analytics_platform.defs.resources.llm_access import OFF, FailureList, LlmAccess
from analytics_platform.insights.taxonomies.taxonomy import TaxonomyParts, load_taxonomy
from analytics_platform.model.tables.llm_tables import LLM_FAILURES, LLM_INSIGHTS

if TYPE_CHECKING:
    from analytics_platform.insights.llm.llm_tier import LlmTier, Plan


class Llm:
    """The LLM tier.

    Args:
        access: The endpoint and the store; also an attribute.
        taxonomy: Packs and files of labels, combined in this order; the demo's pack when None.
    """

    def __init__(self, access: LlmAccess, taxonomy: TaxonomyParts | None) -> None:
        self.access = access
        self._taxonomy = taxonomy
        self.failures = FailureList(access, LLM_FAILURES, LLM_INSIGHTS, "conversation", is_on=access.is_on)

    @property
    def is_on(self) -> bool:
        """Whether a model is configured."""
        return self.access.is_on

    def require_usable(self) -> None:
        """Refuse an unusable prompt, price list or tokenizer; neither the store nor the endpoint is contacted.

        Raises:
            LlmError: If the tier is off, its packages are not installed, or a file cannot be used.
        """
        config = self.access.require_installed()
        from analytics_platform.insights.llm.api.token_estimate import token_counter  # noqa: PLC0415  (an extra)
        from analytics_platform.insights.llm.llm_tier import conversation_prompt  # noqa: PLC0415  (an extra)

        conversation_prompt(config.prompt, load_taxonomy(self._taxonomy))
        self.access.require_priced(config.model)
        token_counter(config.tokenizer)

    @cached_property
    def tier(self) -> LlmTier:
        """The tier, opened at first use.

        Raises:
            LlmError: If the tier is off, its packages are not installed, or its configuration is wrong.
        """
        client = self.access.client
        from analytics_platform.insights.llm.llm_tier import LlmTier  # noqa: PLC0415  (an extra)

        return LlmTier(client, load_taxonomy(self._taxonomy))

    @property
    def version(self) -> str:
        """Hash of everything that labels depend on besides messages and code; ``off`` if the tier is off."""
        return self.tier.version if self.is_on else OFF

    def label(self, day: str, messages: pa.Table) -> pa.Table:
        """Return ``LLM_INSIGHTS`` of a day, and store the conversations without labels as failures."""
        if not self.is_on:
            return LLM_INSIGHTS.empty()
        self.failures.begin(day)
        outcome = self.tier.label_conversations(messages)
        self.failures.replace(day, outcome.failures)
        return outcome.insights

    def plan(self, messages: pa.Table) -> Plan:
        """Return the estimated requests, tokens and cost of labelling these messages."""
        return self.tier.plan(messages)
