"""Requests to the endpoint: rate limit, budget, retries, and a ledger row for each request.

Put the meaning of a refusal into ``refusals``; ``realtime`` asks again after an invalid answer. All code runs on one
event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import openai
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from analytics_platform.insights.llm.api.calls import Ledger, Stopwatch
from analytics_platform.insights.llm.api.endpoint_dialect import EndpointDialect
from analytics_platform.insights.llm.api.prices import PriceList, Usage
from analytics_platform.insights.llm.api.rate_limits import Amount, Budget, RateLimiter
from analytics_platform.insights.llm.api.refusals import (
    RejectedError,
    TransientError,
    UnavailableError,
    WrongError,
    cause_of,
    judge_loss,
    judge_refusal,
)
from analytics_platform.insights.llm.api.replies import Judged, UnreadableReplyError, judge, storable
from analytics_platform.insights.llm.api.token_estimate import estimate_tokens
from analytics_platform.insights.llm.config import LlmConfig, LlmError
from analytics_platform.insights.llm.questions import Question, QuestionKind

_MOST_FAILURES_IN_A_ROW = 5
_MESSAGE_OVERHEAD = 8
_SHOWN = 500
_CONNECTING_SHARE = 0.5


class Endpoint:
    """A model behind an OpenAI-compatible API; made and used on one event loop.

    Args:
        config: Address and limits.
        prices: Prices of tokens.
        ledger: The ledger of calls.
        first: Another model behind the same API, with which budget and rate limits are shared.
    """

    def __init__(self, config: LlmConfig, prices: PriceList, ledger: Ledger, first: Endpoint | None = None) -> None:
        self.config = config
        self.ledger = ledger
        self.dialect = EndpointDialect()
        self.budget: Budget = first.budget if first else Budget(config.budget_usd, config.budget_tokens)
        self.client = openai.AsyncOpenAI(
            base_url=config.base_url,
            api_key=config.api_key.get_secret_value() or "none",
            # A failed connection must end before the whole timeout, so that it is not mistaken for a missing answer.
            timeout=openai.Timeout(config.timeout_seconds, connect=config.timeout_seconds * _CONNECTING_SHARE),
            max_retries=0,  # attempts are ours, so that each is in the ledger
        )
        self._price = prices.price(config.model)
        self._turns: RateLimiter = (
            first._turns
            if first
            else RateLimiter(config.concurrency, config.requests_per_minute, config.tokens_per_minute)
        )
        self._stopped: LlmError | UnavailableError | None = None
        self._failures_in_a_row = 0
        self._has_answered = False

    async def ask(
        self,
        question: Question,
        messages: Sequence[Mapping[str, str]],
        rows: list[dict[str, Any]],
        *,
        number: int,
        answer_tokens: int,
    ) -> Judged:
        """Send a question until the endpoint replies, and return the judged reply, which may be unusable.

        Args:
            question: The question.
            messages: Messages to send.
            rows: List to which the ledger rows of all attempts are appended.
            number: 1 for the question, 2 for asking again after an invalid answer.
            answer_tokens: Most tokens of the answer.

        Raises:
            RejectedError: If the endpoint refuses the request.
            UnavailableError: If every attempt failed, or the cause of the endpoint's refusal is unclear.
            BudgetSpentError: If the budget does not cover the request.
            LlmError: If key, address or model are wrong, or the account is empty.
        """
        try:
            async with self._turns.slots:
                async for attempt in self.attempts(TransientError):
                    with attempt:
                        place = attempt.retry_state.attempt_number
                        judged = await self._attempt(question, messages, number, place, answer_tokens, rows)
        except TransientError as error:
            raise self._give_up(f"{self.config.attempts} attempts failed, the last with: {error}") from None
        except WrongError as error:
            raise self._give_up(str(error), self._wrong(str(error))) from None
        self._failures_in_a_row = 0
        self._has_answered = True
        return judged

    def attempts(self, *errors: type[Exception]) -> AsyncRetrying:
        """Return a retry loop for these errors, with growing waits."""
        config = self.config
        jitter = wait_random(0, config.backoff_seconds)
        backoff = wait_exponential(config.backoff_seconds, config.longest_wait_seconds) + jitter

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, TransientError) else None
            return max(backoff(state), asked or 0.0)  # a Retry-After of 0 does not shorten the backoff

        return AsyncRetrying(
            stop=stop_after_attempt(config.attempts), wait=wait, retry=retry_if_exception_type(errors), reraise=True
        )

    def body(self, kind: QuestionKind, messages: Sequence[Mapping[str, str]], answer_tokens: int) -> dict[str, Any]:
        """Return the body of a request in the dialect that the endpoint accepts."""
        return self.dialect.request(
            messages,
            model=self.config.model,
            name=kind.name,
            schema=kind.schema,
            form_in_words=kind.form_in_words,
            answer_tokens=answer_tokens,
            temperature=self.config.temperature,
        )

    def most(self, kind: QuestionKind, messages: Sequence[Mapping[str, str]], answer_tokens: int) -> Usage:
        """Return the most tokens that a question is expected to use."""
        sent = sum(estimate_tokens(message["content"]) + _MESSAGE_OVERHEAD for message in messages)
        return Usage(sent + estimate_tokens(kind.form_in_words), answer_tokens)

    def sanitized(self, text: object) -> str:
        """Return a text without the API key, on one line of at most 500 characters."""
        return storable(self.config.hide_key(" ".join(str(text).split()))[:_SHOWN])

    async def _attempt(
        self,
        question: Question,
        messages: Sequence[Mapping[str, str]],
        number: int,
        attempt: int,
        answer_tokens: int,
        rows: list[dict[str, Any]],
    ) -> Judged:
        """Send a request in one dialect after another until the endpoint accepts one."""
        most = Amount.of(self.most(question.kind, messages, answer_tokens), self._price)
        while True:
            await self._turns.wait(most.tokens)
            if self._stopped:
                raise self._stopped
            async with self.budget.hold(most) as hold:
                dialect, watch = self.dialect, Stopwatch()
                judged, error = await self._send(question, messages, answer_tokens)
                if judged.usage:
                    hold.used = Amount.of(judged.usage, self._price)
                elif error is None or (isinstance(error, TransientError) and error.paid):
                    hold.used = most  # the cost is unknown, and the call may be billed
                    hold.is_reported = False
                row = self.ledger.row(
                    question,
                    number=number,
                    attempt=attempt,
                    status=judged.status,
                    usage=judged.usage,
                    price=self._price,
                    error=judged.problem,
                    called_at=watch.started_at,
                    latency_ms=watch.milliseconds,
                )
                rows.append(row)
                await self.ledger.record([row])
            if error is None:
                return judged
            if not isinstance(error, RejectedError) or not self._adapt(dialect, str(error)):
                raise error

    async def _send(
        self, question: Question, messages: Sequence[Mapping[str, str]], answer_tokens: int
    ) -> tuple[Judged, Exception | None]:
        """Send one request; return the judged reply, and the error to raise if there is one."""
        try:
            async with asyncio.timeout(self.config.timeout_seconds):  # the client's own timeout restarts with each byte
                completion = await self.client.post(
                    "/chat/completions", body=self.body(question.kind, messages, answer_tokens), cast_to=object
                )
            return judge(completion, question.parse), None
        except openai.APIStatusError as refused:
            return self._refused(refused)
        except (TimeoutError, openai.APIConnectionError) as lost:
            error = judge_loss(lost, self.sanitized(cause_of(lost)), self.config.timeout_seconds)
        except (openai.OpenAIError, UnreadableReplyError, ValueError, RecursionError) as odd:
            error = TransientError("unreadable", self.sanitized(odd), paid=True)
        return Judged(error.status, None, problem=str(error)), error

    def _refused(self, refused: openai.APIStatusError) -> tuple[Judged, Exception]:
        """Return the judged refusal and its error; pause or stop all requests if the refusal concerns all of them."""
        detail = f"HTTP {refused.status_code}: {self.sanitized(refused.message)}"
        longest = self.config.longest_wait_seconds
        status, error = judge_refusal(refused, detail, longest, has_answered=self._has_answered)
        judged = Judged(status, None, problem=detail)
        if isinstance(error, TransientError) and error.retry_after is not None:
            self._turns.pause(error.retry_after)
        if isinstance(error, WrongError) and not error.in_doubt:
            return judged, self._stop(self._wrong(str(error)))
        return judged, error

    def _adapt(self, used: EndpointDialect, refusal: str) -> bool:
        """Switch to a dialect without the refused option; return whether there is a dialect left to try."""
        if self.dialect != used:
            return True  # another question has switched the dialect meanwhile
        weaker = used.without(refusal)
        if weaker is None:
            return False
        self.dialect = weaker
        return True

    def _wrong(self, problem: str) -> LlmError:
        return LlmError(f"LLM endpoint {self.config.base_url}: {problem}")

    def _give_up(self, problem: str, in_the_end: LlmError | None = None) -> Exception:
        """Leave a question to the next run; after five failed questions in a row, stop the endpoint.

        Returns:
            The error to raise: ``UnavailableError``, or after five failed questions ``in_the_end`` if given.
        """
        self._failures_in_a_row += 1
        if self._failures_in_a_row < _MOST_FAILURES_IN_A_ROW:
            return UnavailableError(problem)
        return self._stop(in_the_end or UnavailableError(problem))

    def _stop(self, error: LlmError | UnavailableError) -> Exception:
        """Refuse all further requests with this error, because they would fail alike."""
        self._stopped = self._stopped or error
        return error
