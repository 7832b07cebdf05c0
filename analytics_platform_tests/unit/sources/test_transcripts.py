"""Chats in one cell of a table."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading import written_lists
from analytics_platform.sources.file_reading.written_lists import with_read_transcripts
from analytics_platform.sources.formats.file_records import Records
from analytics_platform.sources.shapes import transcripts
from analytics_platform.sources.shapes.transcripts import transcript_messages


def table(column: str, *cells: str) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["ticket_id", "created_at", column])
    writer.writerows([f"t{number}", "2024-06-20 10:00:00", cell] for number, cell in enumerate(cells, start=1))
    return written.getvalue()


@pytest.mark.parametrize("column", ["transcript", "chat", "conversation"])
def test_a_chat_in_one_cell_becomes_its_messages(folder, column):
    """A table of transcripts was refused, because it has no column of texts."""
    cells = ["Agent: Hello\nCustomer: Hi, my lamp\nis broken.\nAgent: Sorry!", "Customer: Bye\nAgent: Bye"]
    found = folder.rows_of("a.csv", table(column, *cells))

    assert [(row["conversation_id"], row["role"], row["text"]) for row in found.messages] == [
        ("t1", "agent", "Hello"),
        ("t1", "user", "Hi, my lamp\nis broken."),
        ("t1", "agent", "Sorry!"),
        ("t2", "user", "Bye"),
        ("t2", "agent", "Bye"),
    ]
    assert {row["time_source"] for row in found.messages} == {"conversation"}


def test_a_cell_without_speakers_is_one_message(folder):
    found = folder.rows_of("a.csv", table("transcript", "Agent: Hi\nCustomer: Hi", "Bot: Hi\nUser: Hi", "my lamp"))
    assert [(row["role"], row["text"]) for row in found.messages if row["conversation_id"] == "t3"] == [
        ("user", "my lamp")
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("[10:01] Anna: hello\n[10:02] Ben (Agent): hi", [("user", "hello"), ("agent", "hi")]),
        ("(10:01:22 AM) Visitor 12: hello\n(10:02:00 AM) Ben: hi", [("user", "hello"), ("agent", "hi")]),
        ("Anna: hello<br>Ben: hi", [("user", "hello"), ("agent", "hi")]),
        ("Kunde: hallo\nBot: hi\nNote: fragile", [("user", "hallo"), ("assistant", "hi\nNote: fragile")]),
        (
            "Agent Ben: hi\nAnna: hello\nAnna: still here?",
            [("agent", "hi"), ("user", "hello"), ("user", "still here?")],
        ),
    ],
)
def test_speakers_are_told_by_their_words_or_by_their_turn(cell, expected):
    messages = transcript_messages(cell)
    assert messages is not None
    assert [(message["role"], message["content"]) for message in messages] == expected


@pytest.mark.parametrize(
    "cell", ["my lamp is broken", "Note: fragile", "See: https://a.example\nand tell me", "Order: 12\nplease send it"]
)
def test_a_plain_text_is_no_chat(cell):
    assert transcript_messages(cell) is None


def test_a_line_with_day_and_time_states_its_own_time(folder):
    cell = "2024-06-20 10:01:00 Anna: hello\n2024-06-20 10:03:00 Ben: hi"
    rows = folder.rows_of("a.csv", table("transcript", cell)).messages
    assert [(row["timestamp"].minute, row["time_source"]) for row in rows] == [(1, "message"), (3, "message")]
    assert [(row["user_id"], row["agent_id"]) for row in rows] == [("Anna", None), (None, "Ben")]


STARTS = (
    "Chat start", "Started", "start", "Begin", "Opened", "opened_at", "Date/Time Opened", "Start date",
    "Chat start time", "Chat started", "Conversation started", "session_start", "begin_time", "initiated_at",
)  # fmt: skip


def test_a_chat_is_dated_by_the_column_of_its_start(read_together):
    """Chats whose row says when they began were dated by their file, in silence."""
    said = '"Customer: hi\nAgent: yo"'
    files = {
        f"{number}.csv": f"Chat ID,{name},Transcript\n{number},2024-05-01 09:15:00,{said}\n"
        for number, name in enumerate(STARTS)
    }
    listed = '"[{""role"":""user"",""content"":""hi""}]"'
    files["list.csv"] = f"conversation_id,messages,Chat start\n90,{listed},2024-05-01 09:15\n"
    files["flag.csv"] = f"Chat ID,Opened,Started,Transcript\n91,yes,2024-05-01 09:15,{said}\n"

    found = read_together(files)

    for name, rows in found.items():
        assert rows, name
        assert {str(row["timestamp"])[:16] for row in rows} == {"2024-05-01 09:15"}, name
        assert {row["time_source"] for row in rows} == {"conversation"}, name


MAPPED = 'Chat ID,When,Transcript\n1,2024-05-01 09:15,"Customer: hi\nAgent: yo"\n'


def test_a_mapping_names_the_time_of_a_chat(read_together):
    """It was ignored where the names of columns have capitals."""
    (rows,) = read_together({"a.csv": MAPPED}, mapping="columns: {timestamp: When}").values()

    assert [(str(row["timestamp"])[:16], row["time_source"]) for row in rows] == [
        ("2024-05-01 09:15", "conversation")
    ] * 2


def test_a_mapping_of_a_column_that_no_chat_has_is_refused(read_together):
    with pytest.raises(SourceError, match=r"no file has the column Wen"):
        read_together({"a.csv": MAPPED}, mapping="columns: {timestamp: Wen}")


def test_a_mapping_may_name_a_value_of_the_messages_in_a_cell(read_together):
    listed = '"[{""role"":""user"",""content"":""hi""}]"'
    content = f"conversation_id,messages,created_at\n90,{listed},2024-05-01 09:15\n"
    (rows,) = read_together({"a.csv": content}, mapping="columns: {text: content}").values()
    assert [row["text"] for row in rows] == ["hi"]


def roles_by_name(rows: list[dict]) -> dict[str, str]:
    names = [(f"{row['conversation_id']} {row['agent_id'] or row['user_id']}", row["role"]) for row in rows]
    assert len({*names}) == len(dict(names))
    return dict(names)


def test_names_of_many_chats_are_agents(said):
    """Who greeted the customer was taken for the customer."""
    cells = ["Maria: Hi!\nTom: my lamp\nMaria: sorry", "maria: Hello\nEva: lamp?", "Jon: lamp\nMaria: soon\nZoe: sent",
             "Zoe: Hi\nKim: lamp"]  # fmt: skip
    assert roles_by_name(said(table("transcript", *cells))) == {
        "t1 Maria": "agent", "t1 Tom": "user", "t2 maria": "agent", "t2 Eva": "user", "t3 Jon": "user",
        "t3 Maria": "agent", "t3 Zoe": "agent", "t4 Zoe": "agent", "t4 Kim": "user",
    }  # fmt: skip


def test_names_of_few_chats_are_forgotten(monkeypatch):
    """All names of a file were kept."""
    monkeypatch.setattr(written_lists, "_MOST_NAMES", 4)
    cells = [f"Maria: Hi!\nCustomer {number}: my lamp\nMaria: sorry" for number in range(9)]
    counts = []
    read = transcripts.WrittenChat.messages
    monkeypatch.setattr(
        transcripts.WrittenChat,
        "messages",
        lambda chat, people, chats: (counts.append(dict(chats)), read(chat, people, chats))[1],
    )
    batches = (Records([{"transcript": cell}]) for cell in cells)
    rows = [row for batch in with_read_transcripts(batches, "transcript", {}) for row in batch.values]

    assert [row["transcript"][0]["role"] for row in rows[1:]] == ["agent"] * 8
    assert max(map(len, counts)) <= 4
    assert counts[-1]["maria"] == 9


@pytest.mark.parametrize(
    ("header", "people"),
    [
        ("agent_name", "Maria Lopez"),
        ("Operator", "maria@shop.example"),
        ("assignee", "Ben; Maria"),
        ("visitor", "Tom"),
        ("customerName", "Tom Braun"),
    ],
)
def test_columns_beside_a_chat_say_who_its_speakers_are(said, header, people):
    rows = said(f'ticket_id,created_at,{header},chat\n1,2024-06-20,{people},"Maria: Hi\nTom: my lamp\nMaria: sorry"\n')
    assert [row["role"] for row in rows] == ["agent", "user", "agent"]


@pytest.mark.parametrize(
    ("cell", "roles"),
    [
        ("Tom (Support): hi\nTom: lamp\nTom (Support): sorry", "agent user agent"),
        ("Maria: hi\nTom (Support): yes?\nMaria: lamp\nTom: sorry", "user agent user agent"),
    ],
)
def test_speakers_of_one_first_name_are_told_apart_by_their_notes(cell, roles):
    messages = transcript_messages(cell)
    assert messages is not None
    assert [message["role"] for message in messages] == roles.split()


def test_a_text_file_with_a_chat_is_read(said):
    """It was refused, or taken for a table with commas."""
    rows = said("Maria: Hi, how can I help?\nTom (Customer): my lamp\nis broken, too\nMaria: sorry\n", "a.txt")
    assert [(row["conversation_id"], row["role"], row["text"]) for row in rows] == [
        ("a", "agent", "Hi, how can I help?"), ("a", "user", "my lamp\nis broken, too"), ("a", "agent", "sorry"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", [
    "Name: Ann\nCity: Rome\nJob: none\n", "Note: a\nNote: b\n", "Dear all\nAnn: hi\n", "ERROR: a\nINFO: b\nERROR: c\n",
    "2024-06-20 10:00 INFO: a\n2024-06-20 10:01 ERROR: b\n2024-06-20 10:02 Server: c\n2024-06-20 10:03 INFO: d\n",
])  # fmt: skip
def test_a_text_file_without_a_chat_is_refused(folder, text):
    with pytest.raises(SourceError, match="of no known format"):
        folder.rows_of("a.txt", text)


def test_the_lines_of_a_chat_are_counted_once(monkeypatch):
    """Each name of a text of 64 MiB was counted by itself."""
    compared = 0

    class Name(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str(self) == other

        __hash__ = str.__hash__

    read = transcripts._start
    monkeypatch.setattr(transcripts, "_start", lambda line: (one := read(line)) and replace(one, name=Name(one.name)))
    cell = "Agent: hi\nAgent: hi\n" + "".join(f"Name {number}: hi\n" for number in range(300))

    assert len(transcripts.transcript_messages(cell) or []) == 2
    assert compared < 3000


def test_a_text_file_that_only_begins_as_a_chat_is_refused(folder):
    """All its messages were lost in silence."""
    text = "Ann: hi\nBen: lamp\n" * 20_000 + "".join(f"Name {letter}: hi\n" for letter in "abcdefg")
    with pytest.raises(SourceError, match=r"begins as a chat, .* at most 6 speakers"):
        folder.rows_of("a.txt", text)


@pytest.mark.parametrize("time", ["(08:00:20) ", "[2024-06-20 08:00:20] ", ""])
def test_a_notice_of_the_program_is_no_word_of_a_speaker(time):
    """That an agent joined was added to what the customer said."""
    cell = f"{time}*** Anna joined the chat ***\n{time}Anna: hi\n{time}*** Tom joined the chat ***\n{time}Tom: hello"
    assert [(one["role"], one["content"]) for one in transcript_messages(cell) or []] == [
        ("user", "hi"),
        ("agent", "hello"),
    ]
