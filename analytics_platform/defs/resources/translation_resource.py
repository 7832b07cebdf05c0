"""Translation as a resource: it opens the translator at first use, and stores the failures of a day.

Without ANALYTICS_TRANSLATE_TO or ANALYTICS_LLM_MODEL translation is off.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

import pyarrow as pa

from analytics_platform.defs.resources.llm_access import OFF, FailureList, LlmAccess
from analytics_platform.insights.encoders.device import DeviceChoice
from analytics_platform.insights.llm.config import LlmError
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.model.tables.translation_tables import MESSAGE_TRANSLATIONS, TRANSLATION_FAILURES
from analytics_platform.model.word_sets.languages import LANGUAGES
from analytics_platform.transform.language import Detector, detect_languages

if TYPE_CHECKING:
    from analytics_platform.insights.llm.translating.quality_estimate import Encoder
    from analytics_platform.insights.llm.translating.translator import TranslationPlan, Translator


class Translations:
    """The translation of messages.

    Args:
        access: The endpoint and the store; also an attribute.
        target: ISO 639-1 code of the language to translate into; None to translate nothing.
        model: Model that translates; None for the one that labels.
        tier: The engine's tier; its vectors of many languages estimate the quality.
        device: Device of the tier ``transformer``.
        detector: Detector of languages, as for the messages.
    """

    def __init__(
        self,
        access: LlmAccess,
        target: str | None,
        *,
        model: str | None,
        tier: str,
        device: DeviceChoice,
        detector: Detector,
    ) -> None:
        self.access = access
        self._target = target
        self._model = access.model(model)
        self._tier = tier
        self._device = device
        self._detector = detector
        self.failures = FailureList(
            access, TRANSLATION_FAILURES, MESSAGE_TRANSLATIONS, "message", is_on=self._on() is not None
        )

    @property
    def is_on(self) -> bool:
        """Whether messages are translated."""
        return self._on() is not None

    @property
    def state(self) -> str:
        """Whether translation is on, into which language and by which model, or why it is off, as a phrase."""
        if self._target is None:
            return "off (ANALYTICS_TRANSLATE_TO is not set)"
        if self.access.config is None:
            return f"off (ANALYTICS_TRANSLATE_TO={self._target}, but ANALYTICS_LLM_MODEL is not set)"
        return f"on, into {self._target} by {self._model}"

    def require_usable(self) -> None:
        """Refuse a code that no language has, and an unusable prompt; neither the store nor the endpoint is contacted.

        Raises:
            LlmError: If the code is unknown, packages are not installed, the price is unknown that a budget
                needs, or the prompt cannot be used.
        """
        if self._target is not None and LANGUAGES.get(self._target) != self._target:
            raise LlmError(f"ANALYTICS_TRANSLATE_TO: no language has the ISO 639-1 code {self._target!r}; use en, say")
        if self.is_on:
            self.access.require_priced(self._model)
            from analytics_platform.insights.llm.translating.translator import load_prompt  # noqa: PLC0415  (an extra)

            load_prompt(self._target or "")

    @property
    def version(self) -> str:
        """Hash of everything that translations depend on besides messages and code; ``off`` if they are off."""
        return self._translator.version if self.is_on else OFF

    def translate(self, day: str, messages: pa.Table) -> pa.Table:
        """Return ``MESSAGE_TRANSLATIONS`` of a day, and store the messages without a translation as failures."""
        if not self.is_on:
            return MESSAGE_TRANSLATIONS.empty()
        self.failures.begin(day)
        outcome = self._translator.translate(messages)
        self.failures.replace(day, outcome.failures)
        return outcome.translations

    def plan(self, messages: pa.Table) -> TranslationPlan:
        """Return the estimated requests, tokens and cost of translating these messages."""
        return self._translator.plan(messages)

    def _on(self) -> str | None:
        return self._target if self.access.is_on else None

    @cached_property
    def _translator(self) -> Translator:
        client = self.access.client.for_model(self._model)
        from analytics_platform.insights.llm.translating import quality_estimate, translator  # noqa: PLC0415  (an extra)

        scale = quality_estimate.STATIC_SCALE if self._tier == "static" else quality_estimate.E5_SCALE
        estimate = quality_estimate.QualityEstimate(scale, self._encoder, partial(_detect, self._detector))
        return translator.Translator(client, self._on() or "", estimate)

    def _encoder(self) -> Encoder:
        if self._tier == "static":
            return static_encoder()
        from analytics_platform.insights.vectors.text_encoder import transformer_encoder  # noqa: PLC0415  (an extra)

        return transformer_encoder(self._device)


def _detect(detector: Detector, texts: pa.Array) -> pa.Array:
    return detect_languages(texts, pa.nulls(len(texts), pa.string()), detector)
