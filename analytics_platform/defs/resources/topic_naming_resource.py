"""The naming of discovered topics by an LLM as a resource: it opens the namer at first use.

Without ANALYTICS_LLM_MODEL topics are named by their own words.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analytics_platform.defs.resources.llm_access import OFF, LlmAccess, tell_unanswered
from analytics_platform.model.tables.topic_tables import TOPIC_NAMES
from analytics_platform.storage.partitions import PartitionStore

if TYPE_CHECKING:
    from analytics_platform.insights.llm.topic_naming.topic_namer import BornTopic, NamingPlan, TopicNamer


class TopicNaming:
    """The naming of discovered topics.

    Args:
        access: The endpoint and the store; also an attribute.
        target: ISO 639-1 code of the language of names; None for the language of most of a topic's openings.
        lake: Returns the store of the names.
        model: Model that names topics; None for the one that labels.
    """

    def __init__(
        self, access: LlmAccess, target: str | None, lake: Callable[[], PartitionStore], model: str | None = None
    ) -> None:
        self.access = access
        self._target = target
        self._model = access.model(model)
        self._lake = lake
        self._is_done = False

    @property
    def is_on(self) -> bool:
        """Whether topics are named by an LLM."""
        return self.access.is_on

    @property
    def state(self) -> str:
        """Whether an LLM names topics, in which language and which one, or why none does, as a phrase."""
        if self.access.config is None:
            return "off (ANALYTICS_LLM_MODEL is not set)"
        return f"on, in {self._target or 'the language of each topic'}, by {self._model}"

    def require_usable(self) -> None:
        """Refuse an unusable prompt; neither the store nor the endpoint is contacted.

        Raises:
            LlmError: If packages are not installed, the price is unknown that a budget needs, or the prompt cannot be
                used.
        """
        if self.is_on:
            self.access.require_priced(self._model)
            from analytics_platform.insights.llm.topic_naming.topic_namer import load_prompt  # noqa: PLC0415  (an extra)

            load_prompt(self._target)

    @property
    def version(self) -> str:
        """Hash of everything that names depend on besides topics and code; ``off`` if no LLM names topics."""
        return self._namer.version if self.is_on else OFF

    def name(self, topic_epochs: pa.Table) -> pa.Table:
        """Return ``TOPIC_NAMES`` of all topics in ``TOPIC_EPOCHS``."""
        if not self.is_on:
            return TOPIC_NAMES.empty()
        self._is_done = True
        return self._namer.name_topics(_born(topic_epochs))

    def plan(self, topic_epochs: pa.Table) -> NamingPlan:
        """Return the estimated requests, tokens and cost of naming all topics in ``TOPIC_EPOCHS``."""
        return self._namer.plan(_born(topic_epochs))

    def are_waiting(self) -> bool:
        """Tell whether topics without a name wait for this run; what fails in this run waits for the next one."""
        return self.is_on and not self._is_done and any(self._stored("will_retry"))

    def summary(self) -> list[str]:
        """Return one line with the number of topics without a name by reason; no line if there are none."""
        reasons = [reason for reason in self._stored("failure") if reason] if self.is_on else []
        return tell_unanswered(TOPIC_NAMES.name, "topic", reasons, TOPIC_NAMES.name)

    def _stored(self, column: str) -> list[Any]:
        lake = self._lake()
        stored = lake.read(TOPIC_NAMES.name, "", [column]) if lake.info(TOPIC_NAMES.name, "") else TOPIC_NAMES.empty()
        values: list[Any] = stored[column].to_pylist()
        return values

    @cached_property
    def _namer(self) -> TopicNamer:
        client = self.access.client.for_model(self._model)
        from analytics_platform.insights.llm.topic_naming.topic_namer import TopicNamer  # noqa: PLC0415  (an extra)

        return TopicNamer(client, self._target)


def _born(topic_epochs: pa.Table) -> list[BornTopic]:
    from analytics_platform.insights.llm.topic_naming.topic_namer import born_topics  # noqa: PLC0415  (an extra)
    from analytics_platform.insights.topics.epoch_rows import read_epochs  # noqa: PLC0415  (imports SciPy)

    return list(born_topics(read_epochs(topic_epochs)))
