"""Configuration of the LLM tier: endpoint, model and limits, with their bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from analytics_platform.errors import UserError

OPENAI_URL = "https://api.openai.com/v1"


class LlmError(UserError, RuntimeError):
    """The LLM tier cannot work as configured; the message names the setting to change and contains no secret."""


class LlmConfig(BaseModel):
    """How to reach a model, and how much may be asked of it.

    Attributes:
        model: Name of the model at the endpoint.
        base_url: Address of an OpenAI-compatible API, up to and including its version.
        api_key: Key; servers of one's own often need none.
        budget_usd: Most US dollars that one run may spend; no limit when None.
        budget_tokens: Most tokens, in and out, that one run may use; no limit when None.
        requests_per_minute: Most requests within any minute; no limit when None.
        tokens_per_minute: Most tokens, in and out, within any minute; no limit when None.
        concurrency: Requests under way at once.
        timeout_seconds: For one request, to its last byte.
        attempts: Most attempts at one question when the endpoint fails.
        backoff_seconds: First wait between attempts; doubles, with jitter, up to ``longest_wait_seconds``.
        longest_wait_seconds: Longest wait, also where ``Retry-After`` asks for more.
        transcript_tokens: Estimated tokens of a conversation that are sent; longer ones are cut.
        answer_tokens: Most tokens of an answer.
        temperature: Sampling temperature; left to the endpoint when None or refused.
        mode: ``realtime`` asks at once, ``batch`` through ``/v1/batches``: cheaper, up to a day later.
        poll_seconds: How often a batch is looked at.
        prompt: Which prompt file.
        prices: YAML file of prices; the one shipped when None.
        tokenizer: ``tokenizer.json`` of the model, to price a run ahead; an estimate when None.
        retry_failed: Whether to ask again what failed for good before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: str = Field(min_length=1)
    base_url: str = OPENAI_URL
    api_key: SecretStr = SecretStr("")
    budget_usd: float | None = Field(default=None, gt=0)
    budget_tokens: int | None = Field(default=None, gt=0)
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    concurrency: int = Field(default=8, ge=1, le=1024)
    timeout_seconds: float = Field(default=60.0, gt=0)
    attempts: int = Field(default=6, ge=1)
    backoff_seconds: float = Field(default=1.0, ge=0)
    longest_wait_seconds: float = Field(default=120.0, ge=0)
    transcript_tokens: int = Field(default=3000, ge=200)
    answer_tokens: int = Field(default=1200, ge=100)
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    mode: Literal["realtime", "batch"] = "realtime"
    poll_seconds: float = Field(default=30.0, gt=0)
    prompt: str = "conversation.v1"
    prices: Path | None = None
    tokenizer: Path | None = None
    retry_failed: bool = False

    def hide_key(self, text: str) -> str:
        """Return ``text`` with the API key masked, because an endpoint may repeat the key in its error."""
        key = self.api_key.get_secret_value()
        return text.replace(key, "***") if key else text
