"""Exports of help desks, phones and logs of language models in the forms in which their services write them."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.locating import locate_files

T = "2024-06-20T08:00:00Z"
Said = list[tuple[str | None, str | None]]


def pairs(rows: list[dict[str, Any]]) -> Said:
    return [(row["role"], row["text"]) for row in rows]


THREAD = {"type": "email", "preview": "hi …", "createdAt": T, "createdBy": {"id": 7, "type": "customer"}}
THREADS = [
    {"id": 2, "type": "message", "body": "yo", "createdBy": {"id": 4, "type": "user"}, "createdAt": T},
    {"id": 1, "type": "customer", "body": "hi", "createdBy": {"id": 7, "type": "customer"}, "createdAt": T},
]
PARTS = [
    {"type": "step-start"},
    {"type": "reasoning", "text": "hidden"},
    {"type": "tool-find"},
    {"type": "text", "text": "yo"},
]
CHAT = {"id": "c", "type": "chat", "timestamp": T, "history": [
    {"type": "chat.msg", "sender_type": "Visitor", "msg": "hi", "timestamp": T},
    {"type": "chat.msg", "sender_type": "Agent", "msg": "yo", "timestamp": T},
]}  # fmt: skip
LEFT = {"id": "d", "type": "offline_msg", "timestamp": T, "message": "call me", "history": None}
ACTIVITIES = {"activities": [
    {"type": "trace", "timestamp": 1718870400, "value": {}},
    {"type": "message", "timestamp": 1718870400, "from": {"id": "b", "role": 0}, "text": "hi, I am a bot"},
    {"type": "message", "timestamp": 1718870409, "from": {"id": "u", "role": 1}, "text": "reset"},
]}  # fmt: skip


def cells(**values: Any) -> str:
    """Return a CSV of one row with JSON in its cells."""
    written = (value if isinstance(value, str) else json.dumps(value) for value in values.values())
    return ",".join(values) + "\n" + ",".join('"' + one.replace('"', '""') + '"' for one in written) + "\n"


WRITTEN: dict[str, tuple[Any, Said]] = {
    "Help Scout's page": (
        {"_embedded": {"conversations": [{"id": 5, **THREAD, "_embedded": {"threads": THREADS}}]}, "page": {"size": 1}},
        [("agent", "yo"), ("user", "hi")],
    ),
    "Help Scout's list": ([{"id": 5, **THREAD, "threads": THREADS}], [("agent", "yo"), ("user", "hi")]),
    "Zendesk Chat with a message left offline": (
        {"chats": [CHAT, LEFT], "count": 2}, [("user", "hi"), ("agent", "yo"), ("user", "call me")],
    ),
    "Copilot Studio by Dataverse": (
        cells(conversationtranscriptid="c", conversationstarttime=T, content=ACTIVITIES),
        [("assistant", "hi, I am a bot"), ("user", "reset")],
    ),
    "Vercel's table": (
        cells(id="m", chatId="c", role="assistant", parts=PARTS, createdAt=T), [("assistant", "[tool call: find]\nyo")],
    ),
    "Vercel's rows": (
        [{"id": "m", "chatId": "c", "role": "assistant", "parts": PARTS, "createdAt": T}],
        [("assistant", "[tool call: find]\nyo")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("service", WRITTEN)
def test_messages_of_services_are_read(said, service):
    """They were refused: the record that holds the messages, or a part of a text, was taken for a message."""
    content, expected = WRITTEN[service]
    assert pairs(said(content)) == expected


@pytest.mark.parametrize("name", ["Conversa do WhatsApp com Bia.txt", "Bia ile WhatsApp Sohbeti.txt"])
def test_a_chat_of_a_phone_is_read_whatever_its_language_calls_it(tmp_path, name):
    """Only texts with "chat" in their name were read of a folder or a zip."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, "20/06/2024 08:00 - Bia: oi\n20/06/2024 08:01 - Ana: oi\n")
        archive.writestr("notes.txt", "20/06/2024 08:00 is when it began\n")
    assert [file.label for file in locate_files(str(tmp_path / "a.zip")).files] == [name]


