"""The settings of cleaning: personal data, languages and outcomes. ``loader.Settings`` inherits them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from analytics_platform.settings import validators as checks


class CleaningSettings(BaseSettings):
    """Settings of redaction and pseudonyms, of language detection, and of the meaning of outcomes."""

    pii: Literal["redact", "keep"] = Field(
        default="redact",
        validation_alias="ANALYTICS_PII",
        description="redact replaces personal data in texts by its kind, from the clean tables on; keep counts it.",
    )
    pii_kinds: str = Field(
        default="structured",
        validation_alias="ANALYTICS_PII_KINDS",
        description="Personal data to find, separated by commas: structured, all, none, or see docs/privacy.md.",
    )
    pii_spans_key: Annotated[SecretStr | None, AfterValidator(checks.spans_key)] = Field(
        default=None,
        validation_alias="ANALYTICS_PII_SPANS_KEY",
        description="Key that encrypts the replaced personal data for `analytics reveal`; at least 32 bytes. "
        "Unset, replaced personal data is not kept.",
    )
    pseudonym_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        validation_alias="ANALYTICS_PSEUDONYM_KEY",
        description="Key of users' pseudonyms, from the clean tables on; at least 16 characters. Unset, ids stay.",
    )
    redact_columns: str = Field(
        default="",
        validation_alias="ANALYTICS_REDACT_COLUMNS",
        description="Columns beside texts in which personal data is replaced, too, separated by commas: channel, "
        "model, outcome, variant. Unset, they stay as the source gives them.",
    )
    language_detector: Literal["fast", "careful"] = Field(
        default="fast",
        validation_alias="ANALYTICS_LANGUAGE_DETECTOR",
        description="Language detector; careful needs the extra languages and a gigabyte of memory.",
    )

    outcomes: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_OUTCOMES",
        description="Meaning of the source's outcomes: word=success, word=failure or word=neither, separated by "
        "commas; these win over the words of docs/data-model.md.",
    )

    @field_validator("pii_kinds")
    @classmethod
    def _known_kinds(cls, kinds: str) -> str:
        if kinds != "structured":  # the default needs no lookup of the kinds
            _kinds_named(kinds)
        return kinds

    @field_validator("outcomes")
    @classmethod
    def _outcomes_named(cls, outcomes: str | None) -> str | None:
        if outcomes:
            from analytics_platform.transform.outcomes import parse_outcomes  # noqa: PLC0415  (imports Arrow)

            parse_outcomes(outcomes)
        return outcomes

    @field_validator("redact_columns")
    @classmethod
    def _known_columns(cls, columns: str) -> str:
        if columns:
            _columns_named(columns)
        return columns

    @field_validator("language_detector")
    @classmethod
    def _installed(cls, detector: str) -> str:
        if detector == "careful" and find_spec("lingua") is None:
            raise ValueError("careful needs lingua: pip install 'analytics-platform[languages]'")
        return detector

    @property
    def pii_kind_set(self) -> frozenset[str]:
        """Kinds of personal data to look for."""
        return _kinds_named(self.pii_kinds)

    @property
    def redact_column_set(self) -> frozenset[str]:
        """Columns beside texts from which personal data is redacted."""
        return _columns_named(self.redact_columns) if self.redact_columns else frozenset()


def _columns_named(columns: str) -> frozenset[str]:
    from analytics_platform.model.word_sets.pii_kinds import columns_named  # noqa: PLC0415  (as below)

    return columns_named(columns)


def _kinds_named(kinds: str) -> frozenset[str]:
    from analytics_platform.model.word_sets.pii_kinds import kinds_named  # noqa: PLC0415  (the model takes half a second to import)

    return kinds_named(kinds)
