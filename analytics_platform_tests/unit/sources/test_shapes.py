"""Each shape of export yields its messages: who said what when, in which conversation."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from analytics_platform.sources.file_reading.file_rows import read_rows
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.file_reading.recognised import Recognised
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.shapes.catalogue import SHAPES

CASES = Path(__file__).parent / "cases"
TWO_CALLS = [
    ("user", "Is it open?"),
    ("assistant", "Yes, until nine."),
    ("user", "And on Sunday?"),
    ("assistant", "Closed on Sundays."),
]


def read(path: Path | str) -> tuple[list[dict[str, str | None]], Recognised]:
    recognised = Recognised()
    rows = []
    for file in find_files(str(CASES / path)):
        for _, batch in read_rows(file, FieldMapping(), recognised):
            assert batch.problems == {}
            rows += pa.table(dict(batch.columns)).to_pylist()
    return rows, recognised


def said(rows: list[dict[str, str | None]]) -> list[tuple[str | None, str | None]]:
    return [(row["role"], row["text"]) for row in rows]


@pytest.mark.parametrize(
    ("path", "name", "conversations", "messages"),
    [
        (
            "claude_export/conversations.json",
            "claude",
            {"cl-1"},
            [
                ("user", "How long do lentils cook?\n[file: recipe.pdf]"),
                ("assistant", "About 25 minutes.\n[tool call: web_search]"),
            ],
        ),
        (
            "sharegpt/sharegpt.json",
            "sharegpt",
            {"sg-1", "sg-2"},
            [
                ("user", "Write a haiku"),
                ("assistant", "Rain on the tin roof"),
                ("user", "Another one"),
                ("assistant", "Snow on the still pond"),
                ("system", "Be brief."),
                ("user", "Hi"),
                ("assistant", "Hello"),
            ],
        ),
        (
            "langfuse/observations.json",
            "exchanges",
            {"se-1"},
            [
                ("user", "Where is my order?"),
                ("assistant", "It arrives today."),
                ("user", "Thanks!"),
                ("assistant", "You are welcome."),
            ],
        ),
        (
            "langwatch/traces.jsonl",
            "exchanges",
            {"th-1"},
            [("user", "Do you ship to Malta?"), ("assistant", "Yes, in five days.")],
        ),
        (
            "zendesk/tickets.json",
            "zendesk",
            {"35436"},
            [("user", "My lamp is broken"), ("system", "known fault, see wiki"), ("agent", "We send a new one.")],
        ),
        (
            "intercom_conversations/conversations.json",
            "intercom",
            {"in-1"},
            [
                ("user", "<p>Where is my invoice?</p>"),
                ("assistant", "<p>A moment please.</p>"),
                ("system", "<p>ask billing</p>"),
                ("agent", "<p>Sent again.</p>"),
            ],
        ),
        (
            "chatwoot_conversations/conversations.json",
            "chatwoot",
            {"88"},
            [
                ("user", "Is the shop open?"),
                ("assistant", "We are!"),
                ("system", "regular customer"),
                ("user", "[image]"),
            ],
        ),
        ("lmsys/train.parquet", "messages", {"lm-1"}, [("user", "Tell me a joke"), ("assistant", "Knock knock.")]),
        ("otel/genai_attributes.json", "otel", {"conv-1"}, TWO_CALLS),
        ("otel/genai_span_events.json", "otel", {"conv-1"}, TWO_CALLS),
        ("otel/genai_log_events.json", "otel", {"conv-1"}, TWO_CALLS),
        ("otel/openllmetry.json", "otel", {"conv-1"}, TWO_CALLS),
        ("otel/openinference.jsonl", "otel", {"conv-1"}, TWO_CALLS),
    ],
)
def test_a_shape_is_recognised_and_unfolded(path, name, conversations, messages):
    rows, recognised = read(path)

    assert recognised.shape == next(shape.title for shape in SHAPES if shape.name == name)
    assert said(rows) == messages
    assert {row["conversation_id"] for row in rows} == conversations
    assert len({row["message_id"] for row in rows}) == len(rows)
    assert all(row["timestamp"] for row in rows)


def test_langfuse_states_tokens_cost_and_the_time_of_the_answer():
    rows, _ = read("langfuse/observations.json")

    answer = rows[1]
    assert (answer["model"], answer["input_tokens"], answer["output_tokens"], answer["cost"]) == (
        "gpt-4o",
        "12",
        "5",
        "0.0002",
    )
    assert (rows[0]["timestamp"], answer["timestamp"]) == ("2024-06-20T08:00:00.000Z", "2024-06-20T08:00:02.500Z")


def test_otel_keeps_microseconds_tokens_and_users():
    rows, _ = read("otel/openinference.jsonl")

    assert rows[0]["timestamp"] == "2024-06-20T08:00:00.123456+00:00"
    assert (rows[1]["input_tokens"], rows[1]["output_tokens"], rows[1]["model"]) == ("8", "5", "gpt-4o")
    assert {row["user_id"] for row in rows} == {"u-3"}


def test_internal_notes_name_no_agent():
    """The author of a note became the conversation's agent."""
    for path in ("zendesk/tickets.json", "intercom_conversations/conversations.json"):
        rows, _ = read(path)
        assert [row["agent_id"] for row in rows if row["role"] == "system"] == [None]


