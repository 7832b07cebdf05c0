"""ShareGPT files: ``conversations`` with ``from`` and ``value``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.exports.openai_messages import UNKEPT
from analytics_platform.sources.shapes.id_keys import TIME_KEYS, USER_KEYS
from analytics_platform.sources.shapes.identity import Turn, identify, identify_conversation
from analytics_platform.sources.shapes.shape import (
    Context,
    Shape,
    content_text,
    first_of,
    is_list_of,
    plain_values,
    role_of,
)

_LISTS = ("conversations", "conversation", "messages", "items")


def _is_turn(value: Any) -> bool:
    return isinstance(value, dict) and "from" in value and "value" in value


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield the messages of one conversation."""
    name = next((name for name in _LISTS if is_list_of(record.get(name), _is_turn)), "conversations")
    key = record.get("id") or record.get("conversation_id")
    time = first_of(record, *TIME_KEYS)
    further = plain_values(record, but=UNKEPT)
    user = first_of(record, *USER_KEYS)
    conversation = str(key) if key is not None else identify_conversation(context, time, record[name])
    turns = [
        Turn(role_of(turn.get("from")), content_text(turn.get("value")), first_of(turn, *TIME_KEYS))
        for turn in record[name]
    ]
    for turn, place in zip(turns, identify(context, conversation, turns, continues=key is not None), strict=True):
        yield {
            **further,
            "user_id": user,
            "conversation_id": conversation,
            "message_id": place.message_id,
            "role": turn.role,
            "text": turn.text,
            **context.time_of(turn.time, time, place.position),
            "sequence": place.position,
        }


SHAREGPT = Shape(
    "sharegpt",
    "ShareGPT file",
    lambda record: any(is_list_of(record.get(name), _is_turn) for name in _LISTS),
    unfold,
    "A message without a time has its conversation's time, or else the time when the file changed.",
)
