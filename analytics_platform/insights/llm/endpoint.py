"""One question to the endpoint: its turn, its part of the budget, attempts, and a row in the ledger for each.

Belongs here: requests, errors and retries. Does not belong here: which questions there are, or asking again after an
answer that does not fit (``realtime``). Everything here runs on one event loop.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
from collections.abc import Sequence
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

from analytics_platform.insights.llm.answer import AnswerForm
from analytics_platform.insights.llm.calls import Ledger, Stopwatch
from analytics_platform.insights.llm.config import LlmConfig, LlmError
from analytics_platform.insights.llm.dialect import Dialect
from analytics_platform.insights.llm.limits import Amount, Budget, Turns
from analytics_platform.insights.llm.prices import PriceList, Usage
from analytics_platform.insights.llm.prompt import Prompt
from analytics_platform.insights.llm.replies import Judged, UnreadableReplyError, judge
from analytics_platform.insights.llm.results import Question
from analytics_platform.insights.llm.tokens import estimate_tokens

_MOST_FAILURES_IN_A_ROW = 5
_MESSAGE_OVERHEAD = 8
_SHOWN = 500
_MOST_FORBIDDEN_IN_A_ROW = 3
_CONFIGURATION = {401: "API key (ANALYTICS_LLM_API_KEY)", 402: "account: it has no money left",
                  403: "rights of the API key (ANALYTICS_LLM_API_KEY)",
                  404: "address (ANALYTICS_LLM_BASE_URL) or model (ANALYTICS_LLM_MODEL)"}  # fmt: skip
_NO_MONEY = "insufficient_quota"
_NEVER_SENT = {"ConnectError", "ConnectTimeout"}
"""Causes that say that no connection was made, by name: which package's they are is the client's own affair."""


class RejectedError(RuntimeError):
    """The endpoint does not take this request, whoever asks how often."""


class UnavailableError(RuntimeError):
    """The endpoint did not answer, however often it was asked."""


class _TransientError(RuntimeError):
    """A call failed, and the next may not."""

    def __init__(self, status: str, detail: str, retry_after: float | None = None, *, paid: bool = False) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after
        self.paid = paid


class Endpoint:
    """A model behind an OpenAI-compatible API; made and used on one event loop.

    Args:
        config: Where it is and how much may be asked of it.
        prompt: The prompt.
        form: The form of answers.
        prices: What tokens cost.
        ledger: Where calls are recorded.
    """

    def __init__(self, config: LlmConfig, prompt: Prompt, form: AnswerForm, prices: PriceList, ledger: Ledger) -> None:
        self.config = config
        self.form = form
        self.ledger = ledger
        self.dialect = Dialect()
        self.budget = Budget(config.budget_usd, config.budget_tokens)
        self.client = openai.AsyncOpenAI(
            base_url=config.base_url,
            api_key=config.api_key.get_secret_value() or "none",
            timeout=config.timeout_seconds,
            max_retries=0,  # attempts are ours, so that each is in the ledger
        )
        self._form_in_words = prompt.form(form.schema)
        self._price = prices.price(config.model)
        self._turns = Turns(config.concurrency, config.requests_per_minute, config.tokens_per_minute)
        self._stopped: LlmError | UnavailableError | None = None
        self._failures_in_a_row = 0
        self._has_answered = False
        self._forbidden_in_a_row = 0

    async def ask(
        self,
        question: Question,
        messages: Sequence[dict[str, str]],
        rows: list[dict[str, Any]],
        *,
        number: int,
        answer_tokens: int,
    ) -> Judged:
        """Put a question until it is answered, however usefully, and return the reply.

        Args:
            question: The conversation it is about.
            messages: What is sent.
            rows: Where the ledger's rows of all attempts are added.
            number: 1 for the question, 2 for asking again.
            answer_tokens: Most tokens of the answer.

        Raises:
            RejectedError: If the endpoint does not take the request.
            UnavailableError: If every attempt failed.
            BudgetSpentError: If the budget does not cover it.
            LlmError: If key, address or model are wrong.
        """
        try:
            async with self._turns.slots:
                async for attempt in self.attempts(_TransientError):
                    with attempt:
                        place = attempt.retry_state.attempt_number
                        judged = await self._attempt(question, messages, number, place, answer_tokens, rows)
        except _TransientError as error:
            raise self._give_up(error) from None
        self._failures_in_a_row = self._forbidden_in_a_row = 0
        self._has_answered = True
        return judged

    def attempts(self, *errors: type[Exception]) -> AsyncRetrying:
        """Return attempts at something that may fail with these errors, further apart each time."""
        config = self.config
        jitter = wait_random(0, config.backoff_seconds)
        backoff = wait_exponential(config.backoff_seconds, config.longest_wait_seconds) + jitter

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, _TransientError) else None
            return max(backoff(state), asked or 0.0)  # some say 0 and mean nothing by it

        return AsyncRetrying(
            stop=stop_after_attempt(config.attempts), wait=wait, retry=retry_if_exception_type(errors), reraise=True
        )

    def body(self, messages: Sequence[dict[str, str]], answer_tokens: int) -> dict[str, Any]:
        """Return the body of a request in the dialect that the endpoint takes."""
        return self.dialect.request(
            messages,
            model=self.config.model,
            schema=self.form.schema,
            form_in_words=self._form_in_words,
            answer_tokens=answer_tokens,
            temperature=self.config.temperature,
        )

    def most(self, messages: Sequence[dict[str, str]], answer_tokens: int) -> Usage:
        """Return the most tokens that a question is expected to use."""
        sent = sum(estimate_tokens(message["content"]) + _MESSAGE_OVERHEAD for message in messages)
        return Usage(sent + estimate_tokens(self._form_in_words), answer_tokens)

    def sanitized(self, text: object) -> str:
        """Return an endpoint's message without the key, cut to a line."""
        return self.config.hide_key(" ".join(str(text).split()))[:_SHOWN]

    async def _attempt(
        self,
        question: Question,
        messages: Sequence[dict[str, str]],
        number: int,
        attempt: int,
        answer_tokens: int,
        rows: list[dict[str, Any]],
    ) -> Judged:
        """Send a request, in one dialect after the other until the endpoint takes one."""
        most = Amount.of(self.most(messages, answer_tokens), self._price)
        while True:
            await self._turns.wait(most.tokens)
            if self._stopped:
                raise self._stopped
            async with self.budget.hold(most) as hold:
                dialect, watch = self.dialect, Stopwatch()
                judged, error = await self._send(question, messages, answer_tokens)
                if judged.usage:
                    hold.used = Amount.of(judged.usage, self._price)
                elif error is None or (isinstance(error, _TransientError) and error.paid):
                    hold.used = hold.unknown = most  # nobody says what it cost
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
        self, question: Question, messages: Sequence[dict[str, str]], answer_tokens: int
    ) -> tuple[Judged, Exception | None]:
        """Send one request; return what came back, and the error that it amounts to."""
        try:
            async with asyncio.timeout(self.config.timeout_seconds):  # the client's own counts from byte to byte
                completion = await self.client.post(
                    "/chat/completions", body=self.body(messages, answer_tokens), cast_to=object
                )
            return judge(completion, self.form, question.transcript), None
        except openai.APIStatusError as refused:
            return self._refused(refused)
        except (TimeoutError, openai.APIConnectionError) as lost:
            late = isinstance(lost, TimeoutError | openai.APITimeoutError)
            detail = f"no answer within {self.config.timeout_seconds:g} s" if late else lost.__cause__ or lost
            paid = type(lost.__cause__).__name__ not in _NEVER_SENT  # what was sent may be billed, answer or not
            error = _TransientError("timeout" if late else "connection", self.sanitized(detail), paid=paid)
        except (openai.OpenAIError, UnreadableReplyError, ValueError) as odd:
            error = _TransientError("unreadable", self.sanitized(odd), paid=True)
        return Judged(error.status, None, problem=str(error)), error

    def _refused(self, refused: openai.APIStatusError) -> tuple[Judged, Exception]:
        status, detail = refused.status_code, f"HTTP {refused.status_code}: {self.sanitized(refused.message)}"
        if _NO_MONEY in (refused.code, refused.type):
            status = 402
        # Some endpoints say 403 of a text that they do not like: what has worked before is configured rightly, unless
        # nothing works any more.
        self._forbidden_in_a_row += status == 403
        one_text = status == 403 and self._has_answered and self._forbidden_in_a_row < _MOST_FORBIDDEN_IN_A_ROW
        if status in _CONFIGURATION and not one_text:
            what = _CONFIGURATION[status]
            error: Exception = self._stop(LlmError(f"LLM endpoint {self.config.base_url}: check the {what}; {detail}"))
            kind = "rate_limited" if refused.status_code == 429 else "rejected"
            return Judged(kind, None, problem=detail), error
        if status == 429 or status in {408, 409} or status >= 500:
            wait = retry_after(refused.response.headers, self.config.longest_wait_seconds)
            if wait is not None:
                self._turns.pause(wait)
            kind = "rate_limited" if status == 429 else "server_error"
            return Judged(kind, None, problem=detail), _TransientError(kind, detail, wait)
        return Judged("rejected", None, problem=detail), RejectedError(detail)

    def _adapt(self, used: Dialect, refusal: str) -> bool:
        """Do without what was refused; say whether there is something new to try."""
        if self.dialect != used:
            return True  # another question has found it out meanwhile
        weaker = used.without(refusal)
        if weaker is None:
            return False
        self.dialect = weaker
        return True

    def _give_up(self, error: _TransientError) -> UnavailableError:
        self._failures_in_a_row += 1
        gone = UnavailableError(f"{self.config.attempts} attempts failed, the last with: {error}")
        if self._failures_in_a_row >= _MOST_FAILURES_IN_A_ROW:
            self._stop(gone)
        return gone

    def _stop(self, error: Any) -> Any:
        """Ask nothing more: it would fail alike."""
        self._stopped = self._stopped or error
        return error


def retry_after(headers: Any, longest: float) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, at most ``longest``; None where it does not say."""
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (email.utils.parsedate_to_datetime(text) - dt.datetime.now(dt.UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), longest) if seconds == seconds else None
