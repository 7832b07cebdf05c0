"""The settings of the LLM tier. ``loader.Settings`` inherits them; ``insights.llm.config`` uses their values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from analytics_platform.settings.validators import existing_file


class LlmSettings(BaseSettings):
    """Settings of labelling by an LLM, which is off unless a model is named."""

    llm_model: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_LLM_MODEL",
        description="Model that labels conversations, translates messages and names topics; unset, nothing is sent "
        "anywhere.",
    )
    llm_translation_model: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_LLM_TRANSLATION_MODEL",
        description="Model of the same endpoint that translates messages; by default the one that labels.",
    )
    llm_naming_model: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_LLM_NAMING_MODEL",
        description="Model of the same endpoint that names topics; by default the one that labels.",
    )
    llm_base_url: str = Field(
        default="https://api.openai.com/v1",
        validation_alias="ANALYTICS_LLM_BASE_URL",
        description="Address of an OpenAI-compatible API, version included.",
    )
    llm_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="ANALYTICS_LLM_API_KEY",
        description="Key of the LLM's API; unset for a server that needs none.",
    )
    llm_mode: Literal["realtime", "batch"] = Field(
        default="realtime",
        validation_alias="ANALYTICS_LLM_MODE",
        description="realtime sends each request at once; batch is cheaper and takes up to a day.",
    )
    llm_budget_usd: float | None = Field(
        default=None, gt=0, validation_alias="ANALYTICS_LLM_BUDGET_USD", description="Budget of one process, in USD."
    )
    llm_budget_tokens: int | None = Field(
        default=None,
        gt=0,
        validation_alias="ANALYTICS_LLM_BUDGET_TOKENS",
        description="Budget of one process, in tokens.",
    )
    llm_requests_per_minute: int | None = Field(
        default=None,
        ge=1,
        validation_alias="ANALYTICS_LLM_REQUESTS_PER_MINUTE",
        description="Largest number of requests of one process in a minute.",
    )
    llm_tokens_per_minute: int | None = Field(
        default=None,
        ge=1,
        validation_alias="ANALYTICS_LLM_TOKENS_PER_MINUTE",
        description="Largest number of tokens of one process in a minute.",
    )
    llm_concurrency: int = Field(
        default=8,
        ge=1,
        le=1024,
        validation_alias="ANALYTICS_LLM_CONCURRENCY",
        description="Largest number of requests at once.",
    )
    llm_timeout_seconds: float = Field(
        default=60.0, gt=0, validation_alias="ANALYTICS_LLM_TIMEOUT_SECONDS", description="Timeout of one request."
    )
    llm_transcript_tokens: int = Field(
        default=3000,
        ge=200,
        validation_alias="ANALYTICS_LLM_TRANSCRIPT_TOKENS",
        description="Most tokens sent of one conversation; longer conversations are cut.",
    )
    llm_prices: Path | None = Field(
        default=None,
        validation_alias="ANALYTICS_LLM_PRICES",
        description="YAML file of prices per million tokens; by default the shipped file.",
    )
    llm_tokenizer: Path | None = Field(
        default=None,
        validation_alias="ANALYTICS_LLM_TOKENIZER",
        description="tokenizer.json of the model, for `analytics llm-cost`; unset, tokens are estimated.",
    )
    llm_retry_failed: bool = Field(
        default=False,
        validation_alias="ANALYTICS_LLM_RETRY_FAILED",
        description="Ask again about conversations whose requests or answers failed for good.",
    )

    llm_translate_to: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_TRANSLATE_TO",
        description="ISO 639-1 code of the language into which the model translates messages, such as en; names of "
        "topics are in it, too. Unset, nothing is translated.",
    )

    @field_validator("llm_translate_to")
    @classmethod
    def _llm_language(cls, code: str | None) -> str | None:
        if code is not None and not re.fullmatch(r"[a-z]{2}", code):
            raise ValueError("must be an ISO 639-1 code, two small letters, such as en")
        return code  # whether a language has this code, ``require_inputs`` checks

    @field_validator("llm_base_url")
    @classmethod
    def _llm_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
            raise ValueError("must be http://host:port/v1 or https://host/v1, without credentials")
        return url.rstrip("/")

    @field_validator("llm_prices", "llm_tokenizer")
    @classmethod
    def _llm_file(cls, path: Path | None) -> Path | None:
        return existing_file(path)
