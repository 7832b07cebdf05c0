"""Chats in one cell of a table."""

from __future__ import annotations

import csv
import io

import pytest

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
