"""Exports of vendors and habits of spreadsheets that people have, read without a mapping."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analytics_platform.operations.inspecting.inspection import inspect_files
from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.file_reading.unfolding import unfolded
from analytics_platform.sources.formats import csv_rows
from analytics_platform.sources.formats.file_records import Records
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.row_rules.role_words import ENGLISH, default_role_words, words_of_languages
from analytics_platform.sources.shapes.exports.helpdesks import ZENDESK
from analytics_platform.sources.shapes.shape import Context

DAY = "2024-06-20"
AT_0, AT_1, AT_2 = (f"{DAY}T09:0{minute}:00Z" for minute in range(3))


def roles_of(found) -> list[tuple[str, str, str]]:
    return [(row["conversation_id"], row["role"], row["text"]) for row in found.messages]


def times_of(found) -> list[str]:
    return [f"{row['timestamp']:%Y-%m-%d %H:%M:%S}" for row in found.messages]


NESTED = {
    "gorgias": {
        "data": [
            {"id": 5, "subject": "Lamp", "created_datetime": f"{DAY}T08:00:00", "messages": [
                {"id": 1, "from_agent": False, "public": True, "body_text": "Hi", "created_datetime": AT_0},
                {"id": 2, "from_agent": True, "public": False, "body_text": "Note", "created_datetime": AT_1},
                {"id": 3, "from_agent": True, "public": True, "body_text": "Hello", "created_datetime": AT_2},
            ]}
        ]
    },
    "freshdesk": {
        "id": 5, "requester_id": 7, "description_text": "Hi", "created_at": AT_0, "conversations": [
            {"id": 1, "body_text": "Note", "incoming": False, "private": True, "user_id": 8, "created_at": AT_1},
            {"id": 2, "body_text": "Hello", "incoming": False, "private": False, "user_id": 8, "created_at": AT_2},
        ],
    },
    "crisp": [
        {"session_id": "5", "type": kind, "from": who, "content": text, "timestamp": 1718874000000 + 60_000 * place}
        for place, (kind, who, text) in enumerate(
            [("text", "user", "Hi"), ("note", "operator", "Note"), ("text", "operator", "Hello")]
        )
    ],
    "help scout": {
        "_embedded": {"conversations": [{"id": 5, "_embedded": {"threads": [
            {"id": 1, "type": "customer", "body": "Hi", "createdAt": AT_0},
            {"id": 2, "type": "note", "body": "Note", "createdAt": AT_1},
            {"id": 3, "type": "agent", "body": "Hello", "createdAt": AT_2},
        ]}}]}
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NESTED)
def test_tickets_with_nested_messages_are_read_with_their_notes(folder, name):
    """Each was refused with a hint to map columns, or its internal note counted as an answer."""
    found = folder.rows_of("export.json", json.dumps(NESTED[name]))

    assert roles_of(found) == [("5", "user", "Hi"), ("5", "system", "Note"), ("5", "agent", "Hello")]
    assert times_of(found) == [f"{DAY} 09:00:00", f"{DAY} 09:01:00", f"{DAY} 09:02:00"]


def comments(*authors: int) -> list[dict[str, Any]]:
    return [
        {"id": at, "author_id": author, "body": f"text {at}", "public": True, "created_at": f"{DAY}T09:00:0{at}Z"}
        for at, author in enumerate(authors)
    ]


USERS = [{"id": 1, "role": "end-user"}, {"id": 2, "role": "agent"}, {"id": 3, "role": "admin"}]


@pytest.mark.parametrize(
    ("record", "roles"),
    [
        ({"comments": comments(1, 2, 3), "users": USERS, "count": 3}, ["user", "agent", "agent"]),
        ({"comments": comments(2, 1), "users": USERS}, ["agent", "user"]),
        ({"ticket": {"id": 5, "requester_id": 1, "comments": comments(1, 4, 2)}, "users": USERS},
         ["user", "agent", "agent"]),
        ({"comments": comments(1, 1)}, ["user", "user"]),
        ({"comments": comments(1, 2)}, []),
    ],
)  # fmt: skip
def test_the_list_of_users_says_who_wrote_comments_of_zendesk(folder, record, roles):
    """Without a requester, agents were customers; where nothing says who is one, nothing is guessed."""
    found = folder.rows_of("comments.json", json.dumps(record))

    assert [row["role"] for row in found.messages] == roles
    assert set(found.reasons.values()) == (set() if roles else {"missing_role"})
    assert [row["user_id"] for row in found.messages if row["role"] == "user"] == ["1"] * roles.count("user")


def audit(at: int, author: int, *events: dict[str, Any]) -> dict[str, Any]:
    comment = {"id": at, "type": "Comment", "body": f"text {at}", "public": at < 2}
    return {
        "id": 9,
        "ticket_id": 5,
        "author_id": author,
        "created_at": f"{DAY}T09:00:0{at}Z",
        "events": [comment, *events],
    }


CREATED = audit(
    0, 1, {"type": "Create", "field_name": "requester_id", "value": "1"}, {"type": "Notification", "body": "m"}
)
AUDITS = [CREATED, audit(1, 2, {"type": "Change", "field_name": "status"}), audit(2, 2)]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"tickets": [{"id": 5, "requester_id": 1, "audits": AUDITS}]}),
        json.dumps({"ticket": {"id": 5, "requester_id": 1}, "audits": AUDITS}),
        json.dumps({"audits": AUDITS, "next_page": None, "count": 3}),
        "\n".join(map(json.dumps, AUDITS)),
    ],
)
def test_comments_of_zendesk_stand_in_the_audits_of_a_ticket(said, content):
    """Each event was a message of the speaker Comment, Create or Change."""
    rows = said(content, "a.json")
    names = ("conversation_id", "role", "text", "agent_id")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("5", "user", "text 0", None), ("5", "agent", "text 1", "2"), ("5", "system", "text 2", None),
    ]  # fmt: skip
    assert [row["timestamp"][-3:] for row in rows] == ["00Z", "01Z", "02Z"]


def test_the_requesters_of_the_last_tickets_are_remembered(folder, monkeypatch):
    """Those of all tickets of a file were kept."""
    monkeypatch.setattr("analytics_platform.sources.shapes.identity._MOST_THREADS", 3)
    folder.write("a.jsonl", "")
    context = Context(find_files(str(folder.path / "a.jsonl"))[0])
    batches = [Records([{**one, "ticket_id": ticket}]) for ticket in range(9) for one in AUDITS[:2]]
    rows = [row for batch in unfolded(iter(batches), ZENDESK, context, []) for row in batch.values]

    assert [row["role"] for row in rows] == ["user", "agent"] * 9
    assert len(context.memory["requesters"]) == 3


def test_audits_that_name_no_requester_are_not_guessed(said):
    assert {row["role"] for row in said("\n".join(map(json.dumps, AUDITS[1:2] * 2)), "a.json")} == {None}


def test_a_message_has_its_own_time_and_conversation_not_those_of_its_page(folder):
    """The page's values have the usual names, too."""
    page = {
        "createdAt": "2024-01-01T00:00:00Z",
        "results": [
            {"id": "a", "conversationsThreadId": "77", "direction": "INCOMING", "text": "Hi", "createdAt": AT_0},
            {"id": "b", "conversationsThreadId": "78", "direction": "OUTGOING", "text": "Yes", "createdAt": AT_1},
        ],
    }  # fmt: skip
    found = folder.rows_of("page.json", json.dumps(page))

    assert roles_of(found) == [("77", "user", "Hi"), ("78", "agent", "Yes")]
    assert times_of(found) == [f"{DAY} 09:00:00", f"{DAY} 09:01:00"]


