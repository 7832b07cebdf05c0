"""Equal rows of one file are messages, equal rows of two exports are one message, and the newest export counts."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform_tests.sizes import by_day_or_night

HEADER = "conversation_id,role,text,timestamp\n"
TIME = "2024-01-05T10:00:00Z"


def line(text: str = "ok", **values: Any) -> str:
    return json.dumps({"conversation_id": "c1", "role": "user", "text": text, "timestamp": TIME, **values}) + "\n"


def write_export(folder: Any, name: str, content: str, *, written_at: int) -> None:
    path = folder.write(name, content)
    os.utime(path, (written_at, written_at))


def test_equal_rows_without_an_id_in_one_file_are_separate_messages(folder):
    found = folder.rows_of("a.csv", HEADER + f"c1,user,ok,{TIME}\n" * 3)

    assert len({row["message_id"] for row in found.messages}) == 3
    assert (found.duplicates, found.quarantined) == (0, [])


def test_later_rows_change_no_id_of_equal_rows(folder):
    before = folder.rows_of("a.csv", HEADER + f"c1,user,ok,{TIME}\n" * 2)
    after = folder.rows_of("a.csv", HEADER + f"c1,user,ok,{TIME}\n" * 2 + f"c1,user,no,{TIME}\nc1,user,ok,{TIME}\n")

    assert len(after.messages) == 4
    assert {row["message_id"] for row in before.messages} < {row["message_id"] for row in after.messages}


def test_an_export_that_is_there_twice_is_counted_as_duplicates(folder, everything):
    for name in ("a.csv", "b.csv"):
        folder.write(name, HEADER + f"c1,user,ok,{TIME}\n" * 2)

    source = folder.source("*.csv")
    found = everything(source)

    assert (len(found.messages), found.duplicates, found.quarantined) == (2, 2, [])
    assert (source.summary().kept, source.summary().duplicates) == (2, 2)


def test_of_two_exports_the_newest_says_how_a_ticket_stands(folder, everything):
    """Of overlapping exports the oldest one won: a solved ticket stayed open."""
    message = line(message_id="1", outcome="open")
    write_export(folder, "a.jsonl", line(message_id="1", outcome="solved"), written_at=2_000)
    write_export(folder, "b.jsonl", message + line(message_id="2", outcome="open"), written_at=1_000)

    found = everything(folder.source("*.jsonl"))

    assert {row["message_id"]: row["outcome"] for row in found.messages} == {"1": "solved", "2": "open"}
    assert (found.duplicates, found.quarantined) == (1, [])


def test_of_exports_of_one_time_the_later_in_the_list_counts(folder, everything):
    for name, outcome in (("a.jsonl", "open"), ("b.jsonl", "solved")):
        write_export(folder, name, line(message_id="1", outcome=outcome), written_at=1_000)

    for listed, outcome in (("a.jsonl,b.jsonl", "solved"), ("b.jsonl,a.jsonl", "open")):
        paths = ",".join(str(folder.path / name) for name in listed.split(","))
        source = folder.source("*.jsonl")
        source._paths = paths
        assert [row["outcome"] for row in everything(source).messages] == [outcome]


texts = st.lists(st.sampled_from(["ok", "yes", "no"]), max_size=6)


@pytest.mark.slow  # each example stages a source
@settings(
    max_examples=by_day_or_night(10, 100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=texts, later=texts)
def test_overlapping_exports_unite_to_the_longest_one(new_folder, everything, first, later):
    """Of each message, the union has as many as the export that has most of them."""
    folder = new_folder()
    for name, said in (("a.csv", first), ("b.csv", first + later)):
        folder.write(name, HEADER + "".join(f"c1,user,{text},{TIME}\n" for text in said))

    found = everything(folder.source("*.csv"))

    assert sorted(row["text"] for row in found.messages) == sorted(first + later)
    assert found.duplicates == len(first)
