"""A message without an id is the same message in every export, and its place in a list or a file says nothing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import pytest

TODAY = dt.datetime.now(dt.UTC).date()
TIME = "2024-06-20T08:{:02}:00Z"
ITEMS_COLUMNS = {
    "conversation_id": "nr", "outcome": "state", "role": "entries[].kind", "text": "entries[].words",
    "timestamp": "entries[].at",
}  # fmt: skip


def page(numbers: Sequence[int]) -> str:
    """Return a page of an interface, on one line: messages of two conversations in turn."""
    rows = [
        {"conversation_id": "ab"[n % 2], "role": "user", "text": f"words {n}", "timestamp": TIME.format(n)}
        for n in numbers
    ]
    return json.dumps({"data": rows, "page": numbers[0]}) + "\n"


def ticket(numbers: Sequence[int], **values: Any) -> str:
    messages = [
        {"sender_type": ("customer", "agent")[n % 2], "body": f"part {n}", "created_at": TIME.format(n)}
        for n in numbers
    ]
    return json.dumps([{"ticket_id": "t1", "messages_list": messages, **values}])


def chat(numbers: Sequence[int]) -> str:
    return "".join(f"20.06.24, 08:{n:02} - {('Anna', 'Shop')[n % 2]}: message {n}\n" for n in numbers)


def exchanges(numbers: Sequence[int], *, times: bool, sessions: bool) -> str:
    names = [*(["session_id"] if sessions else []), "question", "answer", *(["created_at"] if times else [])]
    values = ({"session_id": "s1", "question": f"question {n}", "answer": f"answer {n}",
               "created_at": TIME.format(n)} for n in numbers)  # fmt: skip
    return "\n".join(",".join(row) for row in [names, *([each[name] for name in names] for each in values)]) + "\n"


def call(*texts: str, minute: int = 0, **values: Any) -> str:
    """Return a line with messages of session s1, of the customer and the assistant in turn."""
    messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]
    return json.dumps({"session_id": "s1", "created_at": TIME.format(minute), "messages": messages, **values}) + "\n"


def texts_in_order(found: Any) -> list[str]:
    rows = sorted(found.messages, key=lambda row: (row["conversation_id"], row["timestamp"], row["sequence"] or 0))
    return [row["text"] for row in rows]


def read_both(folder: Any, everything: Any, name: str, first: str, second: str, **options: Any) -> Any:
    """Return what two exports of one name, in folders of their own, give."""
    for number, content in enumerate((first, second)):
        (folder.path / str(number)).mkdir()
        folder.write(f"{number}/{name}", content)
    return everything(folder.source(f"**/*.{name.rpartition('.')[2]}", **options))


@pytest.mark.parametrize(
    ("name", "first", "second", "messages", "duplicates"),
    [
        ("page.json", page(range(6)), page(range(6, 12)), 12, 0),
        ("ticket.json", ticket(range(3)), ticket(range(3, 6)), 6, 0),
        ("ticket.json", ticket(range(4)), ticket(range(2, 6)), 6, 2),
        ("WhatsApp Chat with Anna.txt", chat(range(6)), chat(range(3, 9)), 9, 3),
    ],
)
def test_a_second_export_adds_its_new_messages_only(folder, everything, name, first, second, messages, duplicates):
    """The second export numbered its messages from 0, too, and replaced those of the first."""
    found = read_both(folder, everything, name, first, second)

    assert (len(found.messages), found.duplicates, found.quarantined) == (messages, duplicates, [])


def test_pages_of_an_interface_in_one_file_lose_no_message(folder):
    """Messages of the second page were quarantined as conflicts with those of the first."""
    found = folder.rows_of("pages.jsonl", page(range(6)) + page(range(6, 12)))

    assert (len(found.messages), found.duplicates, found.quarantined) == (12, 0, [])
    assert texts_in_order(found) == [f"words {n}" for n in (*range(0, 12, 2), *range(1, 12, 2))]


@pytest.mark.parametrize("times", [{}, {"created_at": None}])
def test_lines_with_the_new_turns_of_a_session_are_all_kept(folder, times):
    """Only the first line's turns were kept; without times, the turns of all lines stood at one moment."""
    lines = [("hi", "hello"), ("open?", "yes"), ("ok", "bye"), ("sorry", "yes"), ("ok", "bye now")]
    content = "".join(call(*line, minute=minute, **times) for minute, line in enumerate(lines))

    found = folder.rows_of("a.jsonl", content, last_day=TODAY)

    assert texts_in_order(found) == [text for line in lines for text in line]
    assert (found.duplicates, found.quarantined) == (0, [])