@pytest.mark.parametrize(
    ("name", "messages", "times"),
    [
        (
            "WhatsApp Chat with Mia.txt",
            [
                ("system", "Nachrichten und Anrufe sind Ende-zu-Ende-verschlüsselt."),
                ("user", "Ist die Jacke noch da?\nGröße M bitte"),
                ("agent", "[media]"),
                ("agent", "Ja: noch zwei"),
            ],
            ["2024-06-20T09:58:00", "2024-06-20T09:58:00", "2024-06-20T10:02:00", "2024-06-20T10:03:00"],
        ),
        (
            "iphone_de_chat.txt",
            [("user", "Hallo"), ("agent", "Guten Tag")],
            ["2024-06-20T09:58:12", "2024-06-20T09:58:40"],
        ),
        (
            "spanish_chat.txt",
            [("user", "Hola"), ("agent", "Buenas tardes")],
            ["2024-06-20T09:58:00", "2024-06-20T13:05:00"],
        ),
    ],
)
def test_whatsapp_dates_of_several_locales(name, messages, times):
    rows, _ = read(f"whatsapp_locales/{name}")

    assert said(rows) == messages
    assert [row["timestamp"] for row in rows] == times


def test_the_zip_of_chatgpt_is_read_without_its_companions(tmp_path):
    """A zip was of no known format."""
    export = tmp_path / "export"
    shutil.copytree(CASES / "chatgpt_export", export, ignore=shutil.ignore_patterns("*.jsonl"))
    (export / "user.json").write_text(json.dumps({"id": "user-1"}))
    (export / "message_feedback.json").write_text("[]")
    (export / "conversation_asset_file_names.json").write_text(json.dumps({"file-1": "a.png"}))
    (export / "chat.html").write_text("<html></html>")

    rows, recognised = read(shutil.make_archive(str(tmp_path / "packed"), "zip", export))

    assert len(rows) == 5
    assert recognised.compression == ("zip",)
    assert recognised.shape == "ChatGPT export"


def test_a_record_of_another_shape_is_one_unreadable_row(folder):
    """One odd record must not cost the file, and must not vanish."""
    records = [{"messages": [{"role": "user", "content": "hi"}], "timestamp": "2024-01-05"}] * 3 + [
        {"messages": "gone"}
    ]

    found = folder.rows_of("a.jsonl", "\n".join(map(json.dumps, records)))

    assert len(found.messages) == 3
    assert found.reasons == {4: "unreadable_row"}


def test_messages_without_a_time_say_so(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        json.dumps({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]})
    )

    rows, recognised = read(path)

    first, second = (dt.datetime.fromisoformat(row["timestamp"]) for row in rows)
    assert second - first == dt.timedelta(milliseconds=1)
    assert any("state no time" in note for note in recognised.notes)


