"""The export of ChatGPT (``conversations.json``): a tree of messages per conversation."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.shape import Context, Shape, content_text, role_of

_HIDDEN = frozenset({"model_editable_context", "user_editable_context", "thoughts", "reasoning_recap"})
"""Kinds of content that ChatGPT does not show as messages."""


def fits(record: Record) -> bool:
    """Tell whether a record is a conversation with a tree of messages."""
    mapping = record.get("mapping")
    return isinstance(mapping, dict) and ("current_node" in record or "create_time" in record)


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield the visible messages on the path to the current node; branches of regenerated answers are left out."""
    conversation = str(record.get("conversation_id") or record.get("id") or f"{context.file.label}:{context.number}")
    time = record.get("create_time")
    position = 0
    for node in _path(record):
        message = node.get("message")
        if not message or not _is_visible(message):
            continue
        own = message.get("create_time") or None
        yield {
            "conversation_id": conversation,
            "message_id": message.get("id") or node.get("id"),
            "role": role_of((message.get("author") or {}).get("role")),
            "text": _text(message),
            **context.time_of(own, time, position),
            "model": (message.get("metadata") or {}).get("model_slug"),
            "title": record.get("title"),
        }
        time = own or time
        position += 1


def _text(message: Record) -> str | None:
    """Return a message's text; what the assistant sends to a tool is a marker."""
    recipient = message.get("recipient")
    return content_text(message.get("content")) if recipient in {None, "all"} else f"[tool call: {recipient}]"


def _path(record: Record) -> list[Record]:
    """Return the nodes from the root to the current node; to the newest leaf if no current node is stated."""
    nodes = record["mapping"]
    at = record.get("current_node")
    if at not in nodes:
        leaves = [name for name, node in nodes.items() if not node.get("children")]
        at = max(leaves, key=lambda name: (nodes[name].get("message") or {}).get("create_time") or 0, default=None)
    path: list[Record] = []
    seen = set()
    while at in nodes and at not in seen:
        seen.add(at)
        path.append(nodes[at])
        at = nodes[at].get("parent")
    return path[::-1]


def _is_visible(message: Record) -> bool:
    metadata = message.get("metadata") or {}
    content = message.get("content") or {}
    role = (message.get("author") or {}).get("role")
    if metadata.get("is_visually_hidden_from_conversation") or content.get("content_type") in _HIDDEN:
        return False
    return role not in {"system", "tool"} or bool((content_text(content) or "").strip())


CHATGPT = Shape(
    "chatgpt", "ChatGPT export", fits, unfold, "Only the path to the current answer counts; hidden nodes are left out."
)
