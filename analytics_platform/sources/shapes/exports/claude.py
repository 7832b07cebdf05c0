"""The export of Claude (``conversations.json``): ``chat_messages`` per conversation."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.identity import Turn, identify, identify_conversation
from analytics_platform.sources.shapes.shape import Context, Shape, content_text, role_of


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield the messages of one conversation; attached files become markers."""
    messages = record["chat_messages"]
    conversation = str(record.get("uuid") or identify_conversation(context, record.get("created_at"), messages))
    turns = [Turn(role_of(message.get("sender")), _text(message), message.get("created_at")) for message in messages]
    for message, turn, place in zip(messages, turns, identify(context, conversation, turns), strict=True):
        yield {
            "conversation_id": conversation,
            "message_id": message.get("uuid") or place.message_id,
            "role": turn.role,
            "text": turn.text,
            **context.time_of(turn.time, record.get("created_at"), place.position),
            "model": record.get("model"),
            "user_id": (record.get("account") or {}).get("uuid"),
            "title": record.get("name"),
        }


def _text(message: Record) -> str | None:
    text = message.get("text") or content_text(message.get("content"))
    files = [
        f"[file: {file.get('file_name') or 'unnamed'}]"
        for file in [*(message.get("attachments") or []), *(message.get("files") or [])]
        if isinstance(file, dict)
    ]
    return "\n".join([*([text] if text else []), *files]) or None


CLAUDE = Shape("claude", "Claude export", lambda record: isinstance(record.get("chat_messages"), list), unfold)
