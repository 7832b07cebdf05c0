"""Make a list of the messages of a conversation that is stored as a tree, in which answers were regenerated.

As in the export of ChatGPT, only the path to the current answer counts: the newest where none is marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.shape import is_list_of

_CHILDREN = ("children", "replies")
"""Keys of the answers within a message: of LibreChat, and of Open Assistant."""
_LISTS = ("messages", "conversation", "turns")
_ROOTS = ("prompt", "root", "message")


def is_tree(record: Mapping[str, Any]) -> bool:
    """Tell whether the messages of a conversation are a tree."""
    return _history(record) is not None or _has_fragments(record) or bool(_nested_roots(record)[0])


def without_branches(record: Record) -> Record:
    """Return a conversation with the messages on the path to the current answer as a list ``messages``.

    Args:
        record: A conversation whose messages are nodes with parents (Open WebUI, DeepSeek), or objects within objects
            (LibreChat, Open Assistant).
    """
    if _has_fragments(record):
        rest = {name: value for name, value in record.items() if name != "mapping"}
        return {**rest, "messages": _of_fragments(record["mapping"])}
    history = _history(record)
    if history is not None:
        inner = record.get("chat")
        rest = {name: value for name, value in record.items() if name not in {"history", "chat"}}
        of_chat = {name: value for name, value in inner.items() if name != "history"} if isinstance(inner, dict) else {}
        return {**of_chat, **rest, "messages": _path(history)}
    key, roots = _nested_roots(record)
    if not roots:
        return record
    rest = {name: value for name, value in record.items() if name != key}
    return {**rest, "messages": _path_of_newest(roots)}


def _history(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the nodes of Open WebUI's history, of a record or its chat; None if there is none."""
    inner = record.get("chat")
    for holder in (record, inner):
        history = holder.get("history") if isinstance(holder, Mapping) else None
        if isinstance(history, Mapping) and isinstance(history.get("messages"), Mapping):
            return history
    return None


def _path(history: Mapping[str, Any]) -> list[Record]:
    """Return the nodes from the first one to the current one; ``parent`` names another key of the one before."""
    nodes: Mapping[Any, Any] = history["messages"]
    parent = history.get("parent") or "parentId"
    at = history.get("currentId")
    at = at if isinstance(at, str) and at in nodes else next(reversed([*nodes]), None)
    path: list[Record] = []
    while isinstance(at, str) and isinstance(nodes.get(at), dict) and len(path) < len(nodes):  # a cycle ends, too
        node = nodes[at]
        path.append({name: value for name, value in node.items() if name not in {parent, "childrenIds", "children"}})
        at = node.get(parent)
    return path[::-1]


_FRAGMENTS = {"REQUEST": "user", "RESPONSE": "assistant"}
"""Kinds of what DeepSeek's messages consist of, without its thoughts and searches, and who says it."""


def _fragments(node: Any) -> list[Any]:
    message = node.get("message") if isinstance(node, Mapping) else None
    fragments = message.get("fragments") if isinstance(message, Mapping) else None
    return fragments if isinstance(fragments, list) else []


def _has_fragments(record: Mapping[str, Any]) -> bool:
    nodes = record.get("mapping")
    return isinstance(nodes, Mapping) and any(map(_fragments, nodes.values()))


def _of_fragments(nodes: Mapping[str, Any]) -> list[Record]:
    """Return the messages of DeepSeek on the path to the newest node, the last one of the export."""
    messages = []
    for node in _path({"messages": nodes, "parent": "parent"}):
        stated = node.get("message") or {}
        said = [part for part in _fragments(node) if isinstance(part, dict) and str(part.get("type")) in _FRAGMENTS]
        messages += [
            {
                "role": _FRAGMENTS[part["type"]],
                "content": part.get("content"),
                "created_at": stated.get("inserted_at"),
                "model": stated.get("model"),
            }
            for part in said
        ]
    return messages


def _nested_roots(record: Mapping[str, Any]) -> tuple[str, list[Record]]:
    """Return the key of the messages that have answers within, and these messages; nothing for another record."""
    for key in (*_LISTS, *_ROOTS):
        value = record.get(key)
        roots = [value] if isinstance(value, dict) and key in _ROOTS else value
        if isinstance(roots, list) and is_list_of(roots, _has_children):
            return key, [root for root in roots if isinstance(root, dict)]
    return "", []


def _has_children(message: Any) -> bool:
    return isinstance(message, dict) and "text" in message and any(isinstance(message.get(c), list) for c in _CHILDREN)


def _path_of_newest(roots: list[Record]) -> list[Record]:
    path = []
    level = roots
    while level:
        best = [message for message in level if message.get("rank") == 0]
        message = best[0] if best else level[-1]
        path.append({name: value for name, value in message.items() if name not in _CHILDREN})
        answers: list[Any] = next((message[key] for key in _CHILDREN if isinstance(message.get(key), list)), [])
        level = [answer for answer in answers if isinstance(answer, dict)]
    return path
