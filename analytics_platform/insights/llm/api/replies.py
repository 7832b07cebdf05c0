"""Read chat completions, and judge whether they are usable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analytics_platform.insights.llm.answer_json import AnswerError
from analytics_platform.insights.llm.api.prices import Usage
from analytics_platform.insights.llm.questions import Answer

_SHOWN = 300
_MOST_TOKENS = 2**31
"""More tokens than any call has; sums of smaller numbers fit a column of 64 bits."""


class UnreadableReplyError(ValueError):
    """The reply is not a chat completion."""


@dataclass(frozen=True)
class Judged:
    """A judged reply.

    Attributes:
        status: One of ``CALL_STATUSES``.
        usage: Tokens; None if the endpoint does not report them.
        answer: The checked answer if the status is ``ok``.
        problem: The fault of the reply if the status is not ``ok``.
        text: The model's text.
    """

    status: str
    usage: Usage | None
    answer: Answer | None = None
    problem: str | None = None
    text: str = ""

    @property
    def worth_asking_again(self) -> bool:
        """Whether the model may answer correctly when it is told the fault."""
        return self.status in {"invalid", "cut_off"}


def judge(completion: Any, parse: Callable[[str], Answer]) -> Judged:
    """Judge a chat completion.

    Args:
        completion: The decoded JSON of a reply.
        parse: Returns the checked answer in a text, or raises ``AnswerError``.

    Raises:
        UnreadableReplyError: If the reply is not a chat completion.
    """
    try:
        choice = completion["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        refusal, text = message.get("refusal"), storable(_text(message.get("content")))
    except (TypeError, KeyError, IndexError, AttributeError):
        raise UnreadableReplyError("the reply is no chat completion") from None
    usage = _usage(completion.get("usage"))
    if refusal:
        return Judged("refused", usage, problem=storable(f"the model declined: {str(refusal)[:_SHOWN]}"))
    if finish == "content_filter":
        return Judged("filtered", usage, problem="the endpoint's content filter stopped it")
    if finish == "length":
        return Judged("cut_off", usage, problem="it reached the limit of tokens before its end", text=text)
    if not text.strip():
        return Judged("invalid", usage, problem="it is empty")
    try:
        return Judged("ok", usage, answer=parse(text), text=text)
    except AnswerError as error:
        return Judged("invalid", usage, problem=storable(str(error)), text=text)


def storable(text: str) -> str:
    """Return a text with lone surrogates replaced: JSON can contain them, but they cannot be stored or sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _text(content: Any) -> str:
    """Return the text of a message; some endpoints send it in parts, and parts of other types are left out."""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") in {"text", None}]
    return "".join(text for text in texts if isinstance(text, str))


def _usage(given: Any) -> Usage | None:
    """Return the reported tokens; None if they are missing or impossible."""
    try:
        cached = (given.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        sent, answered = int(given["prompt_tokens"]), int(given["completion_tokens"])
        counts = sent, answered, int(cached)
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        return None
    if min(counts) < 0 or max(counts) > _MOST_TOKENS:
        return None
    return Usage(sent, answered, min(int(cached), sent))
