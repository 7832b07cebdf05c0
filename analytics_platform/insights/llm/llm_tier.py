"""The LLM tier: messages in, labels of conversations out; each question is paid for once.

`realtime` and `batch` ask the questions that the store has no answer to.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import pyarrow as pa

from analytics_platform.insights.llm import realtime
from analytics_platform.insights.llm.answer import AnswerForm
from analytics_platform.insights.llm.api.calls import Ledger
from analytics_platform.insights.llm.api.endpoint import Endpoint
from analytics_platform.insights.llm.api.loop import BackgroundLoop
from analytics_platform.insights.llm.api.prices import PriceList, load_prices
from analytics_platform.insights.llm.api.token_estimate import token_counter
from analytics_platform.insights.llm.batch import BatchRunner
from analytics_platform.insights.llm.config import LlmConfig, LlmError
from analytics_platform.insights.llm.llm_store import LlmStore, answer_key, moment
from analytics_platform.insights.llm.prompt import Prompt
from analytics_platform.insights.llm.results import (
    SILENT,
    FailedQuestion,
    LlmOutcome,
    Question,
    Result,
    failures_table,
    from_document,
    insights_table,
    to_document,
)
from analytics_platform.insights.llm.transcript import Transcript, read_transcripts
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy
from analytics_platform.model.tables.llm_tables import LLM_CALLS

EXPECTED_ANSWER_TOKENS = 300
"""Tokens of an answer that the dry run assumes; its upper bound uses ``answer_tokens``."""


@dataclass(frozen=True)
class Plan:
    """Questions and cost of a run, computed without asking.

    Attributes:
        conversations: Number of conversations.
        silent: Conversations without spoken text; they are not asked about.
        cached: Conversations whose answer is stored.
        to_call: Questions left; equal conversations share one.
        cut: Questions left about conversations longer than ``transcript_tokens``.
        input_tokens: Tokens to send.
        output_tokens: Tokens of the answers, ``EXPECTED_ANSWER_TOKENS`` each.
        cost_usd: Cost in US dollars; None if the model's price is unknown.
        cost_usd_at_most: Cost in US dollars with answers of full length, without second questions and retries.
        counted: Method of counting tokens.
    """

    conversations: int = 0
    silent: int = 0
    cached: int = 0
    to_call: int = 0
    cut: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    cost_usd_at_most: float | None = 0.0
    counted: str = ""

    def __add__(self, other: Plan) -> Plan:
        """Return the sum of two plans."""
        totals: dict[str, Any] = {}
        for name, mine in asdict(self).items():
            theirs = getattr(other, name)
            totals[name] = None if mine is None or theirs is None else mine + theirs
        return Plan(**{**totals, "counted": self.counted or other.counted})


def load_files(config: LlmConfig, taxonomy: Taxonomy) -> tuple[Prompt, PriceList]:
    """Read the prompt and the price list of the configuration, without a request to the endpoint.

    Raises:
        LlmError: If a file cannot be read, or a budget in US dollars is set and the model's price is unknown.
    """
    prompt, prices = Prompt(config.prompt, taxonomy), load_prices(config.prices)
    if config.budget_usd is not None and prices.price(config.model) is None:
        raise LlmError(
            f"ANALYTICS_LLM_BUDGET_USD: the price of model {config.model!r} is unknown; add it to a file named by "
            "ANALYTICS_LLM_PRICES, or set ANALYTICS_LLM_BUDGET_TOKENS instead"
        )
    prompt.system  # noqa: B018  (read and filled now, so that an unknown prompt is refused now)
    return prompt, prices


class LlmTier:
    """Labels conversations through an OpenAI-compatible endpoint; safe to share between threads.

    The first question opens the first connection. The budget belongs to this object: use one object per run.

    Args:
        config: Address and limits of the endpoint.
        taxonomy: Names the labels.
        store: Store that all workers share.

    Raises:
        LlmError: If the prompt or the price list cannot be read, or a budget in US dollars is set and the model's
            price is unknown.
    """

    def __init__(self, config: LlmConfig, taxonomy: Taxonomy, store: LlmStore) -> None:
        self.config = config
        self.taxonomy = taxonomy
        self.store = store
        self._prompt, self._prices = load_files(config, taxonomy)
        self._form = AnswerForm(taxonomy)
        self._lock = threading.Lock()
        self._loop: BackgroundLoop | None = None
        self._asked: dict[str, asyncio.Task[Result]] = {}

    @cached_property
    def version(self) -> str:
        """Hash of everything that the labels depend on, except the messages and the code."""
        parts = [*(f"{name}={value}" for name, value in sorted(self._parameters.items())), str(self._form.schema)]
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]

    def label_conversations(self, messages: pa.Table) -> LlmOutcome:
        """Label the conversations of a ``MESSAGES`` table; questions with a stored answer are not asked again.

        Every answer is stored as soon as it arrives, so a run that is killed or stopped by its budget pays for nothing
        twice.

        Raises:
            LlmError: If key, address or model are wrong; answers in progress are stored first.
        """
        transcripts = read_transcripts(messages, self.config.transcript_tokens)
        questions = [self._question(transcript) for transcript in transcripts if transcript.lines]
        rows: list[dict[str, Any]] = []
        results = self._results(questions, rows)
        labelled: list[tuple[Transcript, dict[str, Any]]] = [(t, SILENT) for t in transcripts if not t.lines]
        failed: list[tuple[Transcript, FailedQuestion]] = []
        for question in questions:
            result = results[question.key]
            if isinstance(result, FailedQuestion):
                failed.append((question.transcript, result))
            else:
                labelled.append((question.transcript, result))
        return LlmOutcome(
            insights_table(labelled, self.taxonomy.version, self.config.model, self._prompt.version),
            LLM_CALLS.from_rows(rows),
            failures_table(failed),
        )

    def plan(self, messages: pa.Table) -> Plan:
        """Return the questions and the cost of ``label_conversations`` without asking."""
        transcripts = read_transcripts(messages, self.config.transcript_tokens)
        asked = [self._question(transcript) for transcript in transcripts if transcript.lines]
        questions = {question.key: question for question in asked}
        known = self._known(list(questions))
        new = [question for key, question in questions.items() if key not in known]
        count, counted = token_counter(self.config.tokenizer)
        always = count(self._prompt.system) + count(self._prompt.form(self._form.schema))
        sent = len(new) * always + sum(count(q.messages[-1]["content"]) for q in new)
        price = self._prices.price(self.config.model, batch=self.config.mode == "batch")
        expected, most = (len(new) * tokens for tokens in (EXPECTED_ANSWER_TOKENS, self.config.answer_tokens))
        return Plan(
            conversations=len(transcripts),
            silent=len(transcripts) - len(asked),
            cached=sum(question.key in known for question in asked),
            to_call=len(new),
            cut=sum(question.transcript.was_cut for question in new),
            input_tokens=sent,
            output_tokens=expected,
            cost_usd=(sent * price.input + expected * price.output) / 1e6 if price else None,
            cost_usd_at_most=(sent * price.input + most * price.output) / 1e6 if price else None,
            counted=counted,
        )

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        with self._lock:
            if self._loop is not None:
                self._loop.run(self._endpoint.client.close())
                self._loop.close()
                self._loop = None

    @cached_property
    def _parameters(self) -> Mapping[str, object]:
        return {
            "model": self.config.model,
            "prompt": self._prompt.version,
            "taxonomy": self.taxonomy.version,
            "temperature": self.config.temperature,
            "answer_tokens": self.config.answer_tokens,
            "transcript_tokens": self.config.transcript_tokens,
        }

    def _question(self, transcript: Transcript) -> Question:
        messages = (
            {"role": "system", "content": self._prompt.system},
            {"role": "user", "content": self._prompt.user(transcript)},
        )
        return Question(transcript, answer_key(messages, self._parameters), messages)

    def _known(self, keys: Sequence[str]) -> dict[str, Result]:
        """Return the stored results by key; with ``retry_failed``, stored failures are left out."""
        found = {key: from_document(document) for key, document in self.store.get_many(keys).items()}
        again = self.config.retry_failed
        return {key: result for key, result in found.items() if not (again and isinstance(result, FailedQuestion))}

    def _results(self, questions: Sequence[Question], rows: list[dict[str, Any]]) -> dict[str, Result]:
        distinct = {question.key: question for question in questions}
        results = self._known(list(distinct))
        new = [question for key, question in distinct.items() if key not in results]
        if new:
            results |= self._running().run(self._ask_all(new, rows))
        return results

    def _running(self) -> BackgroundLoop:
        with self._lock:
            if self._loop is None:
                self._loop = BackgroundLoop()
                self._endpoint = self._loop.run(self._make_endpoint())
            return self._loop

    async def _make_endpoint(self) -> Endpoint:
        ledger = Ledger(self.store, self.config.model, self._prompt.version)
        return Endpoint(self.config, self._prompt, self._form, self._prices, ledger)

    async def _ask_all(self, questions: Sequence[Question], rows: list[dict[str, Any]]) -> dict[str, Result]:
        """Ask the questions that this process is not asking already, and wait for all answers."""
        if self.config.mode == "batch":
            price = self._prices.price(self.config.model, batch=True)
            runner = BatchRunner(self._endpoint, self._prompt, self.store, price, self._keep, rows)
            return await runner.ask_all(questions)
        tasks = {}
        for question in questions:
            task = self._asked.get(question.key)
            if task is None:
                task = self._asked[question.key] = asyncio.ensure_future(self._ask(question, rows))
                task.add_done_callback(partial(self._answered, question.key))
            tasks[question.key] = task
        answers = await asyncio.gather(*tasks.values(), return_exceptions=True)  # one failure cancels no other task
        results: dict[str, Result] = {}
        for key, answer in zip(tasks, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            results[key] = answer
        return results

    def _answered(self, key: str, _: asyncio.Task[Result]) -> None:
        self._asked.pop(key, None)

    async def _ask(self, question: Question, rows: list[dict[str, Any]]) -> Result:
        return await self._keep(question, await realtime.ask(self._endpoint, self._prompt, question, rows))

    async def _keep(self, question: Question, result: Result) -> Result:
        """Store a result for all workers and return the stored one, so that all workers use the same result."""
        if isinstance(result, FailedQuestion) and result.will_retry:
            return result
        document = to_document(result, {**self._parameters, "kept_at": moment()})
        replace = self.config.retry_failed
        return from_document(await asyncio.to_thread(self.store.put, question.key, document, replace=replace))
