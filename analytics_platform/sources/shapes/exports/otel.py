"""OpenTelemetry traces and logs of LLM calls: OTLP JSON, and spans one by one.

Three vocabularies say what was written: OpenTelemetry's GenAI conventions (messages as attributes, as span events or as
log events, by version), OpenInference (``llm.input_messages``), and OpenLLMetry (``gen_ai.prompt.0.content``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.identity import Turn, identify
from analytics_platform.sources.shapes.shape import (
    Context,
    Shape,
    content_text,
    derived_id,
    first_of,
    parsed,
    read_literal,
    role_of,
    with_tool_calls,
)

_CONVERSATION = (
    "gen_ai.conversation.id", "session.id", "langfuse.session.id", "thread.id", "conversation.id",
    "traceloop.association.properties.session_id", "traceloop.association.properties.thread_id",
    "ai.telemetry.metadata.sessionId", "ai.telemetry.metadata.threadId", "ai.telemetry.metadata.chatId",
)  # fmt: skip
_USER = (
    "user.id",
    "enduser.id",
    "langfuse.user.id",
    "traceloop.association.properties.user_id",
    "ai.telemetry.metadata.userId",
)
_MODEL = (
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.model_name",
    "llm.response.model",
    "llm.request.model",
    "ai.model.id",
)
_INPUT_TOKENS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "ai.usage.promptTokens",
)
_OUTPUT_TOKENS = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "ai.usage.completionTokens",
)
_INPUTS = re.compile(r"(?:llm\.input_messages|gen_ai\.prompt|llm\.prompts)\.(\d+)\.(.+)")
_OUTPUTS = re.compile(r"(?:llm\.output_messages|gen_ai\.completion|llm\.completions)\.(\d+)\.(.+)")
_EVENT = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
_MOST_SEEN = 2_000_000
"""Messages whose repetition in later calls is recognised; the oldest are forgotten beyond it."""


def fits(record: Record) -> bool:
    """Tell whether a record is an OTLP envelope, a resource of one, or a span with attributes of an LLM call."""
    if any(name in record for name in ("resourceSpans", "resourceLogs", "scopeSpans", "scopeLogs")):
        return True
    if "attributes" in record and ("context" in record or "traceId" in record or "trace_id" in record):
        return True
    return any(name.startswith(("attributes.llm.", "attributes.gen_ai.")) for name in record)


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield the messages of the LLM calls of a record.

    Each call repeats the conversation before it, or its newest messages; a message that an earlier call contains is
    yielded once.
    """
    for span, resource in _spans(record):
        yield from _messages_of(span, resource, context)
    for call, group in groupby(_rows_of_logs(record, context), key=itemgetter(0)):
        # The events of one call follow each other, and may stand in several records.
        if context.memory.get("call") != call:
            context.memory["call"], context.memory["rows"] = call, []
        context.memory["rows"] += (row for _, row in group)
        yield from _new(context.memory["rows"], context)


def _spans(record: Record) -> Iterator[tuple[Record, Record]]:
    for resource in record.get("resourceSpans") or ([record] if "scopeSpans" in record else []):
        shared = flat_attributes((resource.get("resource") or {}).get("attributes"))
        scopes = resource.get("scopeSpans") or resource.get("instrumentationLibrarySpans") or []
        yield from ((span, shared) for scope in scopes for span in scope.get("spans") or [])
    if not record.keys() & {"resourceSpans", "scopeSpans", "resourceLogs", "scopeLogs"}:
        yield record, {}


def _logs(record: Record) -> Iterator[tuple[Record, Record]]:
    for resource in record.get("resourceLogs") or ([record] if "scopeLogs" in record else []):
        shared = flat_attributes((resource.get("resource") or {}).get("attributes"))
        for scope in resource.get("scopeLogs") or []:
            yield from ((log, shared) for log in scope.get("logRecords") or [])


def _messages_of(span: Record, resource: Record, context: Context) -> Iterator[Record]:
    attributes = {**resource, **_span_attributes(span)}
    events = [(event, flat_attributes(event.get("attributes"))) for event in parsed(span.get("events")) or []]
    asked, answered = _from_attributes(attributes)
    for event, values in events:
        more_asked, more_answered = _from_event(str(event.get("name") or ""), values)
        asked += more_asked
        answered += more_answered
    if not answered and not asked:
        return
    trace = (span.get("context") or {}).get("trace_id") or first_of(span, "traceId", "trace_id", "context.trace_id")
    conversation = str(first_of(attributes, *_CONVERSATION) or trace or derived_id(span))
    began = _time(first_of(span, "startTimeUnixNano", "start_time", "startTime"))
    ended = _time(first_of(span, "endTimeUnixNano", "end_time", "endTime"))
    start = context.time_of(began)
    end = context.time_of(ended, began) if ended or began else start
    common = {"conversation_id": conversation, "user_id": first_of(attributes, *_USER)}
    usage = {
        "model": first_of(attributes, *_MODEL),
        "input_tokens": first_of(attributes, *_INPUT_TOKENS),
        "output_tokens": first_of(attributes, *_OUTPUT_TOKENS),
        "cost": first_of(attributes, "gen_ai.usage.cost", "llm.cost.total"),
    }
    rows = [{**common, **start, **_said(message)} for message in asked]
    for position, message in enumerate(answered):
        extra = usage if position == 0 else {"model": usage["model"]}
        rows.append({**common, **extra, **end, **_said(message)})
    yield from _new(rows, context)


