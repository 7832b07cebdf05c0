"""Exports of programs in the forms that they really have, each of which was read wrongly in silence."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

T = "2024-06-20T08:00:00Z"
CHAT = "[20.06.24, 08:00:00] {name}: hi\n[20.06.24, 08:01:00] Shop: hello\n"


def pairs(rows: list[dict[str, Any]]) -> list[tuple[str | None, str | None]]:
    return [(row["role"], row["text"]) for row in rows]


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_the_zip_of_an_iphone_names_the_chat(folder, everything):
    """Each has a `_chat.txt`: two chats were one conversation."""
    for name in ("Anna", "Bo"):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("_chat.txt", CHAT.format(name=name))
        folder.write(f"WhatsApp Chat - {name}.zip", packed.getvalue())
    rows = everything(folder.source("*.zip")).messages

    assert {(row["conversation_id"], row["user_id"]) for row in rows if row["role"] == "user"} == {
        ("WhatsApp Chat - Anna", "Anna"),
        ("WhatsApp Chat - Bo", "Bo"),
    }


def note(at: int, text: str, *, incoming: bool, private: bool = False) -> dict[str, Any]:
    return {"note": {
        "id": at, "body": text, "incoming": incoming, "private": private, "user_id": 7 if incoming else 8,
        "created_at": f"2024-06-20T08:0{at}:00Z",
    }}  # fmt: skip


TICKET = {
    "id": 5, "requester_id": 7, "description": "one", "created_at": T, "subject": "s",
    "notes": [
        note(1, "two", incoming=False), note(2, "three", incoming=False, private=True), note(3, "four", incoming=True),
    ],
}  # fmt: skip


@pytest.mark.parametrize("content", [{"helpdesk_ticket": TICKET}, [{"helpdesk_ticket": TICKET}], [TICKET]])
def test_a_ticket_of_freshdesk_begins_with_its_description(said, content):
    """Where each note is wrapped, the first message of the customer was lost, and agents were customers."""
    rows = said(content)
    assert pairs(rows) == [("user", "one"), ("agent", "two"), ("system", "three"), ("user", "four")]
    assert {(row["user_id"], row["agent_id"]) for row in rows if row["role"] == "agent"} == {("7", "8")}


@pytest.mark.parametrize(
    "content", [[{"type": "think", "think": "hm"}, {"type": "text", "text": {"value": "two"}}], "two"]
)
@pytest.mark.parametrize("empty", [{"text": ""}, {"text": None}, {}])
def test_an_empty_text_gives_way_to_the_content_beside_it(said, content, empty):
    """Newer answers of LibreChat were empty."""
    asked = {"messageId": "1", "sender": "User", "text": "one", "isCreatedByUser": True, "createdAt": T}
    answer = {"messageId": "2", "sender": "GPT", "content": content, "isCreatedByUser": False, "createdAt": T, **empty}
    tree = {**asked, "children": [{**answer, "children": []}]} if empty else None
    for messages in ([asked, answer], *([[tree]] if tree else [])):
        rows = said({"conversationId": "c", "messages": messages})
        assert pairs(rows) == [("user", "one"), ("assistant", "two")]


ADA = [
    {"_id": f"m{at}", "conversation_id": "c", "created_date": T, "author": {"role": role}, "content": content}
    for at, (role, content) in enumerate([
        ("end_user", {"type": "text", "body": "one"}),
        ("ai_agent", {"type": "text", "body": "two"}),
        ("human_agent", {"type": "text", "body": "three"}),
    ])
]  # fmt: skip


def test_the_body_of_a_content_is_its_text(said):
    """Each text of Ada was `[text]`."""
    assert pairs(said({"data": ADA})) == [("user", "one"), ("assistant", "two"), ("agent", "three")]


@pytest.mark.parametrize(
    "thought",
    [
        {"role": "model", "text": "hm", "isThought": True},
        {"role": "model", "parts": [{"text": "hm", "thought": True}], "thought": True},
    ],
)
def test_a_thought_of_gemini_is_no_answer(said, thought):
    spoken = [{"role": "user", "text": "one"}, thought, {"role": "model", "text": "two"}]
    assert pairs(said({"chunkedPrompt": {"chunks": spoken}})) == [("user", "one"), ("assistant", "two")]


def test_a_thought_within_an_answer_is_left_out(said):
    parts = [{"text": "hm", "thought": True}, {"text": "two"}]
    record = {"id": "c", "contents": [{"role": "user", "parts": [{"text": "one"}]}, {"role": "model", "parts": parts}]}
    assert pairs(said([record])) == [("user", "one"), ("assistant", "two")]


PARTS = [
    {"type": "step-start"},
    {"type": "reasoning", "text": "hm"},
    {"type": "tool-look_up", "input": {}, "output": {"t": 30}},
    {"type": "data-chart", "data": [1]},
    {"type": "text", "text": "two"},
]


@pytest.mark.parametrize("parts", [PARTS, json.dumps(PARTS)])
def test_parts_of_vercel_that_a_mapping_names_are_their_text(folder, parts):
    """Their JSON was the text, with what the model thought."""
    mapping = folder.write("m.yaml", "columns: {conversation_id: chatId, text: parts, timestamp: createdAt}\n")
    rows = [{"chatId": "c", "role": "assistant", "parts": parts, "createdAt": T}]
    found = folder.rows_of("a.json", json.dumps(rows), mapping=mapping)
    assert pairs(found.messages) == [("assistant", "[tool call: look_up]\ntwo")]


BATCH = {
    "in.jsonl": [{"custom_id": "r1", "url": "/v1/chat/completions", "body": {
        "model": "m", "messages": [{"role": "user", "content": "one"}]}}],
    "out.jsonl": [{"id": "batch_1", "custom_id": "r1", "response": {"status_code": 200, "body": {
        "id": "x", "created": 1718870400, "choices": [{"message": {"role": "assistant", "content": "two"}}]}}}],
}  # fmt: skip


def test_the_custom_id_joins_both_files_of_a_batch(said):
    """Questions and answers were conversations of their own."""
    rows = [row for name, records in BATCH.items() for row in said(lines(*records), name)]
    assert [(row["conversation_id"], row["role"]) for row in rows] == [("r1", "user"), ("r1", "assistant")]


def line(uuid: str, role: str, content: Any, minute: int, **more: Any) -> dict[str, Any]:
    message = {
        "role": role,
        "content": content,
        **({"id": "msg_1", "usage": {"output_tokens": 9}} if role != "user" else {}),
    }
    return {
        "parentUuid": None, "sessionId": "s", "isSidechain": False, "type": role, "message": message, "uuid": uuid,
        "timestamp": f"2024-06-20T08:0{minute}:00Z", **more,
    }  # fmt: skip


SESSION = [
    {"type": "summary", "summary": "s", "leafUuid": "z"},
    {"type": "file-history-snapshot", "messageId": "q", "snapshot": {}, "isSnapshotUpdate": False},
    line("0", "user", "<command-name>/clear</command-name>", 0, isMeta=True),
    line("1", "user", "one", 1),
    line("2", "assistant", [{"type": "thinking", "thinking": "hm"}], 2),
    line("3", "assistant", [{"type": "text", "text": "two"}], 2),
    line("4", "assistant", [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}], 3),
    line("5", "user", [{"tool_use_id": "t", "type": "tool_result", "content": "out"}], 4),
    line("6", "user", "look", 5, isSidechain=True),
]


def test_each_line_of_claude_code_is_a_message_of_who_said_it(folder):
    """Lines of one answer were conflicting duplicates, and answers of tools were the customer's."""
    found = folder.rows_of("s.jsonl", lines(*SESSION))

    assert not found.quarantined
    assert pairs(found.messages) == [
        ("system", "<command-name>/clear</command-name>"), ("user", "one"), ("assistant", "two"),
        ("assistant", "[tool call: Bash]"), ("tool", "out"), ("tool", "look"),
    ]  # fmt: skip
    assert [row["output_tokens"] for row in found.messages] == [None, None, 9, None, None, None]
    assert {row["conversation_id"] for row in found.messages} == {"s"}