TELEGRAM = {
    "name": "Mia",
    "type": "personal_chat",
    "id": 77,
    "messages": [
        {"id": 1, "type": "service", "date": "2024-06-20T08:00:00", "actor_id": "user1", "action": "create",
         "text": ""},
        {"id": 2, "type": "message", "date": "2024-06-20T08:00:00", "date_unixtime": "1718870400", "from": "Mia",
         "from_id": "user1", "text": ["See ", {"type": "link", "text": "example.com"}], "photo": "a.jpg"},
        {"id": 3, "type": "message", "date": "2024-06-20T08:01:00", "from": "Shop", "from_id": "user2", "text": "Yes"},
    ],
}  # fmt: skip
DISCORD = {
    "guild": {"id": "1"},
    "channel": {"id": "5", "name": "help"},
    "messages": [
        {"id": "1", "type": "Default", "timestamp": "2024-06-20T08:00:00+00:00", "content": "Is it down?",
         "author": {"id": "u1", "name": "kim", "isBot": False}, "attachments": []},
        {"id": "2", "type": "Default", "timestamp": "2024-06-20T08:00:01+00:00", "content": "Ticket opened",
         "author": {"id": "b1", "name": "bot", "isBot": True}, "attachments": [{"fileName": "a.png"}]},
        {"id": "3", "type": "Reply", "timestamp": "2024-06-20T08:02:00+00:00", "content": "Fixed",
         "author": {"id": "u2", "name": "amy", "isBot": False}, "attachments": []},
    ],
}  # fmt: skip
TIME = "2024-06-20T08:00:00Z"
TOLD = [("system", "[create]"), ("user", "See example.com\n[photo]"), ("agent", "Yes")]
ANSWERED = [("user", "Hi"), ("assistant", "Hello")]


@pytest.mark.parametrize(
    ("record", "messages"),
    [
        (TELEGRAM, TOLD),
        ({"chats": {"list": [TELEGRAM]}}, TOLD),
        (DISCORD, [("user", "Is it down?"), ("assistant", "Ticket opened\n[file: a.png]"), ("agent", "Fixed")]),
        (  # Gemini
            {"contents": [
                {"role": "user", "parts": [{"text": "Hi"}]}, {"role": "model", "parts": [{"text": "Hello"}]},
            ]},
            ANSWERED,
        ),
        (  # LangChain
            {"messages": [{"type": "human", "content": "Hi"}, {"type": "ai", "content": "Hello"}], "session_id": "s"},
            ANSWERED,
        ),
        (  # Anthropic
            {
                "model": "claude",
                "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
                "response": {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
            },
            ANSWERED,
        ),
        (  # a logged request of OpenAI
            {"request": {"messages": [{"role": "user", "content": "Hi"}]}, "time": TIME,
             "response": {"body": {"choices": [{"message": {"role": "assistant", "content": "Hello"}}]}}},
            ANSWERED,
        ),
        ({"instruction": "Hi", "input": "", "output": "Hello"}, ANSWERED),
        ({"prompt": "Hi", "completion": "Hello", "created_at": TIME}, ANSWERED),
        (  # LangSmith
            {"id": "r", "inputs": {"messages": [{"role": "user", "content": "Hi"}]}, "outputs": {"output": "Hello"},
             "start_time": TIME, "end_time": TIME},
            ANSWERED,
        ),
    ],
)  # fmt: skip
def test_further_exports_are_recognised(tmp_path, record, messages):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([record]))

    assert said(read(path)[0]) == messages


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("name", ["zendesk/tickets.json", "intercom_conversations/conversations.json"])
def test_an_answer_of_an_interface_on_one_line_is_read_as_over_several_lines(tmp_path, name, end):
    """A list of tickets within one object was refused on one line, and read when it was indented."""
    indented, recognised = read(name)
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps(json.loads((CASES / name).read_text())) + end)

    on_one_line, recognised_on_one_line = read(answer)

    assert on_one_line == indented
    assert len(on_one_line) > 1
    assert recognised_on_one_line.shape == recognised.shape


def test_the_only_message_of_a_file_may_have_a_list_of_objects(folder):
    """A list beside the text of a message, such as its attachments, is no list of messages."""
    message = {"conversation_id": "1", "role": "user", "text": "hi", "timestamp": "2024-06-20", "items": [{"a": 1}]}

    assert [row["text"] for row in folder.rows_of("a.jsonl", json.dumps(message)).messages] == ["hi"]