def test_values_in_objects_are_found_by_their_usual_names(folder):
    """A nested author, and MongoDB's $oid and $date, made every row unusable."""
    rows = [
        {"_id": {"$oid": f"{number}"}, "thread": {"$oid": "77"}, "author": {"type": who}, "body": who,
         "createdAt": {"$date": time}}
        for number, (who, time) in enumerate(
            [("customer", AT_0), ("agent", {"$numberLong": "1718874060000"})]
        )
    ]  # fmt: skip
    found = folder.rows_of("rows.jsonl", "\n".join(map(json.dumps, rows)))

    assert roles_of(found) == [("77", "user", "customer"), ("77", "agent", "agent")]
    assert times_of(found) == [f"{DAY} 09:00:00", f"{DAY} 09:01:00"]


def test_messenger_texts_are_repaired_and_put_in_order(folder):
    """Messenger writes each byte of UTF-8 as a character, and the newest message first."""
    chat = {
        "participants": [{"name": "Zo\u00c3\u00ab"}, {"name": "Shop"}],
        "thread_path": "inbox/zoe",
        "messages": [
            {"sender_name": "Shop", "timestamp_ms": 1718874060000, "content": "Gr\u00c3\u00bc\u00c3\u009fe"},
            {"sender_name": "Zo\u00c3\u00ab", "timestamp_ms": 1718874000000, "content": "Sch\u00c3\u00b6n"},
        ],
    }
    found = folder.rows_of("message_1.json", json.dumps(chat))

    assert roles_of(found) == [("inbox/zoe", "user", "Sch\u00f6n"), ("inbox/zoe", "agent", "Gr\u00fc\u00dfe")]
    assert found.messages[0]["user_id"] == "Zo\u00eb"


