"""Questions to an LLM, whatever they ask for, and their results.

A ``QuestionKind`` says what is asked: labels of a conversation, translations of messages, or the name of a discovered
topic. All other parts of the tier (requests, batches, ledger, stored answers) treat the kinds alike.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from analytics_platform.insights.llm.llm_store import Document, moment
from analytics_platform.insights.llm.prompt import Prompt

Answer = dict[str, Any]
"""A checked answer, as it is stored."""
_FAILURE = "failure"


@dataclass(frozen=True, eq=False)
class QuestionKind:
    """A kind of question.

    Attributes:
        name: Name of the answer's schema.
        answer_field: Field of a stored document that holds the answer.
        prompt: The prompt.
        schema: JSON schema of the answer.
        parse: Returns the checked answer in a text, given what the question shows; raises ``AnswerError``.
        at_once: Whether questions are asked in real time in the mode ``batch``, too, because tables of other groups
            wait for the answers, and a batch may take a day.
    """

    name: str
    answer_field: str
    prompt: Prompt
    schema: dict[str, Any]
    parse: Callable[[str, Any], Answer]
    at_once: bool = False

    @cached_property
    def form_in_words(self) -> str:
        """The description of the answer's form, for endpoints that accept no schema."""
        return self.prompt.form(self.schema)


def version_of(kind: QuestionKind, parameters: Mapping[str, object], *further: object) -> str:
    """Return a hash of everything that answers depend on, except what a question shows and the code.

    Args:
        kind: What is asked; its schema counts.
        parameters: What an answer depends on, by name.
        *further: Further parts.

    Returns:
        16 hexadecimal digits.
    """
    parts = [*(f"{name}={value}" for name, value in sorted(parameters.items())), *map(str, (kind.schema, *further))]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Question:
    """One question about a conversation.

    Attributes:
        kind: What is asked.
        date: Day of the conversation.
        conversation_id: Id of the conversation.
        key: Hash of everything that the answer depends on.
        messages: Messages to send.
        shown: What the messages show of the conversation, as ``kind.parse`` needs it.
        answer_tokens: Most tokens of the answer.
    """

    kind: QuestionKind
    date: dt.date
    conversation_id: str
    key: str
    messages: tuple[Mapping[str, str], ...]
    shown: Any
    answer_tokens: int

    def parse(self, text: str) -> Answer:
        """Return the checked answer in a text.

        Raises:
            AnswerError: If the text holds no valid answer.
        """
        return self.kind.parse(text, self.shown)


@dataclass(frozen=True)
class FailedQuestion:
    """The reason why a question has no answer.

    Attributes:
        reason: One of ``FAILURE_REASONS``.
        detail: Description of the fault.
        tries: Number of questions asked without success.
        will_retry: Whether the next run asks again.
        failed_at: Time of the failure, UTC.
    """

    reason: str
    detail: str
    tries: int
    will_retry: bool
    failed_at: dt.datetime

    @classmethod
    def now(cls, reason: str, detail: str, tries: int = 0, *, will_retry: bool = False) -> FailedQuestion:
        """Return a failure with the current time."""
        return cls(reason, detail, tries, will_retry, moment())


Result = Answer | FailedQuestion


def to_document(kind: QuestionKind, result: Result, provenance: Document) -> Document:
    """Return the stored form of a result, with its provenance."""
    if isinstance(result, FailedQuestion):
        kept = {"reason": result.reason, "detail": result.detail, "tries": result.tries, "failed_at": result.failed_at}
        return {**provenance, _FAILURE: kept}
    return {**provenance, kind.answer_field: result}


def from_document(kind: QuestionKind, document: Document) -> Result:
    """Return the result in a stored document."""
    if kind.answer_field in document:
        return dict(document[kind.answer_field])
    return FailedQuestion(**document[_FAILURE], will_retry=False)
