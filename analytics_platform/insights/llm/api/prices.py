"""Prices of tokens: read the price list, and compute the cost of a call."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analytics_platform.insights.llm.config import LlmError
from analytics_platform.system.yaml_file import YamlFile

DEFAULT_PATH = Path(__file__).parents[1] / "prices.yaml"
_DATED = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


@dataclass(frozen=True)
class Usage:
    """Tokens of one call.

    Attributes:
        input_tokens: Tokens sent.
        output_tokens: Tokens of the answer.
        cached_tokens: Part of the input tokens that the endpoint's own cache served.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0

    @property
    def total(self) -> int:
        """Input tokens plus output tokens."""
        return self.input_tokens + self.output_tokens


class Price(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)

    def cost(self, usage: Usage) -> float:
        """Return the cost of a call in US dollars."""
        cached = self.input if self.cached_input is None else self.cached_input
        fresh = usage.input_tokens - usage.cached_tokens
        return (fresh * self.input + usage.cached_tokens * cached + usage.output_tokens * self.output) / 1e6


class PriceList(BaseModel):
    """Prices by model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: dt.date
    source: str
    batch_discount: float = Field(default=0.0, ge=0, lt=1)
    models: dict[str, Price]

    def price(self, model: str, *, batch: bool = False) -> Price | None:
        """Return the price of a model, or of its name without a date; None if neither is listed."""
        found = self.models.get(model) or self.models.get(_DATED.sub("", model))
        if found is None or not batch:
            return found
        share = 1 - self.batch_discount
        cached = None if found.cached_input is None else found.cached_input * share
        return Price(input=found.input * share, output=found.output * share, cached_input=cached)


def load_prices(path: Path | None = None) -> PriceList:
    """Read a price list; the shipped one when ``path`` is None.

    Raises:
        LlmError: If the file cannot be read or is not a price list.
    """
    file = YamlFile.parse(path or DEFAULT_PATH, LlmError)
    try:
        return PriceList.model_validate(file.content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise LlmError(*file.problems([(first["loc"], first["msg"])])) from None