def test_langsmith_runs_are_exchanges_of_their_thread(folder):
    """No message was found in serialised LangChain messages, and the file ended with 0 rows read."""
    run = {
        "id": "r1", "run_type": "llm", "session_id": "project", "start_time": AT_0,
        "end_time": f"{DAY}T09:00:02",
        "inputs": {"messages": [[{"id": ["langchain", "messages", "HumanMessage"], "kwargs": {"content": "Hi"}}]]},
        "outputs": {"generations": [[{"text": "Hello"}]]},
        "extra": {"metadata": {"thread_id": "t1"}},
    }  # fmt: skip
    found = folder.rows_of("runs.jsonl", json.dumps(run))

    assert roles_of(found) == [("t1", "user", "Hi"), ("t1", "assistant", "Hello")]


@pytest.mark.parametrize(
    ("more", "conversations"),
    [
        ({}, ["r0", "r1"]),
        ({"extra": {"metadata": {}}}, ["r0", "r1"]),
        ({"extra": json.dumps({"metadata": {"session_id": "s"}})}, ["s"]),
        ({"metadata": {"conversation_id": "s"}}, ["s"]),
        ({"thread_id": "s"}, ["s"]),
    ],
)
def test_langsmith_runs_without_a_thread_are_conversations_of_their_own(said, more, conversations):
    """All chats of a project were one conversation: a run's session_id names its project."""
    runs = [
        {
            "id": f"r{number}", "trace_id": f"r{number}", "run_type": "chain", "session_id": "project",
            "start_time": f"{DAY}T09:00:0{number}", "inputs": {"question": "Hi"},
            "outputs": {"output": "Hello"}, **more,
        }
        for number in range(2)
    ]  # fmt: skip
    assert sorted({row["conversation_id"] for row in said(runs)}) == conversations


def test_an_exchange_of_unknown_form_is_quarantined(folder):
    """It was counted nowhere."""
    run = {"id": "r1", "inputs": {"x": [1]}, "outputs": {"messages": [{"y": 1}]}, "start_time": DAY}
    found = folder.rows_of("runs.jsonl", json.dumps(run))

    assert list(found.reasons.values()) == ["unreadable_row"]


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        ("time", ["20.06.2024 09:00", "20.06.2024 09:05:07"], ["09:00:00", "09:05:07"]),
        ("time", ["20.06.24 09:00", "20.06.24 09:05:07"], ["09:00:00", "09:05:07"]),
        ("time", ["20.06.2024 um 09:00 Uhr", "20.06.2024 09:05 Uhr"], ["09:00:00", "09:05:00"]),
        ("time", ["20. Juni 2024 09:00", "Donnerstag 20. Juni 2024 um 09:05 Uhr"], ["09:00:00", "09:05:00"]),
        ("time", ["20 juin 2024 à 09:00", "20 juin 2024 09:05:07"], ["09:00:00", "09:05:07"]),
        ("time", ["20 de junio de 2024 9:00", "20 giugno 2024 alle 09:05"], ["09:00:00", "09:05:00"]),
        ("time", ["20-Jun-2024 09:00:00", "20-JUN-2024 09:05"], ["09:00:00", "09:05:00"]),
        ("time", ["6/20/2024 9:00", "6/20/2024 1:05 p.m."], ["09:00:00", "13:05:00"]),
        ("time", ["20/06/2024 09:00", "20/06/2024 09:05"], ["09:00:00", "09:05:00"]),
        ("time", ["2024-06-20 11:00:00 CEST", "2024-06-20 01:05:00 PST"], ["09:00:00", "09:05:00"]),
        ("date,time", ["2024-06-20,09:00", "2024-06-20,09:05"], ["09:00:00", "09:05:00"]),
        ("Datum,Uhrzeit", ["20.06.2024,09:00:01", "20.06.2024,09:05"], ["09:00:01", "09:05:00"]),
        ("Datum,Uhrzeit", ["20.06.2024,9:00 Uhr", "20.06.2024,9.05 Uhr"], ["09:00:00", "09:05:00"]),
        ("date,time", ["20/06/2024,9 Uhr", "20/06/2024,9.05.07 Uhr"], ["09:00:00", "09:05:07"]),
        ("date,heure", ["20/06/2024,9h", "20/06/2024,9h05"], ["09:00:00", "09:05:00"]),
        ("date,time", ["6/20/2024,9:00:30 AM", "6/20/2024,1:05 p.m."], ["09:00:30", "13:05:00"]),
    ],
)
def test_times_as_spreadsheets_write_them_are_read(folder, header, rows, expected):
    """Every row was unusable without a mapping, and the time beside a date was lost."""
    lines = [f"1,{role},hi,{time}\n" for role, time in zip(("user", "agent"), rows, strict=True)]
    found = folder.rows_of("chat.csv", f"conversation_id,role,text,{header}\n" + "".join(lines))

    assert times_of(found) == [f"{DAY} {time}" for time in expected]


