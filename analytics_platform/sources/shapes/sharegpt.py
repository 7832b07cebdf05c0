"""ShareGPT files: ``conversations`` with ``from`` and ``value``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.shape import Context, Shape, content_text, derived_id, is_list_of, role_of

_LISTS = ("conversations", "conversation", "messages", "items")


def _is_turn(value: Any) -> bool:
    return isinstance(value, dict) and "from" in value and "value" in value


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield the messages of one conversation."""
    name = next((name for name in _LISTS if is_list_of(record.get(name), _is_turn)), "conversations")
    key = record.get("id") or record.get("conversation_id")
    conversation = str(key) if key is not None else derived_id(context.number, record[name])
    time = record.get("timestamp") or record.get("created_at") or record.get("date")
    for position, turn in enumerate(record[name]):
        yield {
            "conversation_id": conversation,
            "message_id": f"{conversation}:{position}",
            "role": role_of(turn.get("from")),
            "text": content_text(turn.get("value")),
            "timestamp": turn.get("timestamp") or time or context.time_by_place(position),
            "model": record.get("model"),
        }


SHAREGPT = Shape(
    "sharegpt",
    "ShareGPT file",
    lambda record: any(is_list_of(record.get(name), _is_turn) for name in _LISTS),
    unfold,
    "The format states no times: they are the time when the file changed.",
)
