"""The export of Claude (``conversations.json``): ``chat_messages`` per conversation."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.shape import Context, Shape, content_text, role_of


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield the messages of one conversation; attached files become markers."""
    conversation = str(record.get("uuid") or f"{context.file.label}:{context.number}")
    for position, message in enumerate(record["chat_messages"]):
        text = message.get("text") or content_text(message.get("content"))
        files = [
            f"[file: {file.get('file_name') or 'unnamed'}]"
            for file in [*(message.get("attachments") or []), *(message.get("files") or [])]
            if isinstance(file, dict)
        ]
        yield {
            "conversation_id": conversation,
            "message_id": message.get("uuid") or f"{conversation}:{position}",
            "role": role_of(message.get("sender")),
            "text": "\n".join([*([text] if text else []), *files]) or None,
            "timestamp": message.get("created_at") or record.get("created_at") or context.time_by_place(position),
            "model": record.get("model"),
            "user_id": (record.get("account") or {}).get("uuid"),
            "title": record.get("name"),
        }


CLAUDE = Shape("claude", "Claude export", lambda record: isinstance(record.get("chat_messages"), list), unfold)