def test_one_odd_time_of_the_day_does_not_switch_the_column_off(folder):
    """All messages lost their time of the day, without a word."""
    lines = "".join(f"1,user,hi {minute},{DAY},09:{minute}\n" for minute in range(10, 30))
    found = folder.rows_of("chat.csv", f"conversation_id,role,text,date,time\n{lines}1,user,hi,{DAY},noon\n")

    assert times_of(found) == [f"{DAY} 09:{minute}:00" for minute in range(10, 30)]
    assert found.reasons == {21: "bad_timestamp"}


def test_dates_of_unknown_order_are_not_guessed(folder):
    header = "conversation_id,role,text,timestamp\n"
    found = folder.rows_of("chat.csv", header + "1,user,hi,3/4/2024 09:00\n1,agent,hi,4/4/2024 09:00\n")
    assert set(found.reasons.values()) == {"bad_timestamp"}

    mapping = folder.write("mapping.yaml", "date_order: dmy")
    found = folder.rows_of("chat.csv", header + "1,user,hi,3/4/2024 09:00\n", mapping=mapping)
    assert times_of(found) == ["2024-04-03 09:00:00"]


@pytest.mark.parametrize(
    ("column", "values", "roles"),
    [
        ("direction", ["in", "out"], ["user", "agent"]),
        ("is_bot", ["False", "True"], ["user", "assistant"]),
        ("from_me", ["0", "1"], ["user", "agent"]),
    ],
)
def test_directions_and_flags_tell_who_speaks(folder, column, values, roles):
    lines = [f"1,{value},hi,{DAY} 09:0{place}\n" for place, value in enumerate(values)]
    found = folder.rows_of("chat.csv", f"conversation_id,{column},text,timestamp\n" + "".join(lines))

    assert [row["role"] for row in found.messages] == roles


@pytest.mark.parametrize(
    ("column", "values", "roles"),
    [
        ("is_private", ["false", "true", "false"], ["user", "system", "agent"]),
        ("public", ["1", "0", "1"], ["user", "system", "agent"]),
        ("message_type", ["public", "internal", "public"], ["user", "system", "agent"]),
        ("is_private", ["true", "true", "true"], ["user", "agent", "agent"]),
        ("private", ["", "private", ""], ["user", "system", "agent"]),
        ("visibility", ["", "Internal-Note", ""], ["user", "system", "agent"]),
        ("is_public", ["public", "private", "public"], ["user", "system", "agent"]),
        ("internal", ["nein", "ja", "Nein"], ["user", "system", "agent"]),
        ("internal", ["non", "oui", "non"], ["user", "system", "agent"]),
        ("internal", ["no", "sí", "no"], ["user", "system", "agent"]),
        ("internal", ["нет", "Да", "нет"], ["user", "system", "agent"]),
        ("type", ["note", "note", "note"], ["user", "agent", "agent"]),
    ],
)
def test_a_column_of_private_notes_needs_no_rules(folder, column, values, roles):
    """In a table in our own columns a private note was an answer; a wholly private chat has no notes."""
    speakers = ("user", "agent", "agent")
    lines = [f"1,{who},hi {flag},{DAY} 09:00,{flag}\n" for who, flag in zip(speakers, values, strict=True)]
    path = folder.write("chat.csv", f"conversation_id,role,text,timestamp,{column}\n" + "".join(lines))
    found = folder.rows_of("chat.csv", path.read_text())

    assert [row["role"] for row in found.messages] == roles
    (view,) = inspect_files(str(path), FieldMapping())
    assert ("1 internal note got the role system: it is no answer." in view.notes) == ("system" in roles)


