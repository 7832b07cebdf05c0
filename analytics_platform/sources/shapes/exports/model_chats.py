"""Chats with language models in forms of their own: two answers beside each other, activities, and bare messages."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.exports import openai_messages
from analytics_platform.sources.shapes.identity import Turn, identify, identify_conversation
from analytics_platform.sources.shapes.shape import (
    Context,
    Shape,
    content_text,
    first_of,
    is_list_of,
    is_message,
    message_text,
    speaker,
)
from analytics_platform.sources.shapes.token_usage import stated_tokens

_SIDES = ("a", "b")


def _is_arena(record: Record) -> bool:
    return all(is_list_of(record.get(f"conversation_{side}"), is_message) for side in _SIDES)


def _arena(record: Record, context: Context) -> Iterator[Record]:
    """Yield the messages of both conversations, in which two models answer the same questions."""
    rest = {name: value for name, value in record.items() if not name.startswith(("conversation_", "model_"))}
    key = first_of(record, "question_id", "conversation_id", "id") or identify_conversation(context, record)
    for side in _SIDES:
        one = {"model": record.get(f"model_{side}"), "messages": record[f"conversation_{side}"]}
        yield from openai_messages.unfold({**rest, "conversation_id": f"{key}:{side}", **one}, context)


ARENA = Shape(
    "arena",
    "two conversations beside each other, as LMSYS Chatbot Arena has them",
    _is_arena,
    _arena,
    "Each record becomes two conversations, of the models a and b.",
)


def _is_gemini(record: Record) -> bool:
    return str(record.get("header")) in {"Gemini Apps", "Bard"} and {"title", "time"} <= record.keys()


def _gemini(record: Record, context: Context) -> Iterator[Record]:
    """Yield the question and the answer of an activity; one that is no question, such as a setting, yields nothing."""
    answers = [item.get("html") for item in record.get("safeHtmlItem") or [] if isinstance(item, dict)]
    answer = "\n".join(text for text in answers if text)
    question = str(record["title"]).partition(" ")[2]  # "Prompted ..." in the language of the account
    if not answer or not question:
        return
    conversation = identify_conversation(context, record["time"], question)
    for name, role, text in (("question", "user", question), ("answer", "assistant", answer)):
        yield {
            "conversation_id": conversation,
            "message_id": f"{conversation}:{name}",
            "role": role,
            "text": text,
            **context.time_of(record["time"] if role == "user" else None, record["time"]),
        }


GEMINI = Shape(
    "gemini",
    "activity of Gemini by Google Takeout",
    _is_gemini,
    _gemini,
    "Google exports no chats: each question with its answer is a conversation.",
)


def _is_character_chat(record: Record) -> bool:
    return ("mes" in record and "is_user" in record) or {"user_name", "character_name"} <= record.keys()


def _character_chat(record: Record, context: Context) -> Iterator[Record]:
    """Yield a message; the first line of a file names the user and the chat."""
    if "mes" not in record:
        context.memory["user"] = record.get("user_name")
        return
    role = "system" if record.get("is_system") else "user" if record.get("is_user") else "assistant"
    conversation = context.file.label
    extra = record.get("extra")
    (place,) = identify(context, conversation, [Turn(role, record["mes"], record.get("send_date"))])
    yield {
        "conversation_id": conversation,
        "message_id": place.message_id,
        "role": role,
        "text": record["mes"],
        **context.time_of(record.get("send_date"), position=place.position),
        "user_id": context.memory.get("user") if role == "user" else None,
        "model": extra.get("model") if isinstance(extra, dict) else None,
    }


SILLYTAVERN = Shape("sillytavern", "SillyTavern chat", _is_character_chat, _character_chat, "A file is a conversation.")

_OF_SESSIONS = ("leafUuid", "isSnapshotUpdate", "isSidechain")
"""Keys of lines of Claude Code: of a summary, of a snapshot of files, and of what was said."""


def _is_claude_code(record: Record) -> bool:
    return "parentUuid" in record or (
        isinstance(record.get("type"), str) and any(key in record for key in _OF_SESSIONS)
    )


def _claude_code(record: Record, context: Context) -> Iterator[Record]:
    """Yield a message of a session; a line of thoughts or with a snapshot of files yields nothing.

    The lines of one answer share the id of their message, and its tokens, which count once. What a program wrote under
    the customer's role has the role system, and what a model under another one says the role tool.
    """
    message = record.get("message")
    if not isinstance(message, dict) or not is_message(message):
        return
    role, text = speaker(message), message_text(message)
    if not text:
        return
    if record.get("isSidechain"):
        role = "tool"
    elif role == "user" and (record.get("isMeta") or record.get("isCompactSummary")):
        role = "system"
    tokens: Record = {}
    if message.get("id") is None or message["id"] != context.memory.get("answer"):
        context.memory["answer"], tokens = message.get("id"), stated_tokens(message)
    yield {
        "conversation_id": record.get("sessionId"),
        "message_id": record.get("uuid"),
        "role": role,
        "text": text,
        **context.time_of(record.get("timestamp"), position=context.number),
        "model": message.get("model"),
        **tokens,
    }


CLAUDE_CODE = Shape(
    "claude_code",
    "sessions of Claude Code",
    _is_claude_code,
    _claude_code,
    "A session is a conversation. Answers of tools and of further models that they call have the role tool.",
)

_KEYS_OF_MESSAGES = frozenset({
    "role", "content", "type", "id", "name", "status", "tool_calls", "tool_call_id", "function_call", "refusal",
    "parts", "text", "annotations", "audio", "call_id", "arguments", "output", "summary", "encrypted_content",
    "additional_kwargs", "response_metadata", "object", "phase", "images", "thinking", "reasoning_content",
})  # fmt: skip
"""Keys of messages that name neither a conversation nor a time."""
_CALLS = {"function_call": "assistant", "function_call_output": "tool", "reasoning": "assistant"}
"""Kinds of what stands beside messages in OpenAI's conversations, and who says it."""


def _is_bare(record: Record) -> bool:
    is_said = (isinstance(record.get("role"), str) and is_message(record)) or str(record.get("type")) in _CALLS
    return is_said and record.keys() <= _KEYS_OF_MESSAGES


def _bare(record: Record, context: Context) -> Iterator[Record]:
    """Yield a message of the conversation that the file is; what a model thinks to itself is none."""
    kind = str(record.get("type"))
    if kind == "reasoning":
        return
    role = _CALLS[kind] if kind in _CALLS else speaker(record)
    text = content_text([record]) if kind in _CALLS else message_text(record)
    (place,) = identify(context, context.file.label, [Turn(role, text)])
    yield {
        "conversation_id": context.file.label,
        "message_id": record.get("id") or place.message_id,
        "role": role,
        "text": text,
        **context.time_of(None, position=place.position),
        "sequence": place.position,
    }


BARE = Shape(
    "bare",
    "messages of one conversation",
    _is_bare,
    _bare,
    "The file states neither conversations nor times: it is one conversation, and has the time when it changed.",
)
