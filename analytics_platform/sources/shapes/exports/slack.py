"""The export of Slack: a folder per channel, a JSON array of messages per day."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.content import SourceFile, open_content
from analytics_platform.sources.formats.file_records import Record, Records
from analytics_platform.sources.shapes.shape import Context, Shape, first_of

_TS = re.compile(r"\d{9,11}\.\d{6}")
_DAY_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.json")
_EVENTS = frozenset(
    {
        "channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name", "channel_archive",
        "channel_unarchive", "group_join", "group_leave", "bot_add", "bot_remove", "pinned_item", "reminder_add",
    }
)  # fmt: skip

_CHANGES = frozenset({"message_changed", "message_deleted", "message_replied", "tombstone"})
"""Records of Slack that tell of another message."""


def fits(record: Record) -> bool:
    """Tell whether a record is a message of Slack."""
    is_said = "text" in record or str(record.get("subtype")) in _CHANGES
    return isinstance(record.get("ts"), str) and bool(_TS.fullmatch(record["ts"])) and is_said


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield a message. A thread or a message without replies is a conversation; its first author is the customer.

    An event outside a thread, such as a join, is none: nobody says anything in it.
    """
    subtype = record.get("subtype")
    if (subtype in _CHANGES and not record.get("text")) or (subtype in _EVENTS and not record.get("thread_ts")):
        return
    channel = str(record.get("channel") or context.file.folder_name or "slack")
    thread = str(record.get("thread_ts") or record["ts"])
    author = first_of(record, "user", "bot_id", "username")
    openers: dict[str, str] = context.memory.setdefault("openers", {})
    if thread == record["ts"]:
        openers[thread] = str(author)
    opener = record.get("parent_user_id") or openers.get(thread) or _openers_beside(context.file, thread).get(thread)
    role = "user" if author is not None and str(author) == str(opener) else "agent"
    if record.get("bot_id") or record.get("subtype") == "bot_message":
        role = "assistant"
    if record.get("subtype") in _EVENTS:
        role = "system"
    files = [f"[file: {file.get('name') or 'unnamed'}]" for file in record.get("files") or [] if isinstance(file, dict)]
    text = _plain(record.get("text"))
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


def _plain(text: Any) -> Any:
    """Return a text as Slack shows it: the labels of links, and mentions such as ``@here`` and ``#channel``."""
    return _MARKUP.sub(_shown, text) if isinstance(text, str) and "<" in text else text


def _shown(markup: re.Match[str]) -> str:
    sign, target, label = markup.groups()
    if sign in {"@", "#"}:
        return sign + (label or target).removeprefix(sign)
    if sign == "!":  # <!here>, <!subteam^S1|@support>, <!date^1392734382^{date}|in February>
        return label or f"@{target.partition('^')[0]}"
    return label or target.removeprefix("mailto:")


_MARKUP = re.compile(r"<([@#!]?)([^<>|\s][^<>|]*)(?:\|([^<>]*))?>")
"""A link or a mention; a sign that somebody typed is ``&lt;``."""


def _openers_beside(file: SourceFile, thread: str) -> Mapping[str, str]:
    """Return who opened the threads of the day on which a thread began, from the file of that day in the same folder.

    Slack names a file after the day in the zone of the workspace, which may be the day before or after in UTC.
    """
    began = dt.datetime.fromtimestamp(float(thread), dt.UTC).date() if _TS.fullmatch(thread) else None
    if began is None or not _DAY_FILE.fullmatch(PurePosixPath(file.member or file.path.name).name):
        return {}
    openers: dict[str, str] = {}
    for days in (0, -1, 1):
        name = f"{began + dt.timedelta(days=days)}.json"
        member = str(PurePosixPath(file.member).with_name(name)) if file.member else None
        path = file.path if member else file.path.with_name(name)
        openers |= _openers_of(path, member, file.modified_ns)
        if thread in openers:
            break
    return openers


@lru_cache(maxsize=64)
def _openers_of(path: Path, member: str | None, modified_ns: int) -> Mapping[str, str]:
    """Return thread to opener of one day's file; nothing if there is no such file.

    Args:
        path: The file, or the zip that contains it.
        member: Name of the file inside the zip.
        modified_ns: When the file that asks changed, so that a later export is read anew.
    """
    del modified_ns
    file = SourceFile(path, path.name, ".json", 0, 0, member)
    try:
        with open_content(file) as content:
            messages = orjson.loads(content.stream.read())
    except (SourceError, KeyError, orjson.JSONDecodeError):
        return {}
    return {
        message["ts"]: str(first_of(message, "user", "bot_id", "username"))
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict) and fits(message) and message.get("thread_ts") in {None, message["ts"]}
    }


def with_channel(records: Records, file: SourceFile) -> Records:
    """Return messages with the channel, which is the name of the folder of their file.

    Args:
        records: Messages of a day.
        file: Their file.
    """
    named = [
        {"channel": file.folder_name, **record, "text": _plain(record.get("text"))} if record else record
        for record in records.values
    ]
    return Records(named, records.problems)


SLACK = Shape(
    "slack",
    "Slack export",
    fits,
    unfold,
    "A thread is a conversation; who opens it is the customer, everyone else an agent; joins are left out.",
)
