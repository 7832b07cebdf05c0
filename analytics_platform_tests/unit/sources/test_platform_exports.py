"""Exports as help desks and messengers write them: who said what, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analytics_platform.operations.inspecting.inspection import inspect_files
from analytics_platform.sources.mapping import FieldMapping

T = "2024-06-20T08:00:00Z"
Said = list[tuple[str | None, str | None]]


def pairs(rows: list[dict[str, Any]]) -> Said:
    return [(row["role"], row["text"]) for row in rows]


HELP_DESKS: dict[str, tuple[Any, Said]] = {
    "Help Scout": (
        {"_embedded": {"conversations": [{"id": 5, "createdAt": T, "_embedded": {"threads": [
            {"id": 3, "type": "message", "body": "Hello", "createdBy": {"id": 4, "type": "user"}, "createdAt": T},
            {"id": 2, "type": "note", "body": "vip", "createdBy": {"id": 4, "type": "user"}, "createdAt": T},
            {"id": 1, "type": "customer", "body": "Hi", "createdBy": {"id": 7, "type": "customer"}, "createdAt": T},
            {"id": 0, "type": "lineitem", "action": {"type": "assigned"}, "createdAt": T},
        ]}}]}},
        [("agent", "Hello"), ("system", "vip"), ("user", "Hi")],
    ),
    "Help Scout as a table": (
        (
            "Conversation ID,Type,From,Body,Created At\n1,customer,a@x.co,hi,2024-06-20 08:00\n"
            "1,message,k@s.co,yo,2024-06-20 08:05\n1,note,k@s.co,vip,2024-06-20 08:06\n"
        ),
        [("user", "hi"), ("agent", "yo"), ("system", "vip")],
    ),
    "Freshchat": (
        {"messages": [
            {"message_parts": [{"text": {"content": "hi"}}, {"image": {"url": "x"}}], "id": "1", "conversation_id": "c",
             "message_type": "normal", "actor_type": "user", "created_time": T},
            {"message_parts": [{"text": {"content": "vip"}}], "id": "2", "conversation_id": "c",
             "message_type": "private", "actor_type": "agent", "created_time": T},
        ]},
        [("user", "hi\n[image]"), ("system", "vip")],
    ),
    "Drift": (
        {"data": {"messages": [
            {"id": 1, "conversationId": 7, "author": {"type": "contact", "bot": False}, "body": "hi", "createdAt": T},
            {"id": 2, "conversationId": 7, "author": {"type": "user", "bot": True}, "body": "beep", "createdAt": T},
            {"id": 3, "conversationId": 7, "author": {"type": "user", "bot": False}, "body": "yo", "createdAt": T},
        ]}},
        [("user", "hi"), ("assistant", "beep"), ("agent", "yo")],
    ),
    "LiveChat": (
        {"chats": [{"id": "P", "users": [{"id": "b7", "type": "customer"}, {"id": "s@x", "type": "agent"}],
         "thread": {"id": "K", "events": [
            {"id": "0", "type": "system_message", "text": "started", "created_at": T},
            {"id": "1", "type": "message", "text": "hi", "author_id": "b7", "created_at": T, "visibility": "all"},
            {"id": "2", "type": "message", "text": "yo", "author_id": "s@x", "created_at": T, "visibility": "all"},
            {"id": "3", "type": "message", "text": "vip", "author_id": "s@x", "created_at": T, "visibility": "agents"},
         ]}}]},
        [("system", "started"), ("user", "hi"), ("agent", "yo"), ("system", "vip")],
    ),
    "HubSpot": (
        {"results": [
            {"id": "1", "conversationsThreadId": "4", "createdAt": T, "type": "MESSAGE", "direction": "INCOMING",
             "text": "hi"},
            {"id": "2", "conversationsThreadId": "4", "createdAt": T, "type": "MESSAGE", "direction": "OUTGOING",
             "text": "yo"},
            {"id": "3", "conversationsThreadId": "4", "createdAt": T, "type": "COMMENT", "text": "vip"},
            {"id": "4", "conversationsThreadId": "4", "createdAt": T, "type": "THREAD_STATUS_CHANGE",
             "newStatus": "CLOSED"},
        ]},
        [("user", "hi"), ("agent", "yo"), ("system", "vip")],
    ),
    "Kustomer": (
        {"data": [
            {"type": "message", "id": "1", "attributes": {"preview": "hi", "direction": "in", "sentAt": T},
             "relationships": {"conversation": {"data": {"id": "c9"}}, "customer": {"data": {"id": "u"}}}},
            {"type": "message", "id": "2", "attributes": {"preview": "yo", "direction": "out", "sentAt": T},
             "relationships": {"conversation": {"data": {"id": "c9"}}, "customer": {"data": {"id": "u"}}}},
        ]},
        [("user", "hi"), ("agent", "yo")],
    ),
    "Salesforce chat": (
        (
            '"Id","CaseId","CreatedDate","Body"\n"57","50","2024-06-20T08:00:00.000Z","<p align=""center"">Chat '
            'Started: Thursday</p><p align=""center"">Agent Kim K</p>( 5s ) Visitor: hi<br>( 1m 12s ) Kim K: yo<br>"\n'
        ),
        [("user", "hi"), ("agent", "yo")],
    ),
    "Salesforce mails": (
        (
            '"Id","ParentId","Incoming","TextBody","MessageDate"\n"1","50","true","hi","2024-06-20T08:00:00.000+0000"\n'
            '"2","50","false","yo","2024-06-20T09:00:00.000+0000"\n'
        ),
        [("user", "hi"), ("agent", "yo")],
    ),
    "Freshdesk's whole export": (
        [{"helpdesk_ticket": {"id": 1, "description": "hi", "status_name": "Closed", "requester_id": 5, "created_at": T,
          "notes": [
              {"id": 2, "body": "yo", "incoming": False, "private": False, "user_id": 6, "created_at": T},
              {"id": 3, "body": "vip", "incoming": False, "private": True, "user_id": 6, "created_at": T},
          ]}}],
        [("user", "hi"), ("agent", "yo"), ("system", "vip")],
    ),
    "Gladly": (
        {"data": [
            {"id": "1", "conversationId": "c", "timestamp": T, "initiator": {"type": "CUSTOMER"},
             "content": {"content": "hi"}},
            {"id": "2", "conversationId": "c", "timestamp": T, "initiator": {"type": "AGENT"},
             "content": {"content": "yo"}},
        ]},
        [("user", "hi"), ("agent", "yo")],
    ),
    "Ada": (
        {"data": [
            {"conversation_id": "c", "sender": "end_user", "message_data": {"message": "hi"}, "date_created": T},
            {"conversation_id": "c", "sender": "bot", "message_data": {"message": "yo"}, "date_created": T},
        ]},
        [("user", "hi"), ("assistant", "yo")],
    ),
    "Front as a table": (
        (
            "Message ID,Conversation ID,Direction,Message date,Author,Extract\n"
            "m1,c1,Inbound,2024-06-20 10:00:00,a@x.co,hi\n"
            "m2,c1,Outbound,2024-06-20 10:05:00,k@y.co,yo\n"
        ),
        [("user", "hi"), ("agent", "yo")],
    ),
    "a home-made table of tickets": (
        (
            "Ticket #;Requester;Agent;Message From;Message;Sent\n1;Ann;Kim;Requester;hi;20.06.2024 10:00\n"
            "1;Ann;Kim;Agent;yo;20.06.2024 10:01\n"
        ),
        [("user", "hi"), ("agent", "yo")],
    ),
    "Chatwoot's database": (
        (
            "id,conversation_id,content,message_type,sender_type,sender_id,created_at\n"
            "1,5,hola,0,Contact,3,2024-06-20 10:00:00\n2,5,hi,1,User,1,2024-06-20 10:01:00\n"
        ),
        [("user", "hola"), ("agent", "hi")],
    ),
    "Chatwoot's numbers": (
        "conversation_id,message_type,content,created_at\n1,0,hi,2024-06-20 10:00\n1,1,yo,2024-06-20 10:01\n",
        [("user", "hi"), ("agent", "yo")],
    ),
    "Gorgias": (
        (
            "ticket_id,from_agent,public,body_text,created_datetime\n1,false,true,hi,2024-06-20T10:00:00\n"
            "1,true,true,yo,2024-06-20T10:01:00\n1,true,false,vip,2024-06-20T10:02:00\n"
        ),
        [("user", "hi"), ("agent", "yo"), ("system", "vip")],
    ),
    "Intercom as a table": (
        (
            "Conversation ID,Part ID,Part type,Author type,Body,Created at (UTC)\n"
            "5,1,comment,user,hi,2024-06-20 08:00:00\n"
            "5,2,note,admin,vip,2024-06-20 08:01:00\n5,3,comment,admin,yo,2024-06-20 08:02:00\n"
            "5,4,close,admin,,2024-06-20 08:03\n"
        ),
        [("user", "hi"), ("system", "vip"), ("agent", "yo")],
    ),
    "tawk.to": (
        {"data": [{"id": "t", "type": "chat", "messages": [
            {"sender": {"t": "s"}, "type": "msg", "msg": "started", "time": T},
            {"sender": {"t": "v"}, "type": "msg", "msg": "hi", "time": T},
            {"sender": {"t": "a"}, "type": "msg", "msg": "yo", "time": T},
        ]}]},
        [("system", "started"), ("user", "hi"), ("agent", "yo")],
    ),
    "Genesys": (
        {"conversationId": "g", "participants": [{"participantPurpose": "external", "userId": "u"}], "transcripts": [
            {"transcriptId": "t", "phrases": [
                {"text": "hi", "participantPurpose": "external", "startTimeMs": 1718870401000},
                {"text": "yo", "participantPurpose": "internal", "startTimeMs": 1718870403000},
            ]}]},
        [("user", "hi"), ("agent", "yo")],
    ),
    "Amazon Connect": (
        {"ContactId": "c", "Channel": "CHAT", "Participants": [{"ParticipantId": "C", "ParticipantRole": "CUSTOMER"}],
         "Transcript": [
            {"AbsoluteTime": T, "Content": "hi", "Id": "1", "ParticipantRole": "CUSTOMER", "Type": "MESSAGE"},
            {"AbsoluteTime": T, "Content": "yo", "Id": "2", "ParticipantRole": "AGENT", "Type": "MESSAGE"},
            {"AbsoluteTime": T, "ContentType": "x.participant.left", "Id": "3", "ParticipantRole": "CUSTOMER",
             "Type": "EVENT"},
        ]},
        [("user", "hi"), ("agent", "yo")],
    ),
    "LivePerson": (
        {"conversationHistoryRecords": [{"info": {"conversationId": "lp1"}, "messageRecords": [
            {"messageData": {"msg": {"text": "hi"}}, "messageId": "1", "time": T, "sentBy": "Consumer"},
            {"messageData": {"msg": {"text": "yo"}}, "messageId": "2", "time": T, "sentBy": "Agent"},
        ]}]},
        [("user", "hi"), ("agent", "yo")],
    ),
    "Sunshine": (
        {"conversationId": "c", "messages": [
            {"id": "1", "received": T, "author": {"type": "user"}, "content": {"type": "text", "text": "hi"}},
            {"id": "2", "received": T, "author": {"type": "business"}, "content": {"type": "text", "text": "yo"}},
        ]},
        [("user", "hi"), ("agent", "yo")],
    ),
    "Olark": (
        {"id": "o", "kind": "Conversation", "items": [
            {"kind": "MessageToOperator", "body": "hi", "timestamp": "1718877601"},
            {"kind": "MessageToVisitor", "body": "yo", "timestamp": "1718877605"},
        ]},
        [("user", "hi"), ("agent", "yo")],
    ),
    "Teams": (
        {"value": [
            {"id": "2", "replyToId": "1", "messageType": "message", "createdDateTime": T,
             "from": {"user": {"id": "u2"}}, "body": {"content": "yo"}},
            {"id": "1", "replyToId": None, "messageType": "message", "createdDateTime": T,
             "from": {"user": {"id": "u1"}}, "body": {"content": "hi"}},
            {"id": "3", "replyToId": None, "messageType": "systemEventMessage", "createdDateTime": T,
             "from": None, "body": {"content": "<systemEventMessage/>"}},
        ]},
        [("agent", "yo"), ("user", "hi")],
    ),
    "Copilot Studio": (
        {"activities": [
            {"id": "1", "type": "message", "timestamp": 1718870401, "from": {"id": "u", "role": 1}, "text": "hi"},
            {"id": "2", "type": "message", "timestamp": 1718870402, "from": {"id": "b", "role": 0}, "text": "yo"},
            {"id": "3", "type": "trace", "timestamp": 1718870403, "from": {"id": "b", "role": 0}, "value": {}},
        ]},
        [("user", "hi"), ("assistant", "yo")],
    ),
    "Microsoft 365 Copilot": (
        {"value": [
            {"id": "1", "sessionId": "s", "interactionType": "userPrompt", "createdDateTime": T,
             "body": {"contentType": "text", "content": "hi"}},
            {"id": "2", "sessionId": "s", "interactionType": "aiResponse", "createdDateTime": T,
             "body": {"contentType": "text", "content": "yo"}},
        ]},
        [("user", "hi"), ("assistant", "yo")],
    ),
    "Discord as a table": (
        (
            'AuthorID,Author,Date,Content,Attachments,Reactions\n"1","a","2024-06-20T10:01:00.0+02:00","hi","",""\n'
            '"2","m","2024-06-20T10:02:00.0+02:00","yo","",""\n'
        ),
        [("user", "hi"), ("agent", "yo")],
    ),
    "iMessage": (
        "ROWID,text,date,is_from_me,chat_identifier\n1,hi,740563200000000000,0,+49\n2,yo,740563260000000000,1,+49\n",
        [("user", "hi"), ("agent", "yo")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("platform", HELP_DESKS)
def test_customers_and_agents_of_help_desks_and_messengers_are_told_apart(said, platform):
    content, expected = HELP_DESKS[platform]
    rows = said(content)

    assert pairs(rows) == expected
    assert len({row["conversation_id"] for row in rows}) == 1
    assert all(row["timestamp"] and row["time_source"] != "file" for row in rows)


def gladly(number: int, speaker: str, **content: Any) -> dict[str, Any]:
    return {
        "id": str(number), "conversationId": "c", "customerId": "cu", "timestamp": f"2024-06-20T08:0{number}:00Z",
        "initiator": {"type": speaker, "id": "x"}, "content": content,
    }  # fmt: skip


def test_notes_of_gladly_are_internal_and_its_events_are_left_out(folder):
    """They were messages of the agent, such as ``[CONVERSATION_NOTE]``."""
    items = [
        gladly(0, "CUSTOMER", type="EMAIL", subject="s", content="hi"),
        gladly(1, "AGENT", type="CHAT_MESSAGE", content="yo"),
        gladly(2, "AGENT", type="CONVERSATION_NOTE", body="vip"),
        gladly(3, "AGENT", type="CONVERSATION_STATUS_CHANGE", status="CLOSED"),
        gladly(4, "AGENT", type="TOPIC_CHANGE", addedTopicIds=["t"]),
        gladly(5, "AGENT", type="PHONE_CALL", recordingStatus="NONE"),
        gladly(6, "SYSTEM", type="CUSTOMER_ACTIVITY", title="bought", body="a lamp"),
    ]
    found = folder.rows_of("items.jsonl", "".join(json.dumps(item) + "\n" for item in items))

    assert pairs(found.messages) == [("user", "hi"), ("agent", "yo"), ("system", "vip")]
    assert not found.reasons
    (view,) = inspect_files(str(folder.path / "items.jsonl"), FieldMapping())
    assert "1 internal note got the role system: it is no answer." in view.notes
    assert view.left_out == 4