ASKED = [{"role": "user", "content": "hi"}]
USED = {"prompt_tokens": 10, "completion_tokens": 5}
CHOICES = {"model": "gpt-4o-1", "choices": [{"message": {"role": "assistant", "content": "yo"}}], "usage": USED}
DETAILS = ("conversation_id", "user_id", "model", "input_tokens", "output_tokens", "cost")
LOGGED: dict[str, tuple[Any, tuple[str | None, ...]]] = {
    "OpenAI": (
        {"timestamp": T, "session_id": "s", "user": "u", "request": {"model": "gpt-4o", "messages": ASKED},
         "response": CHOICES},
        ("s", "u", "gpt-4o-1", "10", "5", None),
    ),
    "Anthropic": (
        {"timestamp": T, "session_id": "s", "request": {"messages": ASKED, "metadata": {"user_id": "u"}},
         "response": {"role": "assistant", "model": "claude", "content": [{"type": "text", "text": "yo"}],
                      "usage": {"input_tokens": 10, "output_tokens": 5}}},
        ("s", "u", "claude", "10", "5", None),
    ),
    "Bedrock": (
        {"timestamp": T, "requestId": "s", "modelId": "claude",
         "input": {"inputBodyJson": {"messages": ASKED}, "inputTokenCount": 10},
         "output": {"outputBodyJson": {"output": {"message": {"role": "assistant", "content": [{"text": "yo"}]}}},
                    "outputTokenCount": 5}},
        ("s", None, "claude", "10", "5", None),
    ),
    "LiteLLM": (
        cells(request_id="r", call_type="acompletion", spend="0.5", startTime=T, model="gpt-4o", user="default_user_id",
              end_user="u", session_id="s", messages=ASKED, response=CHOICES),
        ("s", "u", "gpt-4o", "10", "5", "0.5"),
    ),
    "PostHog": (
        [{"event": "$ai_generation", "distinct_id": "u", "timestamp": T, "properties": {
            "$ai_session_id": "s", "$ai_model": "gpt-4o", "$ai_input": ASKED, "$ai_input_tokens": 10,
            "$ai_output_choices": [{"role": "assistant", "content": "yo"}], "$ai_output_tokens": 5,
            "$ai_total_cost_usd": 0.5}}],
        ("s", "u", "gpt-4o", "10", "5", "0.5"),
    ),
    "Helicone": (
        {"request_id": "r", "request_created_at": T, "request_user_id": "u", "response_model": "gpt-4o",
         "request_properties": {"Helicone-Session-Id": "s"}, "request_body": {"messages": ASKED},
         "response_body": CHOICES, "cost_usd": 0.5},
        ("s", "u", "gpt-4o", "10", "5", "0.5"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("service", LOGGED)
def test_answers_of_logged_requests_keep_what_they_cost(said, service):
    """Customer, model, tokens or cost were lost, so that the costs of models were empty."""
    content, expected = LOGGED[service]
    question, answer = said(content)
    assert (question["text"], answer["text"], question["user_id"]) == ("hi", "yo", expected[1])
    assert tuple(answer.get(name) for name in DETAILS) == expected


PEOPLE: dict[str, tuple[Any, list[tuple[str, str | None, str | None]]]] = {
    "HubSpot": (
        {"results": [
            {"id": "1", "conversationsThreadId": "4", "createdAt": T, "direction": "INCOMING", "text": "hi",
             "client": {"clientType": "HUBSPOT"}, "createdBy": "V-1", "status": {"statusType": "SENT"}},
            {"id": "2", "conversationsThreadId": "4", "createdAt": T, "direction": "OUTGOING", "text": "yo",
             "client": {"clientType": "HUBSPOT"}, "createdBy": "A-7", "status": {"statusType": "SENT"}},
        ]},
        [("user", "V-1", None), ("agent", None, "A-7")],
    ),
    "Crisp": (
        {"data": [
            {"session_id": "s", "type": "text", "content": "hi", "from": "user", "timestamp": 1718870400123,
             "user": {"user_id": "u", "nickname": "Anna"}},
            {"session_id": "s", "type": "file", "content": {"name": "a.pdf", "type": "application/pdf"},
             "from": "operator", "timestamp": 1718870460123, "user": {"user_id": "o", "nickname": "Tom"}},
        ]},
        [("user", "u", None), ("agent", None, "o")],
    ),
    "Gladly": (
        [
            {"id": "1", "customerId": "u", "conversationId": "c", "timestamp": T,
             "initiator": {"type": "CUSTOMER", "id": "u"}, "content": {"type": "CHAT_MESSAGE", "content": "hi"}},
            {"id": "2", "customerId": "u", "conversationId": "c", "timestamp": T,
             "initiator": {"type": "AGENT", "id": "a"}, "content": {"type": "CHAT_MESSAGE", "content": "yo"}},
        ],
        [("user", "u", None), ("agent", "u", "a")],
    ),
    "Microsoft 365 Copilot": (
        {"value": [
            {"id": "1", "sessionId": "s", "interactionType": "userPrompt", "createdDateTime": T,
             "from": {"user": {"id": "u"}, "application": None}, "body": {"content": "hi"}},
            {"id": "2", "sessionId": "s", "interactionType": "aiResponse", "createdDateTime": T,
             "from": {"user": None, "application": {"id": "b"}}, "body": {"content": "yo"}},
        ]},
        [("user", "u", None), ("assistant", None, None)],
    ),
    "LivePerson": (
        {"conversationHistoryRecords": [{"info": {"conversationId": "c", "startTime": T}, "messageRecords": [
            {"messageId": "1", "dialogId": "d", "sentBy": "Consumer", "messageData": {"msg": {"text": "hi"}}},
            {"messageId": "2", "dialogId": "d", "sentBy": "Agent", "messageData": {"msg": {"text": "yo"}}},
        ]}]},
        [("user", None, None), ("agent", None, None)],
    ),
    "Zendesk Chat's transcripts": (
        cells(**{"Chat ID": "c", "Visitor name": "Anna", "Visitor email": "u@x", "Transcript": (
            "(08:00:01) Anna: hi\n(08:00:40) Tom: yo")}, **{"Chat start": T}),
        [("user", "u@x", None), ("agent", "u@x", "Tom")],
    ),
    "Jira": (
        (
            "Summary,Issue key,Issue id,Reporter,Reporter Id,Created,Description,Comment,Comment\n"
            "s,c,1,Anna,u,20/Jun/24 8:00 AM,hi,20/Jun/24 8:10 AM;a;one; two,20/Jun/24 8:20 AM;u;thanks\n"
        ),
        [("user", "u", None), ("agent", "u", "a"), ("user", "u", None)],
    ),
    "Google Chat": (
        {"messages": [
            {"creator": {"email": "u", "user_type": "Human"}, "created_date": T, "text": "hi", "message_id": "c/t/1"},
            {"creator": {"email": "a", "user_type": "Human"}, "created_date": T, "text": "yo", "message_id": "c/v/2"},
        ]},
        [("user", "u", None), ("agent", None, "a")],
    ),
    "Skype": (
        {"userId": "8:a", "conversations": [{"id": "c", "MessageList": [
            {"id": "2", "originalarrivaltime": "2024-06-20T08:05:00Z", "messagetype": "RichText", "content": "yo",
             "from": "8:a"},
            {"id": "1", "originalarrivaltime": T, "messagetype": "RichText", "content": "hi", "from": "8:u"},
        ]}]},
        [("user", "8:u", None), ("agent", None, "8:a")],
    ),
}  # fmt: skip


def test_a_comment_of_jira_without_time_and_author_costs_no_other_message(folder):
    """The whole issue went into quarantine."""
    content, _ = PEOPLE["Jira"]
    found = folder.rows_of("a.csv", content.replace("20/Jun/24 8:10 AM;a;one; two", "one"))

    assert [row["text"] for row in found.messages] == ["hi", "thanks"]
    assert found.reasons == {2: "missing_role"}


@pytest.mark.parametrize("service", PEOPLE)
def test_people_of_services_are_told_apart(said, service):
    """Ids were null, an object, a word for a role or a shown name, or the file was refused."""
    content, expected = PEOPLE[service]
    rows = said(content)
    assert [(row["role"], row["user_id"], row["agent_id"]) for row in rows] == expected
    assert len({row["conversation_id"] for row in rows}) == 1
    assert {row["conversation_id"] for row in rows} <= {"c", "s", "4"}


def test_the_time_of_a_message_goes_before_its_creation_in_capitals(said):
    """Salesforce's ``MessageDate`` stood behind ``CreatedDate``, the time when the mail was stored."""
    header = "Id,ParentId,Incoming,TextBody,CreatedDate,MessageDate\n"
    rows = said(header + "1,5,true,hi,2024-06-20T09:00:00Z,2024-06-20T08:00:00Z\n")
    assert [row["timestamp"] for row in rows] == [T]


def test_texts_of_a_table_of_traces_lose_the_quotes_of_json(said):
    header = "id,timestamp,sessionId,input,output\n"
    rows = said(header + f'1,{T},s,"""hi""","""yo"""\n2,{T},s,"""A"" or B?",A\n')
    assert [row["text"] for row in rows] == ["hi", "yo", '"A" or B?', "A"]


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    """The whole path was the id of a conversation that has no other name, and changed with the place of the export."""
    for name in ("x/a/chat.json", "x/b/chat.json", "x/c.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("[]")
    assert [file.label for file in locate_files(str(tmp_path)).files] == ["a/chat.json", "b/chat.json", "c.json"]


def test_messages_of_customers_alone_are_refused_with_the_way_out(folder):
    folder.write("a.csv", f"customer,message,date\nanna,hi,{T}\n")
    with pytest.raises(SourceError, match=r"session_gap: 4h.*constants: \{role: user\}"):
        folder.source("a.csv").days()


KINDS: dict[str, tuple[Any, list[tuple[str, str, str]]]] = {
    "Trengo": (
        f"ticket_id,type,message,created_at\n1,INBOUND,hi,{T}\n1,NOTE,vip,{T}\n1,OUTBOUND,yo,{T}\n",
        [("user", "hi", T), ("system", "vip", T), ("agent", "yo", T)],
    ),
    "a flag for agents beside marked notes": (
        f"ticket_id,from_agent,type,message,created_at\n1,false,,hi,{T}\n1,true,note,vip,{T}\n1,true,,yo,{T}\n",
        [("user", "hi", T), ("system", "vip", T), ("agent", "yo", T)],
    ),
    "Zoho Desk": (
        {"data": [
            {"id": "1", "type": "thread", "ticketId": "c", "createdTime": T, "author": {"type": "END_USER"},
             "content": "hi"},
            {"id": "2", "type": "comment", "ticketId": "c", "commentedTime": T, "commenter": {"type": "AGENT"},
             "content": "vip", "isPublic": False},
            {"id": "3", "type": "comment", "ticketId": "c", "commentedTime": T, "commenter": {"type": "AGENT"},
             "content": "yo", "isPublic": True},
        ]},
        [("user", "hi", T), ("system", "vip", T), ("agent", "yo", T)],
    ),
    "Olark": (
        [{"kind": "Conversation", "id": "c", "items": [
            {"kind": "MessageToVisitor", "timestamp": T, "body": "yo"},
            {"kind": "OfflineMessage", "timestamp": T, "body": "bye"},
        ]}],
        [("agent", "yo", T), ("user", "bye", T)],
    ),
    "Rasa": (
        {"sender_id": "c", "events": [
            {"event": "user", "timestamp": T, "text": "hi"},
            {"event": "slot", "timestamp": T, "name": "x", "value": "y"},
            {"event": "bot", "timestamp": T, "text": "yo"},
        ]},
        [("user", "hi", T), ("assistant", "yo", T)],
    ),
    "Gemini's command line": (
        {"sessionId": "c", "startTime": T, "messages": [
            {"id": "1", "timestamp": T, "type": "user", "content": "hi"},
            {"id": "2", "timestamp": T, "type": "gemini", "content": "yo"},
        ]},
        [("user", "hi", T), ("assistant", "yo", T)],
    ),
    "a German table of chats": (
        f'Chat Nr,Beginn,Transcript\n1,{T},"Kunde: hi\nAgent: yo"\n', [("user", "hi", T), ("agent", "yo", T)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("service", KINDS)
def test_notes_offline_messages_and_events_have_their_role_and_time(said, service):
    """Their words for a kind, and their names of a time, were unknown, so that the rows went into quarantine."""
    content, expected = KINDS[service]
    assert [(row["role"], row["text"], row["timestamp"]) for row in said(content)] == expected


@pytest.mark.parametrize("answer", [{}, {"response": CHOICES}], ids=["in columns", "one by one"])
def test_the_user_of_a_request_is_the_customer(said, answer):
    """OpenAI's parameter ``user`` was kept beside an empty customer."""
    line = json.dumps({"id": "c", "timestamp": T, "user": "u", "messages": ASKED, **answer})
    assert {row["user_id"] for row in said(f"{line}\n" * 2, "a.jsonl")} == {"u"}
