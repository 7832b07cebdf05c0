"""What a message's time is the time of, and whether a source can state failures."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from analytics_platform.sources.base import SourceError

HEADER = "conversation_id,role,text,timestamp\n"


def time_sources(folder, name: str, content: str, **options) -> list[str]:
    return [row["time_source"] for row in folder.rows_of(name, content, **options).messages]


def test_times_of_single_messages_are_their_own(folder):
    rows = "a,user,hello,2024-01-05 10:00\na,agent,yes?,2024-01-05 10:02\n"
    assert time_sources(folder, "a.csv", HEADER + rows) == ["message", "message"]


def test_one_time_for_each_ticket_is_the_tickets(folder):
    """A ticket export repeats the ticket's time in each comment: the report said a median of 0 s to the answer."""
    rows = "a,user,hello,2024-01-05 10:00\na,agent,yes?,2024-01-05 10:00\nb,user,and I?,2024-01-06 09:00\n"
    assert time_sources(folder, "a.csv", HEADER + rows) == ["conversation"] * 3


def test_equal_times_in_some_conversations_stay_stated(folder):
    """Where a file has times to the minute, a chat within one minute is no ticket."""
    rows = "a,user,hello,2024-01-05 10:00\na,agent,yes?,2024-01-05 10:00\n"
    rows += "b,user,and I?,2024-01-06 09:00\nb,agent,You too,2024-01-06 09:01\n"
    assert time_sources(folder, "a.csv", HEADER + rows) == ["message"] * 4


@pytest.mark.parametrize(
    "times",
    [
        ("2024-01-05", "2024-01-06"),
        ("05.01.2024", "06.01.2024"),
        ("2024-01-05T00:00:00Z", "2024-01-06T00:00:00Z"),
        ("5 Jan 2024", "6 Jan 2024"),
        ("5. Januar 2024", "6. Januar 2024"),
    ],
)
def test_a_date_without_time_of_day_is_a_day(folder, times):
    """Whole days gave waits of 0 s and of 86,400 s."""
    rows = f"a,user,hello,{times[0]}\na,agent,yes?,{times[1]}\n"
    assert time_sources(folder, "a.csv", HEADER + rows) == ["day", "day"]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, ["file", "file"]),
        (
            {
                "id": "c",
                "created_at": "2024-01-05T10:00:00Z",
                "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
            },
            ["conversation", "conversation"],
        ),
        ({"question": "q", "answer": "a", "timestamp": "2024-01-05T10:00:00Z"}, ["message", "conversation"]),
        (
            {"input": "q", "output": "a", "start_time": "2024-01-05T10:00:00Z", "end_time": "2024-01-05T10:00:03Z"},
            ["message", "message"],
        ),
        (
            {
                "id": 7,
                "created_at": "2024-01-05T10:00:00Z",
                "requester_id": 1,
                "comments": [{"author_id": 1, "body": "q"}, {"author_id": 2, "body": "a"}],
            },
            ["conversation", "conversation"],
        ),
    ],
)
def test_a_shape_says_which_times_it_took_from_elsewhere(folder, record, expected):
    """Messages without times got them by their place, 1 ms apart, and the report called the answers instant."""
    bounds = {"last_day": dt.date(2030, 1, 1)}
    assert time_sources(folder, "a.jsonl", json.dumps(record) + "\n", **bounds) == expected


def test_a_constant_time_is_no_messages_own(folder):
    mapping = folder.write("mapping.yaml", "constants: {timestamp: '2024-01-05T10:00:00Z'}")
    content = "conversation_id,role,text\na,user,hello\na,agent,yes?\n"
    assert time_sources(folder, "a.csv", content, mapping=mapping) == ["conversation", "conversation"]


