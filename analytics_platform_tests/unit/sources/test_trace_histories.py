"""Calls of a language model repeat their conversation as a whole, in part, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest


def said_by(role: str, *texts: str) -> list[dict[str, Any]]:
    return [{"role": role, "parts": [{"type": "text", "content": text}]} for text in texts]


def history(*texts: str) -> list[dict[str, Any]]:
    return [said_by(("user", "assistant")[at % 2], text)[0] for at, text in enumerate(texts)]


def attributes(**values: Any) -> list[dict[str, Any]]:
    return [
        {
            "key": f"gen_ai.{name.replace('_of_', '.')}",
            "value": {"stringValue": value if isinstance(value, str) else json.dumps(value)},
        }
        for name, value in values.items()
    ]


def call(at: int, asked: list[dict[str, Any]], answer: str, *, system: bool = True) -> dict[str, Any]:
    stated = {"conversation_of_id": "c", "input_of_messages": asked, "output_of_messages": said_by("assistant", answer)}
    if system:
        stated["system_instructions"] = [{"type": "text", "content": "S"}]
    if not answer:
        del stated["output_of_messages"]
    return {
        "traceId": f"t{at}", "spanId": f"s{at}", "startTimeUnixNano": str(1718870400 + 60 * at) + "0" * 9,
        "attributes": attributes(**stated),
    }  # fmt: skip


WHOLE = [call(0, history("q1"), "a1"), call(1, history("q1", "a1", "q2"), "a2"),
         call(2, history("q1", "a1", "q2", "a2", "q3"), "a3")]  # fmt: skip
TURNS = ("q1", "a1", "q2", "a2", "q3")
CALLS = {
    "whole histories": WHOLE,
    "the newest turns": [*WHOLE[:2], call(2, history("q2", "a2", "q3"), "a3")],
    "the last answer": [*WHOLE[:2], call(2, [*said_by("assistant", "a2"), *said_by("user", "q3")], "a3")],
    "no history": [call(at, history(f"q{at + 1}"), f"a{at + 1}") for at in range(3)],
    "instructions once": [
        WHOLE[0], *(call(at, history(*TURNS[: 2 * at + 1]), f"a{at + 1}", system=False) for at in (1, 2)),
    ],
    "a call without its answer": [WHOLE[0], call(9, history("q1"), ""), *WHOLE[1:]],
    "a call within a call": [WHOLE[0], WHOLE[0] | {"spanId": "s9"}, *WHOLE[1:]],
}  # fmt: skip


def events(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the calls as log events with a message each, as an older convention writes them."""
    logs = []
    for one in calls:
        stated = {item["key"]: json.loads(item["value"]["stringValue"]) for item in one["attributes"][1:]}
        messages = [*stated["gen_ai.input.messages"], *stated.get("gen_ai.output.messages", [])]
        for at, message in enumerate(messages):
            is_answer = "gen_ai.output.messages" in stated and at == len(messages) - 1
            body = {"content": message["parts"][0]["content"]}
            name = "gen_ai.choice" if is_answer else f"gen_ai.{message['role']}.message"
            logs.append({
                "traceId": one["traceId"], "spanId": one["spanId"], "eventName": name,
                "timeUnixNano": one["startTimeUnixNano"], "attributes": one["attributes"][:1],
                "body": {"kvlistValue": {"values": [
                    {"key": "message" if is_answer else "content", "value": {"stringValue": body["content"]}}]}},
            })  # fmt: skip
    return logs


def envelope(name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = {"spans": ("resourceSpans", "scopeSpans"), "logRecords": ("resourceLogs", "scopeLogs")}
    of_resources, of_scopes = kinds[name]
    return {of_resources: [{"resource": {"attributes": []}, of_scopes: [{"scope": {}, name: items}]}]}


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("written", ["spans", "a record per span", "events", "a record per event"])
def test_each_message_of_a_conversation_counts_once(said, kind, written):
    """Calls that send only the newest turns, or instructions only once, counted what they repeat again."""
    name, items = ("spans", CALLS[kind]) if "span" in written else ("logRecords", events(CALLS[kind]))
    records = [envelope(name, [item]) for item in items] if "record" in written else [envelope(name, items)]
    rows = said("\n".join(map(json.dumps, records)), "a.jsonl")

    assert [row["text"] for row in rows if row["role"] != "system"] == ["q1", "a1", "q2", "a2", "q3", "a3"]
    assert len({row["message_id"] for row in rows}) == len(rows)
