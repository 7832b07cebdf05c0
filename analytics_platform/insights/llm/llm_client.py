"""The client of an LLM endpoint: asks questions of every kind within one budget and one set of limits.

`realtime` and `batch` ask; the caller stores the results, each as soon as it arrives.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from analytics_platform.insights.llm import realtime
from analytics_platform.insights.llm.api.calls import Ledger
from analytics_platform.insights.llm.api.endpoint import Endpoint
from analytics_platform.insights.llm.api.loop import BackgroundLoop
from analytics_platform.insights.llm.api.prices import PriceList, load_prices
from analytics_platform.insights.llm.batch import BatchRunner
from analytics_platform.insights.llm.config import LlmConfig, LlmError
from analytics_platform.insights.llm.llm_store import LlmStore, moment
from analytics_platform.insights.llm.questions import (
    FailedQuestion,
    Question,
    QuestionKind,
    Result,
    from_document,
    to_document,
)

T = TypeVar("T")
Keep = Callable[[Question, Result], Awaitable[Result]]


def load_price_list(config: LlmConfig) -> PriceList:
    """Read the price list of the configuration, without a request to the endpoint.

    Raises:
        LlmError: If the file cannot be read, or a budget in US dollars is set and the model's price is unknown.
    """
    prices = load_prices(config.prices)
    if config.budget_usd is not None and prices.price(config.model) is None:
        raise LlmError(
            f"ANALYTICS_LLM_BUDGET_USD: the price of model {config.model!r} is unknown; add it to a file named by "
            "ANALYTICS_LLM_PRICES, or set ANALYTICS_LLM_BUDGET_TOKENS instead"
        )
    return prices


class LlmClient:
    """Asks questions of an OpenAI-compatible endpoint; safe to share between threads.

    The first question opens the first connection. The budget belongs to this object: use one object per run.

    Args:
        config: Address and limits of the endpoint.
        store: Store that all workers share.
        first: Client of another model, whose event loop, budget and limits are shared; see ``for_model``.

    Raises:
        LlmError: If the price list cannot be read, or a budget in US dollars is set and the model's price is unknown.
    """

    def __init__(self, config: LlmConfig, store: LlmStore, first: LlmClient | None = None) -> None:
        self.config = config
        self.store = store
        self.prices = load_price_list(config)
        self._first = self if first is None else first
        self._of_models: dict[str, LlmClient] = {config.model: self}
        self._lock = threading.RLock()
        self._loop: BackgroundLoop | None = None
        self._opened: Endpoint | None = None
        self._asked: dict[str, asyncio.Task[Result]] = {}

    def for_model(self, model: str) -> LlmClient:
        """Return the client of a model at the same endpoint, which shares event loop, budget and limits with this one.

        Raises:
            LlmError: If a budget in US dollars is set and the model's price is unknown.
        """
        first = self._first
        with first._lock:
            if model not in first._of_models:
                config = first.config.model_copy(update={"model": model})
                first._of_models[model] = LlmClient(config, first.store, first)
            return first._of_models[model]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work``, which may await ``ask_all``, on the client's event loop and return its result."""
        first = self._first
        with first._lock:
            if first._loop is None:
                first._loop = BackgroundLoop()
            loop = first._loop
            for client in (first, self):
                if client._opened is None:
                    client._opened = loop.run(client._open_endpoint())
        return loop.run(work)

    def results(
        self, kind: QuestionKind, questions: Sequence[Question], rows: list[dict[str, Any]], keep: Keep
    ) -> dict[str, Result]:
        """Return the result of each question by key; the endpoint is asked for those that are not stored.

        Args:
            kind: The kind of the questions.
            questions: The questions; equal ones are asked once.
            rows: List to which ledger rows are appended.
            keep: Stores a result for all workers and returns the stored one.

        Raises:
            LlmError: If key, address or model are wrong; answers in progress are stored first.
        """
        distinct = {question.key: question for question in questions}
        results = self.known(kind, list(distinct))
        new = [question for key, question in distinct.items() if key not in results]
        if new:
            results |= self.run(self.ask_all(new, rows, keep))
        return results

    async def ask_all(self, questions: Sequence[Question], rows: list[dict[str, Any]], keep: Keep) -> dict[str, Result]:
        """Ask questions of one kind, except those that this process is asking already; return all results by key.

        Args:
            questions: The questions, each key once.
            rows: List to which ledger rows are appended.
            keep: Stores a result for all workers and returns the stored one.

        Raises:
            LlmError: If key, address or model are wrong; answers in progress are stored first.
        """
        if self.config.mode == "batch" and not any(question.kind.at_once for question in questions):
            price = self.prices.price(self.config.model, batch=True)
            return await BatchRunner(self._endpoint, self.store, price, keep, rows).ask_all(questions)
        tasks = {}
        for question in questions:
            task = self._asked.get(question.key)
            if task is None:
                task = self._asked[question.key] = asyncio.ensure_future(self._ask(question, rows, keep))
                task.add_done_callback(partial(self._answered, question.key))
            tasks[question.key] = task
        answers = await asyncio.gather(*tasks.values(), return_exceptions=True)  # one failure cancels no other task
        results: dict[str, Result] = {}
        for key, answer in zip(tasks, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            results[key] = answer
        return results

    def known(self, kind: QuestionKind, keys: Sequence[str]) -> dict[str, Result]:
        """Return the stored results by key; with ``retry_failed``, stored failures are left out."""
        found = {key: from_document(kind, document) for key, document in self.store.get_many(keys).items()}
        again = self.config.retry_failed
        return {key: result for key, result in found.items() if not (again and isinstance(result, FailedQuestion))}

    async def keep(self, kind: QuestionKind, key: str, result: Result, parameters: Mapping[str, object]) -> Result:
        """Store a result for all workers and return the stored one, so that all workers use the same result.

        Args:
            kind: What was asked.
            key: Hash of everything that the result depends on.
            result: The result; a failure that the next run asks again is not stored.
            parameters: What the result depends on, for whoever reads the document.
        """
        if isinstance(result, FailedQuestion) and result.will_retry:
            return result
        document = to_document(kind, result, {**parameters, "kept_at": moment()})
        replace = self.config.retry_failed
        return from_document(kind, await asyncio.to_thread(self.store.put, key, document, replace=replace))

    def close(self) -> None:
        """Close the connections of all models; the next question opens new ones."""
        first = self._first
        with first._lock:
            if first._loop is not None:
                for client in first._of_models.values():
                    if client._opened is not None:
                        first._loop.run(client._opened.client.close())
                        client._opened = None
                first._loop.close()
                first._loop = None

    @property
    def _endpoint(self) -> Endpoint:
        if self._opened is None:
            raise RuntimeError("questions are asked within `run`, which opens the endpoint")
        return self._opened

    async def _open_endpoint(self) -> Endpoint:
        ledger = Ledger(self.store, self.config.model)
        return Endpoint(self.config, self.prices, ledger, None if self._first is self else self._first._endpoint)

    async def _ask(self, question: Question, rows: list[dict[str, Any]], keep: Keep) -> Result:
        return await keep(question, await realtime.ask(self._endpoint, question, rows))

    def _answered(self, key: str, _: asyncio.Task[Result]) -> None:
        self._asked.pop(key, None)
