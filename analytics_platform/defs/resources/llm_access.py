"""The LLM endpoint and its store as one process uses them, for labels, translations and names of topics."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
from pydantic import SecretStr

from analytics_platform.insights.llm.config import LlmConfig, LlmError
from analytics_platform.insights.llm.llm_store import LlmStore
from analytics_platform.model import Table
from analytics_platform.model.tables.llm_tables import LLM_CALLS
from analytics_platform.storage.content_hash import content_hash
from analytics_platform.system.plain_text import agreeing, counted

if TYPE_CHECKING:
    from analytics_platform.insights.llm.llm_client import LlmClient

OFF = "off"
"""Version of everything that an LLM makes while it is off."""
_REASONS = {"budget": "budget spent", "unavailable": "endpoint unavailable", "invalid": "answers invalid"}
"""Texts for failure reasons whose names are not clear by themselves."""


class LlmAccess:
    """The endpoint and the store, each opened at first use; all users share one budget.

    Args:
        config: Configuration of the endpoint; None without a model.
        api_key: Returns the endpoint's key; called at first use.
        open_store: Opens the store that all workers share; called at first use.
    """

    def __init__(
        self, config: LlmConfig | None, *, api_key: Callable[[], SecretStr], open_store: Callable[[], LlmStore]
    ) -> None:
        self.config = config
        self._api_key = api_key
        self._open_store = open_store

    @property
    def is_on(self) -> bool:
        """Whether a model is configured."""
        return self.config is not None

    def model(self, own: str | None) -> str:
        """Return the model of a kind of question: its own one, or else the one that labels; empty while it is off."""
        return (own or self.config.model) if self.config else ""

    def require_priced(self, model: str) -> None:
        """Refuse a model whose price is unknown while a budget in US dollars is set.

        Raises:
            LlmError: If so, or if the LLM is off, its packages are not installed, or the price list cannot be read.
        """
        config = self.require_installed()
        from analytics_platform.insights.llm.llm_client import load_price_list  # noqa: PLC0415  (an extra)

        load_price_list(config.model_copy(update={"model": model}))

    def require_installed(self) -> LlmConfig:
        """Return the configuration.

        Raises:
            LlmError: If no model is named, or a package is missing.
        """
        if self.config is None:
            raise LlmError("ANALYTICS_LLM_MODEL: not set; set it to the model that labels conversations")
        try:
            import analytics_platform.insights.llm.llm_tier  # noqa: F401, PLC0415  (an extra)
        except ModuleNotFoundError as error:
            raise LlmError(
                f"ANALYTICS_LLM_MODEL: the package {error.name} is not installed; run `make install EXTRAS=llm`"
            ) from None
        return self.config

    @cached_property
    def client(self) -> LlmClient:
        """The client of the endpoint, made at first use.

        Raises:
            LlmError: If the LLM is off, its packages are not installed, or its configuration is wrong.
        """
        config = self.require_installed().model_copy(update={"api_key": self._api_key()})
        from analytics_platform.insights.llm.llm_client import LlmClient  # noqa: PLC0415  (an extra)

        return LlmClient(config, self.store)

    @cached_property
    def store(self) -> LlmStore:
        """The store of answers, calls and failures, opened at first use."""
        return self._open_store()

    def calls(self, day: str) -> pa.Table:
        """Return ``LLM_CALLS`` of a day, over all runs; none if the LLM is off."""
        rows = self.store.calls(dt.date.fromisoformat(day)) if self.is_on else []
        return LLM_CALLS.from_rows(rows)

    def calls_version(self, day: str) -> str:
        """Return a version of the day's ledger: its number of calls; ``off`` if the LLM is off."""
        return str(self.store.count_calls(dt.date.fromisoformat(day))) if self.is_on else OFF

    def close(self) -> None:
        """Close the connections to the endpoint."""
        if "client" in vars(self):
            self.client.close()


class FailureList:
    """The failures of a kind of question: what has no answer, day by day, and what waits for this run.

    Args:
        access: The store.
        table: Declaration of the failures.
        of: The table that lacks a row for each failure.
        unit: What a failure is about: a conversation or a message.
        is_on: Whether questions of this kind are asked; also an attribute.
    """

    def __init__(self, access: LlmAccess, table: Table, of: Table, unit: str, *, is_on: bool) -> None:
        self._access = access
        self._table = table
        self._of = of
        self._unit = unit
        self.is_on = is_on
        self._done: set[str] = set()

    def read(self, day: str) -> pa.Table:
        """Return the failures of a day; none if the questions are off."""
        stored = self._access.store.failures(self._table.name, dt.date.fromisoformat(day)) if self.is_on else []
        return self._table.from_rows(stored)

    def replace(self, day: str, failures: pa.Table) -> None:
        """Store the failures of a day in place of the earlier ones."""
        self._access.store.replace_failures(self._table.name, dt.date.fromisoformat(day), failures.to_pylist())

    def version(self, day: str) -> str:
        """Return a version of the day's failures: their content hash; ``off`` if the questions are off."""
        return content_hash(self.read(day)) if self.is_on else OFF

    def begin(self, day: str) -> None:
        """Note that this run asks the questions of a day, so that what fails now waits for the next run."""
        self._done.add(day)

    def are_waiting(self, day: str) -> bool:
        """Tell whether failures of a day wait for this run."""
        return self.is_on and day not in self._done and any(self.read(day)["will_retry"].to_pylist())

    def summary(self, days: Iterable[str]) -> list[str]:
        """Return one line with the number of failures by reason; no line if there are none."""
        reasons = [reason for day in days for reason in self.read(day)["reason"].to_pylist()]
        return tell_unanswered(self._of.name, self._unit, reasons, self._table.name)


def tell_unanswered(table: str, unit: str, reasons: Sequence[str], listed_in: str) -> list[str]:
    """Return one line with the number of questions without an answer by reason; no line if there are none.

    Args:
        table: Name of the table that lacks an answer for each reason.
        unit: What a question is about: a conversation, a message or a topic.
        reasons: The reasons of all failures, of ``FAILURE_REASONS``.
        listed_in: Name of the table that lists the failures.
    """
    if not reasons:
        return []
    listed = ", ".join(
        f"{count:,} {_REASONS.get(reason, reason.replace('_', ' '))}"
        for reason, count in Counter(reasons).most_common()
    )
    lacking = f"{counted(len(reasons), unit)} {agreeing(len(reasons), 'has', 'have')} no answer"
    return [f"{table}: {lacking}: {listed}; see the table {listed_in}"]
