"""Questions and answers in the bodies of logged calls: the keys of single models, and streams of an answer's pieces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from analytics_platform.sources.shapes.shape import first_of

_TEXTS = ("generation", "outputText")
"""Keys of the answers of Llama and Titan."""
_LISTS = (("results", "outputText"), ("completions", "data"), ("outputs", "text"))
"""Keys of the list of answers, and in it of the answer, of Titan, AI21 and Mistral."""
_PROMPTS = ("prompt", "inputText", "message")
"""Keys of the question of Llama, Titan and Cohere."""
_STREAMED = ("message_", "content_block_", "response.")
"""Begin the types of the pieces of Anthropic and of OpenAI's Responses."""
_PIECES = frozenset({"contentBlockDelta", "messageStart", "generation", "outputText", "is_finished", "completion"})
"""Keys of the pieces of Bedrock's models."""
_TURN = re.compile(
    r"(?:<\|start_header_id\|>user<\|end_header_id\|>|<\|im_start\|>user\b|\[INST\]|(?:^|\n\n)Human:)(?P<text>.*?)"
    r"(?:<\|eot_id\|>|<\|im_end\|>|\[/INST\]|\n\nAssistant:|$)",
    re.DOTALL,
)
"""What the customer says in a prompt that has whole chats in the form of Llama, ChatML, Mistral or Claude 2."""
_CREATED = ("created_at", "created", "createdAt", "createTime")
"""Keys of the time of an answer."""
_OF_ANSWERS = frozenset({"model", "modelVersion", "choices", "object"})
"""Keys of which an answer as a model's interface returns it has one."""
_MARK = re.compile(r"<\|[a-z_]+\|>|</?s>")


def is_stream(value: Any) -> bool:
    """Tell whether a value is a list of the pieces in which a model sent its answer."""
    return isinstance(value, list) and bool(value) and all(map(_is_piece, value))


def _is_piece(event: Any) -> bool:
    if not isinstance(event, Mapping):
        return False
    kind, made = str(event.get("type") or ""), str(event.get("object") or "")
    return (
        kind.startswith(_STREAMED)
        or kind in {"ping", "error"}
        or made == "chat.completion.chunk"
        or not _PIECES.isdisjoint(event)
    )


def streamed_text(pieces: list[Any]) -> str:
    """Return the text that the pieces of a stream make; thoughts and calls of tools are left out."""
    return "".join(map(_piece_text, pieces))


def _piece_text(event: Mapping[str, Any]) -> str:
    block = event.get("contentBlockDelta")
    holder = block if isinstance(block, Mapping) else event
    choices = event.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        holder = choices[0]
    delta = holder.get("delta")
    if isinstance(delta, str):  # OpenAI's Responses also send the arguments of calls piece by piece
        return delta if event.get("type") == "response.output_text.delta" else ""
    if isinstance(delta, Mapping):
        text = delta.get("text") if "text" in delta else delta.get("content")
    else:
        text = next((event[key] for key in (*_TEXTS, "completion", "text") if event.get(key)), "")
    return text if isinstance(text, str) else ""


def model_text(body: Any) -> str | None:
    """Return the text of an answer under keys that only single models have; None of another answer.

    Args:
        body: What a model's interface returned.
    """
    if not isinstance(body, Mapping):
        return None
    for key in _TEXTS:
        if isinstance(body.get(key), str):
            return str(body[key]).strip()
    for name, key in _LISTS:
        items = body.get(name)
        first = items[0] if isinstance(items, list) and items else None
        inner = first.get(key) if isinstance(first, Mapping) else None
        inner = inner.get("text") if isinstance(inner, Mapping) else inner
        if isinstance(inner, str):
            return inner.strip()
    return None


def time_of_answer(*holders: Any) -> Any:
    """Return the time that an answer of a model's interface states; None of another answer.

    Args:
        holders: The answer, and objects within it; others are passed over.
    """
    for holder in holders:
        if isinstance(holder, Mapping) and not _OF_ANSWERS.isdisjoint(holder):
            return first_of(holder, *_CREATED)
    return None


def plain_prompt(request: Any) -> Any:
    """Return the prompt of a call of Bedrock: what the customer said last, without the marks of the model.

    Args:
        request: What was logged of the question; anything but a body with a prompt or a text is returned as it is.
    """
    body = request.get("inputBodyJson") if isinstance(request, Mapping) else None
    prompt = next((body[key] for key in _PROMPTS if body.get(key)), None) if isinstance(body, Mapping) else None
    if not isinstance(prompt, str):
        return request
    turns = _TURN.findall(prompt)
    return (turns[-1] if turns else _MARK.sub("", prompt)).strip()
