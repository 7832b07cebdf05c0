"""ShareGPT files: ``conversations`` with ``from`` and ``value``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.identity import Turn, identify, identify_conversation
from analytics_platform.sources.shapes.shape import Context, Shape, content_text, is_list_of, role_of

_LISTS = ("conversations", "conversation", "messages", "items")


def _is_turn(value: Any) -> bool:
    return isinstance(value, dict) and "from" in value and "value" in value


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield the messages of one conversation."""
    name = next((name for name in _LISTS if is_list_of(record.get(name), _is_turn)), "conversations")
    key = record.get("id") or record.get("conversation_id")
    time = record.get("timestamp") or record.get("created_at") or record.get("date")
    conversation = str(key) if key is not None else identify_conversation(context, time, record[name])
    turns = [
        Turn(role_of(turn.get("from")), content_text(turn.get("value")), turn.get("timestamp")) for turn in record[name]
    ]
    for turn, place in zip(turns, identify(context, conversation, turns, continues=key is not None), strict=True):
        yield {
            "conversation_id": conversation,
            "message_id": place.message_id,
            "role": turn.role,
            "text": turn.text,
            **context.time_of(turn.time, time, place.position),
            "sequence": place.position,
            "model": record.get("model"),
        }


SHAREGPT = Shape(
    "sharegpt",
    "ShareGPT file",
    lambda record: any(is_list_of(record.get(name), _is_turn) for name in _LISTS),
    unfold,
    "The format states no times: they are the time when the file changed.",
)
