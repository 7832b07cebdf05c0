"""What all shapes share: the protocol, text of content parts, times, and derived identifiers."""

from __future__ import annotations

import ast
import contextlib
import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.row_rules.role_words import default_role_words, plain_word


@dataclass
class Context:
    """What a shape knows beside the record.

    Attributes:
        file: The file.
        number: Number of the record within the file, from 1.
        memory: What a shape keeps between the records of one file.
        neighbours: The records that were read together with the record, itself among them.
        untimed: Number of messages that got their time from the file.
        shared_times: Number of messages that got the time of their conversation.
        internal_notes: Number of notes that the customer does not see.
        unfolds: Whether a record so far became several rows.
    """

    file: SourceFile
    number: int = 0
    memory: dict[str, Any] = field(default_factory=dict)
    neighbours: Sequence[Record] = ()
    untimed: int = 0
    shared_times: int = 0
    internal_notes: int = 0
    unfolds: bool = False

    def time_of(self, own: Any, of_conversation: Any = None, position: int = 0) -> Record:
        """Return the columns ``timestamp`` and ``time_source`` of a message.

        Args:
            own: The message's own time; None or empty if the file states none.
            of_conversation: The time of its conversation, its record or its question; None if there is none.
            position: Number of messages before it in its conversation. Without any time, the message gets the time
                when the file changed, plus 1 ms per message before.
        """
        own, of_conversation = unwrapped_time(own), unwrapped_time(of_conversation)
        if own not in (None, ""):
            return {"timestamp": own}
        if of_conversation not in (None, ""):
            self.shared_times += 1
            return {"timestamp": of_conversation, "time_source": "conversation"}
        self.untimed += 1
        return {"timestamp": self.file_time(position), "time_source": "file"}

    def file_time(self, position: int) -> str:
        """Return the time when the file changed, plus 1 ms for each of ``position`` messages, in ISO 8601."""
        return _time_by_place(self.file.modified_ns // 10**9, position)


def unwrapped_time(value: Any) -> Any:
    """Return the time within MongoDB's ``{"$date": ...}``, which may hold ``{"$numberLong": ...}``."""
    while isinstance(value, Mapping) and len(value) == 1 and next(iter(value)).startswith("$"):
        value = next(iter(value.values()))
    return value


@lru_cache(maxsize=4096)
def _time_by_place(seconds: int, position: int) -> str:
    changed = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return (changed + dt.timedelta(milliseconds=position)).isoformat()


@dataclass(frozen=True)
class Shape:
    """One shape of export.

    Attributes:
        name: Value of ``ANALYTICS_SOURCE_FORMAT``.
        title: Name in messages, such as ``ChatGPT export``.
        fits: Tells whether a record has the shape.
        unfold: Yields the record's messages; their keys are input columns, and further columns to keep.
        hint: What a reader should know about conversations, times and roles of this shape.
    """

    name: str
    title: str
    fits: Callable[[Record], bool]
    unfold: Callable[[Record, Context], Iterable[Record]]
    hint: str = ""


def role_of(word: Any) -> str | None:
    """Return our role for a format's word; an unknown word stays as it is."""
    return None if word is None else _role_of_text(str(word))


@lru_cache(maxsize=4096)
def _role_of_text(word: str) -> str:
    text = word.strip()
    return default_role_words().get(plain_word(text), text)


def content_text(content: Any) -> str | None:
    """Return the text of a message's content; images, files and tool calls become markers in brackets.

    Args:
        content: A text, a list of content parts as OpenAI, Anthropic and ChatGPT write them, or one part.
    """
    if content is None or isinstance(content, str):
        return written_parts(content) if content else content
    if isinstance(content, Mapping):
        return _part_text(content)
    if isinstance(content, list):
        texts = [text for part in content if (text := content_text(part))]
        return "\n".join(texts) if texts or not content else None
    return str(content)


def written_parts(text: str) -> str:
    """Return the text of content parts that a program wrote as JSON, or as Python shows them.

    Args:
        text: The content of a message; one that is nothing of the kind is returned as it is.
    """
    if not _WRITTEN_PARTS.match(text):
        return text
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        try:
            content = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return text
    parts = content if isinstance(content, list) else [content]
    if not all(isinstance(part, Mapping) and _is_part_type(part.get("type")) for part in parts):
        return text
    return content_text(parts) or ""


WRITTEN_PARTS = r"^\s*(?:\[\s*)?\{(?:.*[,{])?\s*[\"']type[\"']\s*:"
"""A text that does not match this pattern, of Python and RE2, is not the JSON of content parts."""
_WRITTEN_PARTS = re.compile(WRITTEN_PARTS)
_PART_TYPES = frozenset({
    "text", "input_text", "output_text", "refusal", "image_url", "image", "input_image", "output_image", "image_file",
    "input_audio", "output_audio", "audio", "audio_url", "video", "video_url", "file", "input_file", "document",
    "tool_use", "tool_call", "function_call", "server_tool_use", "tool_result", "function_call_output",
    "tool_call_response", "thinking", "redacted_thinking", "reasoning", "dynamic-tool", "step-start", "source-url",
    "source-document",
})  # fmt: skip
"""Types of content parts; a tool's answer has objects with types of its own."""
_TOOL_PREFIX, _DATA_PREFIX = "tool-", "data-"
"""Begin the types of Vercel's parts of a tool and of a program."""
_TEXT_KEYS = ("text", "content", "value", "body", "refusal", "transcript", "output_text", "input_text")


def _is_part_type(kind: Any) -> bool:
    return isinstance(kind, str) and (kind in _PART_TYPES or kind.startswith((_TOOL_PREFIX, _DATA_PREFIX)))


def _part_text(part: Mapping[str, Any]) -> str | None:
    kind = str(part.get("type") or part.get("content_type") or "")
    marker = _marker(kind, part)
    if marker is not None:
        return marker
    if "parts" in part:
        return content_text(part["parts"])
    for key in _TEXT_KEYS:
        if isinstance(part.get(key), (str, list, Mapping)):
            return content_text(part[key])
    return f"[{kind}]" if kind else None


def _marker(kind: str, part: Mapping[str, Any]) -> str | None:
    has_image = not kind and isinstance(part.get("image"), Mapping)  # as Bedrock writes it
    is_image = kind == "file" and str(part.get("mediaType") or part.get("mimeType")).startswith("image/")  # Vercel's
    if "image" in kind or has_image or is_image or "inlineData" in part or "inline_data" in part:
        return "[image]"
    if kind.startswith(_TOOL_PREFIX) or kind == "dynamic-tool":
        return f"[tool call: {part.get('toolName') or kind.removeprefix(_TOOL_PREFIX)}]"
    if kind in _TOOL_CALLS or "functionCall" in part or "toolUse" in part:
        called = next((part[name] for name in _CALLED if isinstance(part.get(name), Mapping)), part)
        return f"[tool call: {called.get('name') or 'unnamed'}]"
    answer = first_of(part, *_TOOL_ANSWERS)
    if isinstance(answer, Mapping) and not kind:
        return _tool_answer(answer)
    if kind in {"tool_result", "function_call_output", "tool_call_response"}:
        return content_text(part.get("content") or part.get("output") or part.get("response") or part.get("result"))
    if kind in {"blob", "uri"} or (kind == "file" and part.get("modality")):  # OpenTelemetry's
        return f"[{part.get('modality') or str(part.get('mime_type') or 'file').partition('/')[0]}]"
    if "audio" in kind and "transcri" not in kind:
        return str(part.get("transcript") or "[audio]")
    if "video" in kind:
        return "[video]"
    if kind in {"file", "input_file", "document", "attachment"}:
        file = part["file"] if isinstance(part.get("file"), Mapping) else part
        name = file.get("filename") or file.get("name") or file.get("title")
        return f"[file: {name}]" if name else "[file]"
    return "" if kind in _UNSAID or kind.startswith(_DATA_PREFIX) or is_thought(part) else None


def is_thought(part: Mapping[str, Any]) -> bool:
    """Tell whether a message or a part of one is what Gemini thinks to itself."""
    return part.get("thought") is True or part.get("isThought") is True


_UNSAID = frozenset({
    "thinking", "think", "redacted_thinking", "reasoning", "thoughts", "step-start", "source-url", "source-document",
})  # fmt: skip
"""Kinds of parts that a model shows to nobody, or that say nothing."""
_TOOL_CALLS = frozenset({"tool_use", "tool_call", "function_call", "server_tool_use"})
_CALLED = ("functionCall", "toolUse", "function", "tool_call")
"""Keys of the object that names the tool that a part calls."""
_TOOL_ANSWERS = ("functionResponse", "toolResult")
"""Keys of a tool's answer: Gemini's and Bedrock's."""


def _tool_answer(answer: Mapping[str, Any]) -> str | None:
    """Return the text of what a tool answered; of an answer that is no text, its JSON."""
    value = first_of(answer, "content", "response")
    if isinstance(value, list):
        value = [part.get("json", part) if isinstance(part, Mapping) else part for part in value]
    text = content_text(value) if isinstance(value, str | list) else None
    return text or json.dumps(value, ensure_ascii=False)


def with_tool_calls(text: str | None, calls: Any) -> str | None:
    """Return an assistant's text with a marker for each tool that it calls.

    Args:
        text: The message's own text.
        calls: A list of calls as OpenAI writes them.
    """
    names = [
        f"[tool call: {((call.get('function') or call).get('name')) or 'unnamed'}]"
        for call in calls or []
        if isinstance(call, Mapping)
    ]
    return "\n".join([*([text] if text else []), *names]) if names else text


def is_message(value: Any) -> bool:
    """Tell whether a value is a message with a speaker and content, as OpenAI, Gemini or LangChain write it."""
    if not isinstance(value, Mapping):
        return False
    if "role" in value:
        return any(key in value for key in ("content", "parts", "tool_calls", "text"))
    return str(value.get("type")) in _SPEAKERS and "content" in _of_langchain(value)


def _of_langchain(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the object that has a message's content, which LangChain stores in ``data``."""
    inner = message.get("data")
    return inner if isinstance(inner, Mapping) else message


_SPEAKERS = frozenset({"human", "ai", "system", "tool", "chat", "function"})


def speaker(message: Mapping[str, Any]) -> str | None:
    """Return our role for who says a message; the answers of tools stand under the customer's role."""
    parts = message.get("content") or message.get("parts")
    if isinstance(parts, list) and parts and all(map(_is_tool_answer, parts)):
        return "tool"
    return role_of(message["role"] if "role" in message else message.get("type"))


def _is_tool_answer(part: Any) -> bool:
    return isinstance(part, Mapping) and (
        part.get("type") == "tool_result" or any(isinstance(part.get(name), Mapping) for name in _TOOL_ANSWERS)
    )


def message_text(message: Mapping[str, Any]) -> str | None:
    """Return the text of a message, with markers for its images, files and tool calls."""
    if "data" in message and "role" not in message:
        message = _of_langchain(message)
    content = message.get("content")
    if isinstance(content, str) and "tool_calls" not in message:
        return written_parts(content)
    if content is None:
        content = first_of(message, "parts", "text", "refusal")
    if content is None and isinstance(message.get("audio"), Mapping):
        content = message["audio"].get("transcript")
    return with_tool_calls(content_text(content), message.get("tool_calls"))


def is_list_of(value: Any, test: Callable[[Any], bool]) -> bool:
    """Tell whether a value is a list that is not empty and whose first item passes a test."""
    return isinstance(value, list) and bool(value) and test(value[0])


def first_of(record: Mapping[str, Any], *names: str) -> Any:
    """Return the first value that is there, of several keys; None if there is none."""
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)


def derived_id(*parts: Any) -> str:
    """Return an identifier of 32 characters that depends on the parts only."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def parsed(value: Any) -> Any:
    """Return the object of a JSON text; any other value as it is."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):  # no JSON, or nested too deeply
            return value
    return value


def read_literal(value: Any) -> Any:
    """Return the object of a JSON text, or of a list or an object as Python shows it; any other value as it is."""
    read = parsed(value)
    if isinstance(read, str) and read.startswith(("[{'", "{'")):
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return ast.literal_eval(read)
    return read


def plain_values(record: Mapping[str, Any], but: Iterable[str] = ()) -> Record:
    """Return the values of a record that are no objects and no lists.

    Args:
        record: The record.
        but: Keys to leave out.
    """
    left_out = set(but)
    return {
        name: value
        for name, value in record.items()
        if name not in left_out and not isinstance(value, (Mapping, list)) and value is not None
    }