@pytest.mark.parametrize("times", [{}, {"created_at": None}])
def test_requests_that_repeat_the_history_count_it_as_duplicates(folder, times):
    """Each repeated message was quarantined as a conflict, because the later request has another time."""
    told = ("hi", "hello", "ok", "what else?", "ok", "bye")
    content = "".join(call(*told[:end], minute=end, latency=end, **times) for end in (2, 4, 6))

    found = folder.rows_of("a.jsonl", content, last_day=TODAY)

    assert texts_in_order(found) == list(told)
    assert (found.duplicates, found.quarantined) == (6, [])


def test_requests_with_the_latest_turns_only_continue_the_session(folder):
    told = ("hi", "hello", "open?", "yes", "thanks", "bye")
    content = "".join(call(*told[start : start + 4], created_at=None) for start in (0, 2))

    found = folder.rows_of("a.jsonl", content, last_day=TODAY)

    assert texts_in_order(found) == list(told)
    assert found.duplicates == 2


def test_equal_messages_of_one_export_are_separate_and_united_over_exports(folder, everything):
    content = call("ok", "yes", "ok", "yes")

    found = read_both(folder, everything, "a.jsonl", content, content)

    assert (len(found.messages), found.duplicates) == (4, 4)


@pytest.mark.parametrize(
    ("times", "sessions", "messages", "duplicates"),
    [(True, True, 18, 6), (True, False, 18, 6), (False, True, 18, 6), (False, False, 18, 6)],
)
def test_overlapping_tables_of_exchanges_give_each_exchange_once(
    folder, everything, times, sessions, messages, duplicates
):
    """Ids were made from the number of the row, so that overlapping exports doubled their exchanges."""
    first, second = (exchanges(numbers, times=times, sessions=sessions) for numbers in (range(6), range(3, 9)))

    found = read_both(folder, everything, "log.csv", first, second, last_day=TODAY)

    assert (len(found.messages), found.duplicates, found.quarantined) == (messages, duplicates, [])


@pytest.mark.parametrize("sessions", [True, False])
def test_equal_exchanges_of_one_table_are_separate(folder, sessions):
    content = exchanges([1, 1, 1], times=False, sessions=sessions)

    assert len(folder.rows_of("log.csv", content, last_day=TODAY).messages) == 6


def test_overlapping_exports_of_mapped_lists_give_each_message_once(folder, everything):
    """Ids were made from the file's name, so that a ticket of two exports had its messages twice."""
    mapping = folder.path / "mapping.yaml"
    mapping.write_text(json.dumps({"columns": ITEMS_COLUMNS}))

    def export(numbers: Sequence[int], state: str) -> str:
        entries = [{"kind": "user", "words": f"words {n}", "at": TIME.format(n)} for n in numbers]
        return json.dumps([{"nr": 1, "state": state, "entries": entries}])

    found = read_both(
        folder, everything, "a.json", export(range(2), "open"), export(range(3), "closed"), mapping=mapping
    )

    assert [row["text"] for row in found.messages] == ["words 0", "words 1", "words 2"]
    assert found.duplicates == 2


def test_a_conversation_without_an_id_is_one_conversation_in_two_exports(folder, everything):
    """Its id was made from the number of its line, so that an export with other lines before doubled it."""
    lines = [call("hi", f"hello {n}", session_id=None) for n in range(3)]

    found = read_both(folder, everything, "a.jsonl", "".join(lines), "".join(lines[1:]))

    assert (len(found.messages), found.duplicates) == (6, 4)