def _rows_of_logs(record: Record, context: Context) -> Iterator[tuple[str, Record]]:
    """Yield the messages of the log events of a record, each after the id of its call."""
    for log, resource in _logs(record):
        yield from _rows_of_log(log, resource, context)


def _rows_of_log(log: Record, resource: Record, context: Context) -> Iterator[tuple[str, Record]]:
    attributes = {**resource, **flat_attributes(log.get("attributes"))}
    name = str(log.get("eventName") or attributes.get("event.name") or "")
    body = _value(log.get("body"))
    body = body if isinstance(body, Mapping) else {"content": body} if body else {}
    time = context.time_of(_time(first_of(log, "timeUnixNano", "observedTimeUnixNano", "timestamp")))
    trace = first_of(log, "traceId", "trace_id")
    conversation = str(first_of(attributes, *_CONVERSATION) or trace or derived_id(log))
    common = {"conversation_id": conversation, "user_id": first_of(attributes, *_USER), **time}
    asked, answered = _from_event(name, {**attributes, **_flat(body), **body})
    if not asked and not answered:
        asked, answered = _from_attributes({**attributes, **_flat(body)})
    call = str(first_of(log, "spanId", "span_id") or trace or conversation)
    for message in asked:
        yield call, {**common, **_said(message)}
    for message in answered:
        yield call, {**common, "model": first_of(attributes, *_MODEL), **_said(message)}


def _said(message: Mapping[str, Any]) -> Record:
    """Return who says a message, and its text."""
    text = with_tool_calls(content_text(_content(message)), parsed(message.get("tool_calls")))
    return {"role": role_of(message.get("role")), "text": text}


def _new(rows: Sequence[Record], context: Context) -> Iterator[Record]:
    """Yield the messages of one call that no earlier call had at the same place of the same conversation."""
    seen: dict[str, None] = context.memory.setdefault("seen", {})
    for conversation, group in groupby(rows, key=itemgetter("conversation_id")):
        of_call = list(group)
        turns = [Turn(row["role"], row["text"]) for row in of_call]
        for row, place in zip(of_call, identify(context, conversation, turns, fewest=1), strict=True):
            if place.message_id not in seen:
                seen[place.message_id] = None
                yield {**row, "message_id": place.message_id}
    while len(seen) > _MOST_SEEN:
        seen.pop(next(iter(seen)))


def _content(message: Mapping[str, Any]) -> Any:
    """Return the content of a message: parts of the newer conventions, or text."""
    if "parts" in message:
        return message["parts"]
    return parsed(first_of(message, "content", "contents"))


def _from_attributes(attributes: Record) -> tuple[list[Record], list[Record]]:
    """Return the messages asked and answered that a span's attributes contain."""
    system = parsed(attributes.get("gen_ai.system_instructions"))
    asked = [{"role": "system", "content": system}] if system else []
    asked += _listed(attributes.get("gen_ai.input.messages")) or _indexed(attributes, _INPUTS)
    answered = _listed(attributes.get("gen_ai.output.messages")) or _indexed(attributes, _OUTPUTS)
    if not asked and not answered:
        asked, answered = _of_vercel(attributes)
    for message in answered:
        message.setdefault("role", "assistant")
    if not asked and not answered and str(attributes.get("openinference.span.kind")).upper() == "LLM":
        asked = _single("user", attributes.get("input.value"))
        answered = _single("assistant", attributes.get("output.value"))
    return asked, answered


def _of_vercel(attributes: Record) -> tuple[list[Record], list[Record]]:
    """Return the messages asked and answered of a span of Vercel's AI SDK; the outer span of a call has a prompt."""
    prompt = parsed(attributes.get("ai.prompt"))
    prompt = prompt if isinstance(prompt, Mapping) else {}
    asked = _listed(attributes.get("ai.prompt.messages")) or [
        *_single("system", prompt.get("system")),
        *(_listed(prompt.get("messages")) or _single("user", prompt.get("prompt"))),
    ]
    return asked, _single("assistant", attributes.get("ai.response.text"))


