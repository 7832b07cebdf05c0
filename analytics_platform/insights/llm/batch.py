"""Questions asked through ``/v1/batches``: cheaper, but answered up to a day later.

The store keeps a batch from before its submission until all of its answers are stored; meanwhile, every caller with the
same questions waits for the batch instead of asking. If a process died during the submission, the next caller finds the
batch at the endpoint by its mark.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import openai

from analytics_platform.insights.llm import realtime
from analytics_platform.insights.llm.api import batch_file
from analytics_platform.insights.llm.api.batch_file import Asked
from analytics_platform.insights.llm.api.endpoint import Endpoint
from analytics_platform.insights.llm.api.prices import Price, Usage
from analytics_platform.insights.llm.api.rate_limits import Amount, BudgetSpentError
from analytics_platform.insights.llm.api.replies import Judged
from analytics_platform.insights.llm.config import LlmError
from analytics_platform.insights.llm.llm_store import BatchBook, Document, moment
from analytics_platform.insights.llm.questions import FailedQuestion, Question, Result

T = TypeVar("T")
Keep = Callable[[Question, Result], Awaitable[Result]]

MOST_REQUESTS = 20_000
_LOOKED_THROUGH = 200
_OVER = frozenset({"completed", "failed", "expired", "cancelled"})
_MARK = "analytics_mark"
_TIMEOUTS_TO_SUBMIT = 3
_TRANSIENT = (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError)


class BatchRunner:
    """Asks questions in batches, for one caller.

    Args:
        endpoint: The endpoint.
        book: Store of open batches.
        price: Price of tokens in a batch; None if unknown.
        keep: Stores a result for all workers and returns the stored one.
        rows: List to which ledger rows are appended.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        book: BatchBook,
        price: Price | None,
        keep: Keep,
        rows: list[dict[str, Any]],
    ) -> None:
        self._endpoint = endpoint
        self._book = book
        self._price = price
        self._keep = keep
        self._rows = rows
        self._questions: dict[str, Question] = {}
        self._results: dict[str, Result] = {}

    async def ask_all(self, questions: Sequence[Question]) -> dict[str, Result]:
        """Return the result of each question by key, after the last batch has ended.

        Raises:
            LlmError: If key, address or model are wrong, or the endpoint has no batches.
        """
        self._questions = {question.key: question for question in questions}
        for mark, document in (await asyncio.to_thread(self._book.batches)).items():
            if not self._questions.keys().isdisjoint(document["asked"]):
                await self._go_on(mark, document)
        left = [question for question in questions if question.key not in self._results]
        if left:
            # The first question is asked in real time: it checks key and model, and finds the accepted dialect.
            first, *left = left
            result = await realtime.ask(self._endpoint, first, self._rows)
            self._results[first.key] = await self._keep(first, result)
        asked = [Asked(question, question.messages, question.answer_tokens) for question in left]
        for start in range(0, len(asked), MOST_REQUESTS):
            await self._ask_batch(asked[start : start + MOST_REQUESTS], 1)
        return self._results

    async def _ask_batch(self, asked: Sequence[Asked], number: int, replaces: str | None = None) -> None:
        """Submit a batch within the budget and settle it; forget the batch ``replaces`` after the submission."""
        affordable, most = self._affordable(asked)
        for item in asked[len(affordable) :]:
            detail = f"the budget of the run does not cover it: {self._endpoint.budget}"
            self._results[item.question.key] = FailedQuestion.now("budget", detail, number - 1, will_retry=True)
        if not affordable:
            if replaces:
                await self._forget(replaces)
            return
        try:
            async with self._endpoint.budget.hold(most) as hold:
                mark, document = await self._submit(affordable, number)
                if replaces:
                    await self._forget(replaces)
                hold.used, again = await self._settle(document)
        except BudgetSpentError as error:
            for item in affordable:
                self._results[item.question.key] = FailedQuestion.now("budget", str(error), number - 1, will_retry=True)
            return
        await self._ask_again(mark, again)  # after the budget that the first batch did not use was returned

    async def _ask_again(self, mark: str, asked: Sequence[Asked]) -> None:
        """Submit a second batch that replaces a settled one; without questions to ask, forget the settled batch."""
        if asked:
            await self._ask_batch(asked, 2, replaces=mark)
        else:
            await self._forget(mark)

    def _affordable(self, asked: Sequence[Asked]) -> tuple[list[Asked], Amount]:
        total, chosen = Amount(), []
        for item in asked:
            most = Amount.of(self._endpoint.most(item.question.kind, item.messages, item.answer_tokens), self._price)
            if not self._endpoint.budget.covers(total + most):
                break
            total += most
            chosen.append(item)
        return chosen, total

    async def _go_on(self, mark: str, document: Document) -> None:
        """Settle a stored batch; forget it if it was never submitted."""
        batch_id = document["batch_id"]
        deadline = document["begun_at"].timestamp() + _TIMEOUTS_TO_SUBMIT * self._endpoint.config.timeout_seconds
        while batch_id is None:
            found = await self._find(mark)
            if found is not None:
                batch_id = found.id
            elif moment().timestamp() > deadline:
                await self._forget(mark)
                return
            else:  # another process may be submitting the batch
                await asyncio.sleep(self._endpoint.config.poll_seconds)
        _, again = await self._settle({**document, "batch_id": batch_id})
        await self._ask_again(mark, again)

    async def _submit(self, asked: Sequence[Asked], number: int) -> tuple[str, Document]:
        mark = uuid.uuid4().hex
        about = {
            item.question.key: {
                "date": item.question.date.isoformat(),
                "conversation_id": item.question.conversation_id,
            }
            for item in asked
        }
        document = {"batch_id": None, "begun_at": moment(), "number": number, "asked": about}
        await asyncio.to_thread(self._book.put_batch, mark, document)
        content = batch_file.requests(asked, self._endpoint.body)
        file = await self._patiently(
            lambda: self._endpoint.client.files.create(file=("requests.jsonl", content), purpose="batch"),
            "upload a batch",
        )
        batch = await self._patiently(lambda: self._create(file.id, mark), "submit a batch")
        document = {**document, "batch_id": batch.id}
        await asyncio.to_thread(self._book.put_batch, mark, document)
        return mark, document

    async def _create(self, file_id: str, mark: str) -> Any:
        """Create a batch, or return the batch that an earlier attempt created if its answer was lost."""
        return await self._find(mark) or await self._endpoint.client.batches.create(
            input_file_id=file_id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={_MARK: mark},
        )

    async def _find(self, mark: str) -> Any:
        """Return the endpoint's batch with this mark, or None."""

        async def look() -> Any:
            page = await self._endpoint.client.batches.list(limit=100)
            found = list(page.data or [])
            while page.has_next_page() and len(found) < _LOOKED_THROUGH:
                page = await page.get_next_page()
                found += page.data
            return next((b for b in found if (b.metadata or {}).get(_MARK) == mark), None)

        return await self._patiently(look, "list the batches")

    async def _settle(self, document: Document) -> tuple[Amount, list[Asked]]:
        """Wait for a batch and store its answers; return its cost, and the questions to ask again."""
        judged, spent = await self._collect(document)
        number, again = document["number"], []
        for key, reply in judged.items():
            question = self._questions[key]
            if isinstance(reply, Judged) and number == 1 and reply.worth_asking_again:
                tokens = realtime.tokens_again(reply, question.answer_tokens)
                again.append(Asked(question, realtime.correction(question, reply), tokens))
                continue
            result = realtime.result_of(reply, number) if isinstance(reply, Judged) else reply
            self._results[key] = await self._keep(question, result)
        return spent, again

    async def _collect(self, document: Document) -> tuple[dict[str, Judged | FailedQuestion], Amount]:
        """Return the replies of a batch to this caller's questions and its cost; record all replies in the ledger."""
        batch_id = document["batch_id"]
        batch = await self._wait(batch_id)
        lines = [line for file_id in (batch.output_file_id, batch.error_file_id) if file_id
                 for line in await self._lines(file_id)]  # fmt: skip
        found = batch_file.read(lines, document, self._questions, self._endpoint)
        spent, rows = Amount(), []
        kind = next(iter(self._questions.values())).kind  # a batch holds questions of one kind
        for key, reply in found.items():
            usage: Usage | None = reply.usage
            spent += Amount.of(usage, self._price) if usage else Amount()
            rows.append(
                self._endpoint.ledger.row(
                    self._questions.get(key) or batch_file.forgotten_question(key, document, kind),
                    number=document["number"],
                    status=reply.status,
                    usage=usage,
                    price=self._price,
                    error=reply.problem,
                    mode="batch",
                    call_id=f"{batch_id}/{key}",
                )
            )
        await self._endpoint.ledger.record(rows)
        self._rows += rows
        missing = f"batch {batch_id} is {batch.status}, and has no answer to it{batch_file.complaint(batch)}"
        return {
            key: batch_file.judged_or_failure(found[key], document["number"])
            if key in found
            else FailedQuestion.now("unavailable", missing, will_retry=True)
            for key in document["asked"]
            if key in self._questions
        }, spent

    async def _wait(self, batch_id: str) -> Any:
        while True:
            batch = await self._patiently(lambda: self._endpoint.client.batches.retrieve(batch_id), "look at a batch")
            if batch.status in _OVER:
                return batch
            await asyncio.sleep(self._endpoint.config.poll_seconds)

    async def _lines(self, file_id: str) -> Iterable[bytes]:
        content = await self._patiently(lambda: self._endpoint.client.files.content(file_id), "collect a batch")
        return content.content.splitlines()

    async def _forget(self, mark: str) -> None:
        await asyncio.to_thread(self._book.drop_batch, mark)

    async def _patiently(self, call: Callable[[], Awaitable[T]], action: str) -> T:
        """Make a call, and repeat it after transient errors.

        Raises:
            LlmError: If the call does not succeed.
        """
        try:
            async for attempt in self._endpoint.attempts(*_TRANSIENT):
                with attempt:
                    made = await call()
        except openai.OpenAIError as error:
            raise LlmError(
                f"LLM endpoint {self._endpoint.config.base_url}: cannot {action}: {self._endpoint.sanitized(error)}; "
                "where it has no batches, set ANALYTICS_LLM_MODE=realtime"
            ) from None
        return made
