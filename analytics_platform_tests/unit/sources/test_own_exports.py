"""Exports of one's own making: lists of messages, and questions beside answers, with other names and other content."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any

import pytest

from analytics_platform.sources.base import SourceError

STATED = "2024-06-20T08:00:00Z"


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def said_by(found) -> list[tuple[str | None, str | None]]:
    return [(row["role"], row["text"]) for row in found.messages]


def times(found) -> list[str]:
    return [f"{row['timestamp']:%H:%M:%S}" for row in found.messages]


TIME_NAMES = ("createdAt", "createTime", "startTime", "started_at", "sent_at", "ts", "datetime")
TIME_VALUES = (STATED, {"$date": STATED}, {"$date": {"$numberLong": "1718870400000"}})
TURNS = {
    "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}],
    "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}],
}
"""The same turns as OpenAI and ShareGPT write them."""


@pytest.fixture(scope="module")
def timed_chats(read_together):
    """Chats with their time under each name, in each form, each in a file of its own."""
    files = {}
    for key, (place, value), (turns, said) in product(TIME_NAMES, enumerate(TIME_VALUES), TURNS.items()):
        name = f"{key}-{place}-{turns}"
        files[f"{name}.jsonl"] = lines({"id": name, "userId": "u7", key: value, turns: said})
    return read_together(files)


@pytest.mark.parametrize("key", TIME_NAMES)
@pytest.mark.parametrize("place", range(len(TIME_VALUES)))
@pytest.mark.parametrize("turns", TURNS)
def test_the_time_of_a_chat_is_read_under_any_usual_name(timed_chats, key, place, turns):
    """Its messages got the time when the file changed."""
    rows = timed_chats[f"{key}-{place}-{turns}.jsonl"]
    assert [f"{row['timestamp']:%H:%M:%S}" for row in rows] == ["08:00:00"] * 2
    assert [row["user_id"] for row in rows] == ["u7", "u7"]


@pytest.mark.parametrize("key", ["createdAt", "sent_at", "ts", "date"])
def test_the_time_of_a_message_in_a_list_is_read_under_any_usual_name(folder, key):
    said_at = [{key: {"$date": STATED}}, {key: "2024-06-20T08:00:09Z"}]
    openai = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
    sharegpt = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}]

    for name, turns in (("messages", openai), ("conversations", sharegpt)):
        record = {"id": "c", name: [turn | time for turn, time in zip(turns, said_at, strict=True)]}
        assert times(folder.rows_of(f"{name}.jsonl", lines(record))) == ["08:00:00", "08:00:09"]


@pytest.mark.parametrize(
    "header",
    [
        "Session ID,Timestamp,Question,Answer,User ID",
        "sessionId,createdAt,userMessage,botMessage,userId",
        "Session,Created,User Question,Bot Answer,Customer",
        "session_id,Erstellt am,User Message,Bot Response,customer_id",
    ],
)
def test_questions_and_answers_are_found_under_names_with_capitals(folder, header):
    """The table was refused, or its times, conversations and customers were lost."""
    found = folder.rows_of("asked.csv", f"{header}\ns1,{STATED},hi?,hello,u\ns1,{STATED},more?,sure,u\n")

    expected = [("user", "hi?"), ("assistant", "hello"), ("user", "more?"), ("assistant", "sure")]
    assert sorted(said_by(found)) == sorted(expected)
    assert times(found) == ["08:00:00"] * 4
    assert {(row["conversation_id"], row["user_id"]) for row in found.messages} == {("s1", "u")}


def test_other_columns_of_a_question_and_its_answer_are_kept(folder):
    header = "session_id,timestamp,question,answer,feedback,channel,Latency MS,csat,model"
    found = folder.rows_of("asked.csv", f"{header}\ns1,{STATED},hi?,hello,thumbs_up,web,230,4,m\n")

    question, answer = sorted(found.messages, key=lambda row: row["role"], reverse=True)
    for row in (question, answer):
        assert json.loads(row["extra"]) == {"feedback": "thumbs_up", "Latency MS": "230"}
        assert row["channel"] == "web"
    assert (question["model"], answer["model"], answer["rating"]) == (None, "m", 4)


@pytest.mark.parametrize(("flag", "of_user", "of_agent"), [("is_inbound", "true", "false"), ("from_agent", "0", "1")])
def test_a_column_type_is_no_role_beside_one_that_says_who_speaks(folder, flag, of_user, of_agent):
    """The words email and text were unknown roles, and every row was put into quarantine."""
    found = folder.rows_of(
        "mails.csv",
        f"ticket_id,type,{flag},body,created_at\n1,email,{of_user},hi,{STATED}\n1,email,{of_agent},yo,{STATED}\n",
    )

    assert sorted(said_by(found)) == [("agent", "yo"), ("user", "hi")]


TOOL_ANSWERS = [
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "22"}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"degrees": 22}}}]},
    {"role": "user", "content": [{"toolResult": {"toolUseId": "x", "content": [{"text": "22"}]}}]},
    {"role": "user", "content": [{"toolResult": {"toolUseId": "x", "content": [{"json": {"degrees": 22}}]}}]},
]


@pytest.mark.parametrize("answer", TOOL_ANSWERS)
def test_an_answer_of_a_tool_is_none_of_the_customer(folder, answer):
    messages = [{"role": "user", "content": "w?"}, answer, {"role": "assistant", "content": "it is 22"}]
    found = folder.rows_of("chat.jsonl", lines({"id": "c", "created_at": STATED, "messages": messages}))

    by_role = {row["role"]: row["text"] for row in found.messages}
    assert list(by_role) == ["user", "tool", "assistant"]
    assert by_role["user"] == "w?"
    assert by_role["tool"] in {"22", '{"degrees": 22}', '[{"degrees": 22}]'}


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"image": {"format": "png", "source": {"bytes": "AAAA"}}}, "[image]"),
        ({"toolUse": {"toolUseId": "x", "name": "f", "input": {}}}, "[tool call: f]"),
        ({"type": "blob", "mime_type": "image/png", "content": "AAAA"}, "[image]"),
        ({"type": "blob", "modality": "audio", "content": "AAAA"}, "[audio]"),
        ({"type": "uri", "modality": "image", "uri": "https://x/AAAA.png"}, "[image]"),
        ({"type": "file", "modality": "image", "file_id": "AAAA"}, "[image]"),
        ({"type": "blob", "content": "AAAA"}, "[file]"),
    ],
)
def test_content_that_is_no_text_becomes_a_marker(folder, part, text):
    """Bedrock's images and OpenTelemetry's blobs were kept as base64."""
    messages = [{"role": "assistant", "content": [{"type": "text", "text": "so"}, part]}]
    found = folder.rows_of("chat.jsonl", lines({"id": "c", "created_at": STATED, "messages": messages}))

    assert said_by(found) == [("assistant", f"so\n{text}")]


@pytest.mark.parametrize(
    "message", [{"content": None, "refusal": "I cannot"}, {"content": None, "audio": {"transcript": "I cannot"}}]
)
def test_a_refusal_and_spoken_words_of_the_assistant_are_its_text(folder, message):
    record = {"id": "c", "created_at": STATED, "messages": [{"role": "assistant", **message}]}

    assert said_by(folder.rows_of("chat.jsonl", lines(record))) == [("assistant", "I cannot")]


def test_an_answer_of_gemini_is_read_out_of_its_candidates(folder):
    candidate = {"content": {"role": "model", "parts": [{"text": "hello"}]}, "finishReason": "STOP"}
    record = {
        "session_id": "g",
        "timestamp": STATED,
        "request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        "response": {"candidates": [candidate]},
    }

    assert sorted(said_by(folder.rows_of("log.jsonl", lines(record)))) == [("assistant", "hello"), ("user", "hi")]


@pytest.mark.parametrize("key", ["session_id", "chat_id", "threadId"])
def test_the_only_conversation_of_a_file_keeps_its_id(folder, key):
    """It lost its id where that was called neither id nor conversation_id."""
    messages = [{"sender": "visitor", "text": "hi", "time": STATED}, {"sender": "agent", "text": "yo", "time": STATED}]
    found = folder.rows_of("chat.json", json.dumps({key: "s9", "messages": messages}))

    assert [row["conversation_id"] for row in found.messages] == ["s9", "s9"]


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("Chat ID,Date,Transcript", '"Visitor: hi\nAgent: yo\nVisitor: bye"'),
        ("Chat ID,Date,Messages", '"[{""role"":""user"",""content"":""hi""},{""role"":""agent"",""content"":""yo""}]"'),
    ],
)
def test_chats_in_a_column_with_a_capital_are_read(folder, header, cell):
    found = folder.rows_of("chats.csv", f"{header}\nL1,2024-06-20,{cell}\n")

    assert said_by(found)[:2] == [("user", "hi"), ("agent", "yo")]
    assert {row["conversation_id"] for row in found.messages} == {"L1"}
    assert {row["timestamp"].isoformat() for row in found.messages} == {"2024-06-20T00:00:00+00:00"}


TIME_COLUMNS = ("message_date", "tstamp", "received", "sent_datetime", "created_at_utc")
SPEAKERS = {"actor_type": ("user", "agent"), "is_from_me": ("0", "1"), "is_user": ("TRUE", "FALSE")}


@pytest.fixture(scope="module")
def named_columns(read_together):
    """Tables with each pair of names, each in a file of its own."""
    files = {}
    for time, (role, (of_user, of_agent)) in product(TIME_COLUMNS, SPEAKERS.items()):
        chat = f"{time}-{role}"
        rows = f"{chat},{of_user},hi,{STATED}\n{chat},{of_agent},yo,{STATED}\n"
        files[f"{chat}.csv"] = f"chat_id,{role},message,{time}\n{rows}"
    return read_together(files)


@pytest.mark.parametrize("time", TIME_COLUMNS)
@pytest.mark.parametrize("role", SPEAKERS)
def test_further_names_of_times_and_speakers_are_known(named_columns, time, role):
    rows = named_columns[f"{time}-{role}.csv"]

    assert sorted((row["role"], row["text"]) for row in rows) == [("agent", "yo"), ("user", "hi")]
    assert [f"{row['timestamp']:%H:%M:%S}" for row in rows] == ["08:00:00"] * 2


def test_a_header_line_in_the_middle_is_no_row(folder):
    """Of tables that were written one after another, the second header was a row with an unknown role."""
    header = "conversation_id,role,text,timestamp\n"
    folder.write("both.csv", f"{header}A,user,hi,{STATED}\n\ufeff{header}B,user,yo,{STATED}\n")
    summary = folder.source("both.csv").summary()

    assert (summary.rows_read, summary.kept, summary.quarantined) == (2, 2, 0)
    assert summary.left_out == {"a repeated header line": 1}


def test_events_without_a_text_are_left_out_and_counted(folder):
    header = "conversation_id,role,text,timestamp,type\n"
    rows = f"A,user,hi,{STATED},comment\nA,agent,,{STATED},close\nA,agent,,{STATED},comment\nA,user,,{STATED},Image\n"
    found = folder.rows_of("events.csv", header + rows)
    summary = folder.source("events.csv").summary()

    assert sorted(said_by(found)) == [("user", "[image]"), ("user", "hi")]
    assert summary.left_out == {"an event without a text": 1}
    assert [(one.reason, one.rows) for one in summary.reasons] == [("missing_text", 1)]


@pytest.mark.parametrize(
    ("words", "roles"),
    [
        (["contact", "user"], ["user", "agent"]),
        (["customer", "user"], ["user", "agent"]),
        (["customer", "user", "bot"], ["user", "user", "assistant"]),
        (["contact", "user", "agent"], ["user", "user", "agent"]),
        (["user", "assistant"], ["user", "assistant"]),
        (["v", "a", "s"], ["user", "agent", "system"]),
        (["u", "a"], ["u", "a"]),
        (["external", "internal"], ["user", "agent"]),
    ],
)
def test_words_mean_the_roles_that_they_have_beside_each_other(said, words, roles):
    rows = "".join(f"1,{word},hi,{STATED}\n" for word in words)

    assert [row["role"] for row in said(f"conversation_id,author_type,body,created_at\n{rows}")] == roles


def test_a_mapping_says_what_a_word_means_whatever_stands_beside_it(folder):
    mapping = folder.write("mapping.yaml", "roles: {user: user}")
    rows = f"1,contact,hi,{STATED}\n1,user,yo,{STATED}\n"
    found = folder.rows_of("a.csv", f"conversation_id,author_type,body,created_at\n{rows}", mapping=mapping)

    assert {row["role"] for row in found.messages} == {"user"}


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("AuthorID,Message,From Agent,Date\n1,hi,false,2024-06-20\n", "it has AuthorID, Date, From Agent, Message;"),
        (
            [{"id": "c", "people": [{"kind": "y"}], "log": [{"whom": 1, "said": "hello there", "at": STATED}]}],
            "{conversation_id: id, role: 'log[].FIELD', text: 'log[].said', timestamp: 'log[].at'}",
        ),
    ],
)
def test_a_refusal_names_what_the_file_has_and_a_mapping_of_it(said, content, refusal):
    """It listed columns that were derived from others, and took the first list and its first field."""
    with pytest.raises(SourceError, match=re.escape(refusal)):
        said(content)
