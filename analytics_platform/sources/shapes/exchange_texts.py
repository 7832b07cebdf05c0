"""Texts of the questions and answers of logged requests, in whatever bodies, messages and quotes they stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.exports.exchange_columns import Pair
from analytics_platform.sources.shapes.model_bodies import is_stream, model_text, streamed_text
from analytics_platform.sources.shapes.shape import (
    content_text,
    first_of,
    is_list_of,
    is_message,
    message_text,
    parsed,
)

_BODIES = ("body", "inputBodyJson", "outputBodyJson", "output")
"""Keys of what was sent within a logged request or answer, as Bedrock logs it."""
_ANSWERS = (
    "output", "answer", "text", "response", "result", "completion", "generated_text",
    "fulfillmentText", "fulfillment_text", "responseMessages",
)  # fmt: skip
"""Keys of the text of an answer, the last three of Dialogflow."""
_TRACES = ("trace_id", "traceId", "run_type", "observationId")


def sides_of(record: Record, pair: Pair) -> tuple[Any, Any]:
    """Return question and answer; a table of traces has texts as JSON writes them, in quotes."""
    question, answer = record.get(pair.question), record.get(pair.answer)
    if not record.keys().isdisjoint(_TRACES) or (_is_quoted(question) and _is_quoted(answer)):
        question, answer = map(_unquoted, (question, answer))
    return parsed(question), parsed(answer)


def _is_quoted(value: Any) -> bool:
    return isinstance(value, str) and len(value) > 1 and value[0] == '"' == value[-1]


def _unquoted(value: Any) -> Any:
    try:
        return json.loads(value) if _is_quoted(value) else value
    except ValueError:  # quotes that somebody typed
        return value


def bodies_within(answer: Any) -> list[Any]:
    """Return an answer, and the objects in it that may hold the answer of a logged request."""
    return [answer, *(answer.get(name) for name in _BODIES)] if isinstance(answer, Mapping) else []


def _unserialised(value: Any) -> Any:
    """Return LangChain's messages as plain ones: their fields stand in ``kwargs``, in a list of lists."""
    if is_list_of(value, lambda item: isinstance(item, list)):
        value = value[0]
    if isinstance(value, list):
        return [_unserialised(item) if isinstance(item, Mapping) else item for item in value]
    if isinstance(value, Mapping) and isinstance(value.get("kwargs"), Mapping) and "content" in value["kwargs"]:
        name = str((value.get("id") or [""])[-1]).removesuffix("Chunk").removesuffix("Message").lower()
        return {"type": name, **value["kwargs"]}
    return value


def _body(value: Any) -> Any:
    """Return what was sent within a logged request or answer; of a stream, the message that its pieces make."""
    if not isinstance(value, Mapping | list):
        return value
    for name in _BODIES:
        inner = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(inner, Mapping) or is_stream(inner):
            value = inner
    return {"role": "assistant", "content": streamed_text(value)} if is_stream(value) else value


def messages_of(value: Any) -> list[Any] | None:
    """Return the messages of a question or answer that is a list of them; None for anything else."""
    value = _body(value)
    if isinstance(value, Mapping) and is_message(value.get("message")):
        return [value["message"]]
    if isinstance(value, Mapping):
        value = next(
            (
                value[name]
                for name in ("messages", "value", "input", "choices", "contents", "candidates", "generations")
                if name in value
            ),
            None,
        )
    value = _unserialised(value)
    if is_list_of(value, lambda item: (isinstance(item, Mapping) and "generation_info" in item) or "text" in item):
        value = [{"role": "assistant", "content": item.get("text")} for item in value]
    for inner in ("message", "content"):  # of OpenAI's choices, of Gemini's candidates
        if is_list_of(value, partial(_has_message, inner)):
            return [item[inner] for item in value]
    if not isinstance(value, list):
        return None
    return [item for item in value if is_message(item)] or None  # beside them, calls and thoughts of the model


def _has_message(key: str, item: Any) -> bool:
    return isinstance(item, Mapping) and is_message(item.get(key))


def answer_text(value: Any) -> str | None:
    """Return the text of an answer; None of a form that is not known."""
    messages = messages_of(value)
    if messages is not None:
        return message_text(messages[-1])
    if isinstance(value, str):
        return content_text(value)
    body = _body(value)
    texts = (model_text(body), *(text_of(one, *_ANSWERS) for one in (value, body)))
    return next((text for text in texts if text is not None), None)


def text_of(value: Any, *names: str) -> str | None:
    """Return the text of a message, of an object under the first of the names that it has, or of content parts."""
    if isinstance(value, Mapping):
        if is_message(value):
            return message_text(value)
        inner = first_of(value, *names)
        if inner is not None:
            return content_text(inner)
    return content_text(value)
