"""The settings of the LLM tier. ``loader.Settings`` inherits them; ``insights.llm.config`` uses their values."""

from __future__ import annotations

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
        description="Model that labels conversations; unset, nothing is sent anywhere.",
    )
    llm_base_url: str = Field(
        default="https://api.openai.com/v1",
        validation_alias="ANALYTICS_LLM_BASE_URL",
        description="Address of an OpenAI-compatible API, version included.",
    )
    llm_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="ANALYTICS_LLM_API_KEY",
        description="Its key; a server of one's own may need none.",
    )
    llm_mode: Literal["realtime", "batch"] = Field(
        default="realtime",
        validation_alias="ANALYTICS_LLM_MODE",
        description="realtime asks at once; batch is cheaper and takes up to a day.",
    )
    llm_budget_usd: float | None = Field(
        default=None, gt=0, validation_alias="ANALYTICS_LLM_BUDGET_USD", description="Most US dollars of one run."
    )
    llm_budget_tokens: int | None = Field(
        default=None, gt=0, validation_alias="ANALYTICS_LLM_BUDGET_TOKENS", description="Most tokens of one run."
    )
    llm_requests_per_minute: int | None = Field(
        default=None,
        ge=1,
        validation_alias="ANALYTICS_LLM_REQUESTS_PER_MINUTE",
        description="Most requests in a minute, of one process.",
    )
    llm_tokens_per_minute: int | None = Field(
        default=None,
        ge=1,
        validation_alias="ANALYTICS_LLM_TOKENS_PER_MINUTE",
        description="Most tokens in a minute, of one process.",
    )
    llm_concurrency: int = Field(
        default=8,
        ge=1,
        le=1024,
        validation_alias="ANALYTICS_LLM_CONCURRENCY",
        description="Questions under way at once.",
    )
    llm_timeout_seconds: float = Field(
        default=60.0, gt=0, validation_alias="ANALYTICS_LLM_TIMEOUT_SECONDS", description="For one request."
    )
    llm_transcript_tokens: int = Field(
        default=3000,
        ge=200,
        validation_alias="ANALYTICS_LLM_TRANSCRIPT_TOKENS",
        description="Tokens of a conversation that are sent; longer ones are cut.",
    )
    llm_prices: Path | None = Field(
        default=None,
        validation_alias="ANALYTICS_LLM_PRICES",
        description="YAML file of prices per million tokens; the one shipped when unset.",
    )
    llm_tokenizer: Path | None = Field(
        default=None,
        validation_alias="ANALYTICS_LLM_TOKENIZER",
        description="tokenizer.json of the model, to price a run ahead; an estimate when unset.",
    )
    llm_retry_failed: bool = Field(
        default=False,
        validation_alias="ANALYTICS_LLM_RETRY_FAILED",
        description="Ask again about conversations whose answers could not be used.",
    )

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