def test_a_note_late_in_a_file_is_no_answer(folder, monkeypatch):
    """The first rows decided for the whole file, so that a note further below was an answer."""
    monkeypatch.setattr(csv_rows, "CHUNK_BYTES", 60)
    lines = [f"{number},agent,hi,{DAY} 09:00,reply\n" for number in range(10)]
    late = f"99,agent,secret,{DAY} 09:00,note\n"

    found = folder.rows_of("chat.csv", "conversation_id,role,text,timestamp,type\n" + "".join(lines) + late)

    assert {(row["text"], row["role"]) for row in found.messages} == {("hi", "agent"), ("secret", "system")}


def test_rules_decide_about_a_column_of_private_notes(folder):
    mapping = folder.write("mapping.yaml", "rules: [{when: {private: 'true'}, drop: true}]")
    rows = f"1,user,hi,{DAY} 09:00,false\n1,agent,note,{DAY} 09:01,true\n"
    found = folder.rows_of("chat.csv", "conversation_id,role,text,timestamp,private\n" + rows, mapping=mapping)

    assert [row["role"] for row in found.messages] == ["user"]


def test_role_words_of_other_languages_are_known_and_told(folder):
    words = ["Kundin", "お客様", "顾客", "клиент", "CONSEILLÈRE", "operateur", "Ｂｏｔ"]
    lines = [f"1,{word},hi,{DAY} 09:0{place}\n" for place, word in enumerate(words)]
    path = folder.write("chat.csv", "conversation_id,role,text,timestamp\n" + "".join(lines))
    found = folder.rows_of("chat.csv", path.read_text())

    assert [row["role"] for row in found.messages] == ["user"] * 4 + ["agent"] * 2 + ["assistant"]
    (view,) = inspect_files(str(path), FieldMapping())
    assert any(note.startswith("Role words taken by their meaning: Kundin is user, ") for note in view.notes)


def test_no_word_has_two_roles():
    """A word of one language must not change what an English word means."""
    both = words_of_languages().keys() & ENGLISH.keys()
    assert {word for word in both if words_of_languages()[word] != ENGLISH[word]} == set()
    assert {default_role_words()[word] for word in ("cliente", "klient", "客户")} == {"user"}


def test_a_format_of_the_mapping_leaves_times_of_a_shape_alone(folder):
    """A mapping for one file of a folder made every message of the WhatsApp chat beside it unusable."""
    mapping = folder.write("mapping.yaml", "{timestamp_format: '%d.%m.%Y %H:%M', timezone: Europe/Berlin}")
    found = folder.rows_of("chat.txt", "20.06.24, 11:00 - Mia: Hi\n20.06.24, 11:01 - Shop: Hello\n", mapping=mapping)
    assert times_of(found) == [f"{DAY} 09:00:00", f"{DAY} 09:01:00"]


def test_a_tar_archive_is_named_as_one(folder):
    """Its bytes were taken for a table, and the message listed them as names of columns."""
    content = b"a.csv".ljust(257, b"\0") + b"ustar" + b"\0" * 250 + b"conversation_id,role\n"
    with pytest.raises(SourceError, match="is a tar archive; unpack it"):
        folder.rows_of("export.csv", content)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("see <https://shop.example.com/cart|the cart> &amp; help", "see the cart &amp; help"),
        ("see <https://shop.example.com/cart>", "see https://shop.example.com/cart"),
        ("mail <mailto:help@example.com|help@example.com>", "mail help@example.com"),
        ("<!here> and <@U07NEW03> in <#C1|general>", "@here and @U07NEW03 in #general"),
        ("<!subteam^S1|@support> on <!date^1392734382^{date}|18 February>", "@support on 18 February"),
        ("if a &lt; b, and 1 < 2 > 0", "if a &lt; b, and 1 < 2 > 0"),
    ],
)
def test_slack_texts_stand_as_slack_shows_them(folder, written, shown):
    """Words and sentiment were those of ``<https://…|label>`` too, which nobody typed."""
    message = {"type": "message", "user": "U1", "text": written, "ts": "1718870400.000100"}

    found = folder.rows_of("2024-06-20.json", json.dumps([message]))

    assert [row["text"] for row in found.messages] == [shown]


@pytest.mark.parametrize("word", ["Endbenutzer", "Anfragender", "utilisateur final", "usuario final", "エンドユーザー"])
def test_end_users_of_translated_help_desks_are_customers(folder, word):
    """Zendesk's own word for a customer was unknown in every language but English."""
    found = folder.rows_of("a.csv", f"conversation_id,role,text,timestamp\n1,{word},Hallo,{AT_0}\n")

    assert [row["role"] for row in found.messages] == ["user"]
