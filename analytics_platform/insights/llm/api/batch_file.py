"""The files of a batch: one line of JSON per request, and one per reply."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from analytics_platform.insights.llm.api.endpoint import Endpoint
from analytics_platform.insights.llm.api.refusals import is_about_text
from analytics_platform.insights.llm.api.replies import Judged, UnreadableReplyError, judge
from analytics_platform.insights.llm.llm_store import Document
from analytics_platform.insights.llm.questions import Answer, FailedQuestion, Question, QuestionKind

_NOT_ABOUT_THE_REQUEST = frozenset({401, 402, 403, 404, 408, 409, 429})
"""4xx statuses that do not concern the request itself: a person can correct key, account and address."""
_CHANGED = "the conversation has changed since it was asked about"


@dataclass(frozen=True)
class Asked:
    """A question of a batch.

    Attributes:
        question: The question.
        messages: Messages to send.
        answer_tokens: Most tokens of the answer.
    """

    question: Question
    messages: Sequence[Mapping[str, str]]
    answer_tokens: int


def requests(
    asked: Iterable[Asked], body: Callable[[QuestionKind, Sequence[Mapping[str, str]], int], dict[str, Any]]
) -> bytes:
    """Return the content of the request file; a question's key is the ``custom_id`` of its line."""
    lines = (
        {
            "custom_id": item.question.key,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": body(item.question.kind, item.messages, item.answer_tokens),
        }
        for item in asked
    )
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def read(
    lines: Iterable[bytes], document: Document, questions: Mapping[str, Question], endpoint: Endpoint
) -> dict[str, Judged]:
    """Return the replies of a batch by key; lines that do not belong to the batch are skipped.

    Args:
        lines: Lines of the output and error files.
        document: The stored document of the batch.
        questions: Questions of the caller by key; a reply to another question counts as invalid.
        endpoint: Endpoint whose key is hidden in errors.
    """
    found: dict[str, Judged] = {}
    for line in lines:
        try:
            entry = orjson.loads(line)
            key, response, error = entry["custom_id"], entry.get("response") or {}, entry.get("error")
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
            continue
        if key in document["asked"]:
            found[key] = _judge(response, error, questions.get(key), endpoint)
    return found


def judged_or_failure(reply: Judged, number: int) -> Judged | FailedQuestion:
    """Return a reply, or a retryable failure if the endpoint failed to process the request."""
    if reply.status == "server_error":
        return FailedQuestion.now("unavailable", reply.problem or "", number - 1, will_retry=True)
    return reply


def forgotten_question(key: str, document: Document, kind: QuestionKind) -> Question:
    """Return a question with the fields that the ledger needs, for a key that the caller does not ask for."""
    about = document["asked"][key]
    return Question(kind, dt.date.fromisoformat(about["date"]), about["conversation_id"], key, (), (), 0)


def complaint(batch: Any) -> str:
    """Return the endpoint's first error about a whole batch, prefixed by a colon; empty without an error."""
    problems = batch.errors.data if batch.errors and batch.errors.data else []
    return f": {problems[0].message}"[:300] if problems else ""


def _judge(response: Mapping[str, Any], error: Any, question: Question | None, endpoint: Endpoint) -> Judged:
    status = response.get("status_code", 0)
    if error or status != 200:
        detail = endpoint.sanitized(f"HTTP {status}: {error or response.get('body')}")
        final = 400 <= status < 500 and (status not in _NOT_ABOUT_THE_REQUEST or is_about_text(status, detail))
        kind = "rejected" if final else "server_error"
        return Judged(kind, None, problem=detail)
    try:
        judged = judge(response.get("body"), question.parse if question else _take_nothing)
    except UnreadableReplyError as odd:
        return Judged("server_error", None, problem=str(odd))
    return judged if question else Judged("invalid", judged.usage, problem=_CHANGED)


def _take_nothing(_: str) -> Answer:
    """Stand for the parsing of an answer to a question that nobody asks any more."""
    return {}