def test_a_mapping_says_what_a_column_of_times_is_the_time_of(folder):
    mapping = folder.write("mapping.yaml", "constants: {time_source: conversation}")
    rows = "a,user,hello,2024-01-05 10:00\na,agent,yes?,2024-01-05 10:02\n"
    assert time_sources(folder, "a.csv", HEADER + rows, mapping=mapping) == ["conversation", "conversation"]
    wrong = folder.write("wrong.yaml", "constants: {time_source: ticket}")
    with pytest.raises(SourceError, match="time_source: 'ticket' is none of message, conversation, day, file"):
        folder.source("a.csv", mapping=wrong).days()


def test_a_dotted_time_of_the_record_is_the_conversations(folder):
    columns = "{conversation_id: key, role: 'log[].by', text: 'log[].said', timestamp: at}"
    mapping = folder.write("mapping.yaml", f"columns: {columns}")
    log = [{"by": "user", "said": "hello"}, {"by": "agent", "said": "yes?"}]
    content = json.dumps({"key": "c", "at": "2024-01-05T10:00:00Z", "log": log}) + "\n"
    assert time_sources(folder, "a.jsonl", content, mapping=mapping) == ["conversation", "conversation"]


def test_missing_times_are_said(folder):
    rows = "a,user,hello,2024-01-05 10:00\na,agent,yes?,2024-01-05 10:00\n"
    folder.write("a.csv", HEADER + rows)
    assert any(
        "2 of 2 messages have no time of their own" in line for line in folder.source("a.csv").summary().warnings
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("solved", "closed"), "closings"),
        (("solved", "unresolved"), "both"),
        (("Solved", "not_solved"), "both"),
        (("1.0", "0.0"), "both"),
        (("open", "pending"), "closings"),
        (("on_hold", "solved", "escalated"), "both"),  # what has no known meaning may be a failure
    ],
)
def test_outcomes_without_any_failure_are_only_closings(folder, words, expected):
    """Of tickets that are only ever solved or closed, the report said that 100% were successes."""
    header = HEADER.strip() + ",outcome\n"
    rows = "".join(f"c{n},user,hello,2024-01-05T10:0{n}:00Z,{word}\n" for n, word in enumerate(words))
    found = folder.rows_of("a.csv", header + rows).messages
    assert {row["outcome_range"] for row in found} == {expected}
    said = [line for line in folder.source("a.csv").summary().warnings if "closed is no success" in line]
    assert len(said) == (expected == "closings" and "solved" in words)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["21", "21", "20", "20"], ["3", "2", "1", "0"]),
        (["21 10:05", "21 10:05", "21 10:05", "21 10:04"], ["3", "2", "1", "0"]),
        (["20", "20", "21", "21"], ["0", "1", "2", "3"]),
        (["20", "20", "20", "20"], ["0", "1", "2", "3"]),
    ],
)
def test_equal_times_are_read_in_the_direction_of_their_file(folder, times, expected):
    """In a file that is written newest first, questions stood behind their answers."""
    lines = "".join(f"c1,user,{text},2024-06-{time}\n" for text, time in enumerate(times))
    of_one_day = "c2,user,0,2024-06-20\nc2,agent,1,2024-06-20\n"
    found = folder.rows_of("a.csv", f"conversation_id,role,text,timestamp\n{lines}{of_one_day}")
    order = sorted(found.messages, key=lambda row: (row["timestamp"], row["sequence"] or 0, row["source_row"]))

    assert [row["text"] for row in order if row["conversation_id"] == "c1"] == expected
    is_turned = expected[0] == "3"
    assert [row["text"] for row in order if row["conversation_id"] == "c2"] == (["1", "0"] if is_turned else ["0", "1"])


def test_an_answer_stays_behind_its_question_in_a_newest_first_file(folder):
    """Each answer with the time of its question stood before it."""
    rows = "".join(f"c1,q{n},a{n},2024-06-20 10:0{n}\n" for n in (3, 2, 1))
    found = folder.rows_of("a.csv", f"conversation_id,question,answer,created_at\n{rows}")
    order = sorted(found.messages, key=lambda row: (row["timestamp"], row["sequence"] or 0, row["source_row"]))

    assert [row["text"] for row in order] == ["q1", "a1", "q2", "a2", "q3", "a3"]