def _single(role: str, value: Any) -> list[Record]:
    return [{"role": role, "content": value}] if value else []


def _from_event(name: str, values: Record) -> tuple[list[Record], list[Record]]:
    """Return the messages asked and answered that an event contains."""
    named = _EVENT.fullmatch(name)
    if named:
        return [{"role": values.get("role") or named.group(1), **values}], []
    if name == "gen_ai.choice":
        message = parsed(values.get("message"))
        message = message if isinstance(message, Mapping) else {"content": message or values.get("content")}
        return [], [{"role": "assistant", **message}]
    if name == "gen_ai.content.prompt":
        prompt = values.get("gen_ai.prompt")
        return _listed(prompt) or _single("user", prompt), []
    if name == "gen_ai.content.completion":
        completion = values.get("gen_ai.completion")
        return [], _listed(completion) or _single("assistant", completion)
    return ([], []) if name != "gen_ai.client.inference.operation.details" else _from_attributes(values)


def _listed(value: Any) -> list[Record]:
    """Return the messages of a list, or of the JSON text of one."""
    value = parsed(value)
    value = [value] if isinstance(value, Mapping) else value
    return [dict(message) for message in value if isinstance(message, Mapping)] if isinstance(value, list) else []


def _indexed(attributes: Record, pattern: re.Pattern[str]) -> list[Record]:
    """Return the messages whose parts are attributes of their own: ``gen_ai.prompt.0.role``."""
    messages: dict[int, Record] = {}
    for name, value in attributes.items():
        match = pattern.fullmatch(name)
        if match:
            part = match.group(2).removeprefix("message.")
            messages.setdefault(int(match.group(1)), {})[part] = value
    return [_joined(messages[index]) for index in sorted(messages)]


def _joined(message: Record) -> Record:
    """Return a message with the texts of its content parts and the names of its tool calls joined."""
    if message.get("content") is None:
        texts = [message[name] for name in sorted(message) if name.endswith("message_content.text")]
        images = ["[image]" for name in message if ".message_content.image" in name]
        if texts or images:
            message["content"] = "\n".join([*map(str, texts), *images])
    calls = [value for name, value in message.items() if re.fullmatch(r"tool_calls\.\d+\.(.*\.)?name", name)]
    if calls and not message.get("tool_calls"):
        message["tool_calls"] = [{"name": name} for name in calls]
    return message


def _span_attributes(span: Record) -> Record:
    attributes = flat_attributes(parsed(span.get("attributes")))
    own = {
        name.removeprefix("attributes."): read_literal(value) if name.endswith("put_messages") else value
        for name, value in span.items()
        if name.startswith("attributes.")
    }
    return {**attributes, **_flat(own)}


def flat_attributes(attributes: Any) -> Record:
    """Return attributes by their dotted names: OTLP's list of keys and typed values, or objects within objects."""
    if isinstance(attributes, list):
        pairs = [(item.get("key"), _value(item.get("value"))) for item in attributes if isinstance(item, Mapping)]
        return {str(key): value for key, value in pairs if key}
    return _flat(attributes) if isinstance(attributes, Mapping) else {}


_STRUCTURED = frozenset({"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"})


def _flat(value: Mapping[str, Any], before: str = "") -> Record:
    flat: Record = {}
    for name, item in value.items():
        path = f"{before}{name}"
        if isinstance(item, list) and item and isinstance(item[0], Mapping) and path not in _STRUCTURED:
            item = {str(index): part for index, part in enumerate(item)}
        if isinstance(item, Mapping) and path not in _STRUCTURED:
            flat.update(_flat(item, f"{path}."))
        else:
            flat[path] = item
    return flat


def _value(value: Any) -> Any:
    """Return the plain value of OTLP's ``{"stringValue": …}``."""
    if not isinstance(value, Mapping):
        return value
    for kind in ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue"):
        if kind in value:
            return value[kind]
    if "arrayValue" in value:
        return [_value(item) for item in (value["arrayValue"] or {}).get("values") or []]
    if "kvlistValue" in value:
        items = (value["kvlistValue"] or {}).get("values") or []
        return {item.get("key"): _value(item.get("value")) for item in items}
    return dict(value)


def _time(value: Any) -> Any:
    """Return a time as ISO 8601: nanoseconds since 1970 to the microsecond, everything else as it is."""
    text = str(value) if value is not None else ""
    if text.isdigit() and len(text) >= 16:
        micros = int(text) // (1000 if len(text) >= 19 else 1)
        return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)).isoformat()
    return value


OTEL = Shape(
    "otel",
    "OpenTelemetry traces of LLM calls",
    fits,
    unfold,
    "A conversation is a session, or else a trace; a message that several calls repeat counts once.",
)
