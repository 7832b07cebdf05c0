"""Questions and cost of a run, computed without asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from analytics_platform.insights.llm.api.token_estimate import token_counter
from analytics_platform.insights.llm.llm_client import LlmClient
from analytics_platform.insights.llm.questions import Question, QuestionKind


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Tokens and cost of questions.

    Attributes:
        to_call: Number of questions to ask; equal ones share one.
        input_tokens: Tokens to send.
        output_tokens: Tokens of the answers, as expected.
        cost_usd: Cost in US dollars; None if the model's price is unknown.
        cost_usd_at_most: Cost in US dollars with answers of full length, without second questions and retries.
        counted: Method of counting tokens.
    """

    to_call: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    cost_usd_at_most: float | None = 0.0
    counted: str = ""

    def __add__(self, other: Self) -> Self:
        """Return the sum of two plans."""
        totals: dict[str, Any] = {}
        for name, mine in asdict(self).items():
            theirs = getattr(other, name)
            totals[name] = None if mine is None or theirs is None else mine + theirs
        return type(self)(**{**totals, "counted": self.counted or other.counted})


def estimate_cost(
    client: LlmClient, kind: QuestionKind, questions: Sequence[Question], expected_tokens: int
) -> dict[str, Any]:
    """Return the fields of ``Cost`` of questions of one kind.

    Args:
        client: Knows the prices and the tokenizer.
        kind: The kind of the questions.
        questions: The questions.
        expected_tokens: Tokens expected of all answers together.
    """
    config = client.config
    count, counted = token_counter(config.tokenizer)
    always = count(kind.prompt.system) + count(kind.form_in_words)
    sent = len(questions) * always + sum(count(question.messages[-1]["content"]) for question in questions)
    most = sum(question.answer_tokens for question in questions)
    price = client.prices.price(config.model, batch=config.mode == "batch" and not kind.at_once)
    costs = [
        (sent * price.input + tokens * price.output) / 1e6 if price else None for tokens in (expected_tokens, most)
    ]
    return {
        "to_call": len(questions),
        "input_tokens": sent,
        "output_tokens": expected_tokens,
        "cost_usd": costs[0],
        "cost_usd_at_most": costs[1],
        "counted": counted,
    }
