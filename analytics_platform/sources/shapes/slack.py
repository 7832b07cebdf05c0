"""The export of Slack: a folder per channel, a JSON array of messages per day."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.formats.file_records import Record, Records
from analytics_platform.sources.shapes.shape import Context, Shape, first_of

_TS = re.compile(r"\d{9,11}\.\d{6}")
_EVENTS = frozenset(
    {
        "channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name", "channel_archive",
        "channel_unarchive", "group_join", "group_leave", "bot_add", "bot_remove", "pinned_item", "reminder_add",
    }
)  # fmt: skip


def fits(record: Record) -> bool:
    """Tell whether a record is a message of Slack."""
    return isinstance(record.get("ts"), str) and bool(_TS.fullmatch(record["ts"])) and "text" in record


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield a message. A thread or a message without replies is a conversation; its first author is the customer."""
    channel = str(record.get("channel") or context.file.folder_name or "slack")
    thread = str(record.get("thread_ts") or record["ts"])
    author = first_of(record, "user", "bot_id", "username")
    openers: dict[str, str] = context.memory.setdefault("openers", {})
    if thread == record["ts"]:
        openers[thread] = str(author)
    opener = record.get("parent_user_id") or openers.get(thread)
    role = "user" if author is not None and str(author) == str(opener) else "agent"
    if record.get("bot_id") or record.get("subtype") == "bot_message":
        role = "assistant"
    if record.get("subtype") in _EVENTS:
        role = "system"
    files = [f"[file: {file.get('name') or 'unnamed'}]" for file in record.get("files") or [] if isinstance(file, dict)]
    text = record.get("text")
    yield {
        "conversation_id": f"{channel}:{thread}",
        "message_id": f"{channel}:{record['ts']}:{record.get('subtype') or ''}{author or ''}",
        "role": role,
        "text": "\n".join([*([text] if text else []), *files]) or None,
        "timestamp": record["ts"],
        "user_id": author if role == "user" else None,
        "agent_id": author if role in {"agent", "assistant"} else None,
        "channel": channel,
    }


def with_channel(records: Records, file: SourceFile) -> Records:
    """Return messages with the channel, which is the name of the folder of their file.

    Args:
        records: Messages of a day.
        file: Their file.
    """
    named = [{"channel": file.folder_name, **record} if record else record for record in records.values]
    return Records(named, records.problems)


SLACK = Shape(
    "slack",
    "Slack export",
    fits,
    unfold,
    "A thread is a conversation; who opens it is the customer, everyone else an agent, joins have the role system.",
)
