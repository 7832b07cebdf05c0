"""Lines with ``messages``, as OpenAI, Anthropic and most libraries log and fine-tune them: a conversation per line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.id_keys import (
    CONVERSATION_KEYS,
    COST_KEYS,
    REQUEST_USER_KEYS,
    TIME_KEYS,
    USER_KEYS,
)
from analytics_platform.sources.shapes.identity import Turn, identify, identify_conversation
from analytics_platform.sources.shapes.model_bodies import time_of_answer
from analytics_platform.sources.shapes.shape import (
    Context,
    Shape,
    first_of,
    is_list_of,
    is_message,
    message_text,
    parsed,
    plain_values,
    speaker,
)
from analytics_platform.sources.shapes.token_usage import stated_tokens

LISTS = ("messages", "contents", "conversation", "conversations", "chat", "history", "dialogue", "turns", "transcript")
_COLUMNS = ("conversation_id", "agent_id", "model", "channel", "language", "rating", "outcome", "variant")
_OF_MESSAGE = ("model", "language", "user_id", "agent_id")
CONVERSATIONS = (*CONVERSATION_KEYS, "id", "uuid")
"""Keys of a record's id, in the order in which they are tried."""
UNKEPT = ("timestamp", "created_at", "id", "messages")
"""Keys of a record that no column keeps as they are."""
_ROLE_AND_CONTENT = _PAIR = 2
"""Keys of a message that says nothing but who speaks and what."""
ANSWERS = (
    "response", "completion", "output", "answer", "reply", "output_text", "assistant_response", "llm_response",
    "result", "choices", "candidates", "message",
)  # fmt: skip
"""Keys of the answer of a logged request, beside its messages."""
_OBJECTS = frozenset({"choices", "candidates", "message"})
"""Keys of an answer that is no text, and that a model's interface returns under the role of the assistant."""
_OUTCOMES = frozenset({"result", "output"})
"""Keys that tell how a conversation ended where its messages end with an answer."""


def _list_name(record: Record) -> str | None:
    return next((name for name in LISTS if is_list_of(record.get(name), _is_message_or_pair)), None)


def _is_message_or_pair(value: Any) -> bool:
    return is_message(value) or _is_pair(value)


def _is_pair(value: Any) -> bool:
    """Tell whether a value is a question and its answer, as Gradio stores a chat."""
    return (
        isinstance(value, list)
        and len(value) == _PAIR
        and all(text is None or isinstance(text, str) for text in value)
        and any(value)
    )


def _listed(items: list[Any]) -> list[Record]:
    """Return the messages of a list; a question and its answer are two."""
    if not _is_pair(items[0]):
        return items
    said = ((role, text) for pair in items for role, text in zip(("user", "assistant"), pair, strict=False))
    return [{"role": role, "content": text} for role, text in said if text]


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield the messages of one conversation: OpenAI's ``messages``, WildChat's ``conversation``, and their kin.

    A conversation without an id gets one from its content. A message without a time has its conversation's;
    without that, the time when the file changed.
    """
    name = _list_name(record)
    if name is None:
        raise KeyError("messages")
    stated = {**record["metadata"], **record} if isinstance(record.get("metadata"), dict) else record
    key = first_of(record, *CONVERSATIONS)
    time = first_of(stated, *TIME_KEYS)
    messages = _listed(record[name])
    answer_name, answer = _answer_of(record, messages)
    messages = [*messages, *answer]
    time = time or time_of_answer(parsed(record.get(answer_name)))
    conversation = str(key) if key is not None else identify_conversation(context, time, messages)
    further = plain_values(record, but=(*UNKEPT, answer_name))
    known = {column: further.pop(column) for column in _COLUMNS if column in further}
    known["user_id"] = _user_of(stated)
    turns = [_turn(message) for message in messages]
    places = identify(context, conversation, turns, continues=key is not None)
    of_answer = _details_of_answer(record, record.get(answer_name)) if answer else {}
    for message, turn, place in zip(messages, turns, places, strict=True):
        row = {
            **further,
            **known,
            "conversation_id": conversation,
            "message_id": place.message_id,
            "role": turn.role,
            "text": turn.text,
            **context.time_of(turn.time, time, place.position),
            "sequence": place.position,
        }
        if len(message) > _ROLE_AND_CONTENT:
            row |= stated_tokens(message)
            row |= {column: message[column] for column in _OF_MESSAGE if message.get(column) is not None}
        if message is messages[-1]:
            row |= of_answer
        yield row


def _user_of(record: Record) -> Any:
    """Return the customer of a record; LiteLLM names the customer ``end_user``, and an owner of a key ``user``."""
    return first_of(plain_values(record), *(USER_KEYS if _is_of_litellm(record) else REQUEST_USER_KEYS))


def _is_of_litellm(record: Record) -> bool:
    return "call_type" in record


def _details_of_answer(record: Record, answer: Any) -> Record:
    """Return tokens, cost and model of the answer of a logged request."""
    response = parsed(answer)
    cost = first_of(record, *COST_KEYS, *(("spend",) if _is_of_litellm(record) else ()))
    model = None if "model" in record or not isinstance(response, dict) else response.get("model")
    stated = {"cost": cost, "model": model}
    return stated_tokens(record, response) | {name: value for name, value in stated.items() if value is not None}


def _turn(message: Record) -> Turn:
    more = len(message) > _ROLE_AND_CONTENT
    stated = first_of(message, *TIME_KEYS) if more else None
    return Turn(speaker(message), message_text(message), stated)


def _answer_of(record: Record, messages: list[Record]) -> tuple[str, list[Record]]:
    """Return the answer of a logged request, which stands beside its messages, unless they end with it.

    Args:
        record: The request.
        messages: The messages of its list.

    Returns:
        The key of the answer, and the answer as a message; an empty key and no message if there is none.
    """
    said, last = message_text(messages[-1]), speaker(messages[-1])
    is_answered = last in {"assistant", "agent"} and bool(said)
    for name in ANSWERS:
        answer = None if name in _OBJECTS and isinstance(record.get(name), str) else _as_message(record.get(name))
        text = None if answer is None else message_text(answer)
        if answer is None or (name in _OBJECTS and speaker(answer) != "assistant"):
            continue
        if is_answered and name in _OUTCOMES and isinstance(record[name], str):
            continue
        if is_answered and (text or "").strip() == (said or "").strip():
            return "", []
        return name, [answer]
    return "", []


def _as_message(value: Any) -> Record | None:
    """Return an answer as a message: of a response its first choice, of a text an assistant's message."""
    answer = parsed(value)
    if isinstance(answer, dict) and not is_message(answer):
        answer = first_of(answer, "choices", "candidates", "message", "output")
    if isinstance(answer, list):  # OpenAI's choices, Gemini's candidates, the output of OpenAI's Responses
        inner = (
            item if is_message(item) else first_of(item, "message", "content")
            for item in answer
            if isinstance(item, dict)
        )
        answer = next(filter(is_message, inner), None)
    if is_message(answer):
        return dict(answer)
    return {"role": "assistant", "content": value} if isinstance(value, str) and value.strip() else None


MESSAGES = Shape(
    "messages",
    "conversation per record, its messages in a list",
    lambda record: _list_name(record) is not None,
    unfold,
    "A conversation without an id gets one from its content; a message without a time has its "
    "conversation's time, or else the time when the file changed.",
)
