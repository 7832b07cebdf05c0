"""Questions asked in real time, each a second time if its answer does not follow the form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analytics_platform.insights.llm.api.endpoint import Endpoint
from analytics_platform.insights.llm.api.rate_limits import BudgetSpentError
from analytics_platform.insights.llm.api.refusals import RejectedError, UnavailableError
from analytics_platform.insights.llm.api.replies import Judged
from analytics_platform.insights.llm.questions import FailedQuestion, Question, Result

_BAD_ANSWER_SHOWN = 4000


async def ask(endpoint: Endpoint, question: Question, rows: list[dict[str, Any]]) -> Result:
    """Return the result of a question; ledger rows are appended to ``rows``.

    Raises:
        LlmError: If key, address or model are wrong.
    """
    tries, tokens = 0, question.answer_tokens
    messages: Sequence[Mapping[str, str]] = question.messages
    try:
        for number in (1, 2):
            judged = await endpoint.ask(question, messages, rows, number=number, answer_tokens=tokens)
            tries += 1
            if not judged.worth_asking_again:
                break
            messages, tokens = correction(question, judged), tokens_again(judged, tokens)
    except BudgetSpentError as error:
        return FailedQuestion.now("budget", str(error), tries, will_retry=True)
    except UnavailableError as error:
        return FailedQuestion.now("unavailable", str(error), tries, will_retry=True)
    except RejectedError as error:
        return FailedQuestion.now("rejected", str(error), tries + 1)
    return result_of(judged, tries)


def result_of(judged: Judged, tries: int) -> Result:
    """Return the answer in a judged reply, or a failure if it has none."""
    if judged.answer is not None:
        return judged.answer
    return FailedQuestion.now(judged.status, judged.problem or "", tries)


def correction(question: Question, judged: Judged) -> list[Mapping[str, str]]:
    """Return the messages for asking again: the question, the invalid answer, and its fault."""
    bad = {"role": "assistant", "content": judged.text[:_BAD_ANSWER_SHOWN] or "{}"}
    return [*question.messages, bad, {"role": "user", "content": question.kind.prompt.correction(judged.problem or "")}]


def tokens_again(judged: Judged, tokens: int) -> int:
    """Return the token limit for asking again: doubled if the answer was cut off."""
    return tokens * 2 if judged.status == "cut_off" else tokens
