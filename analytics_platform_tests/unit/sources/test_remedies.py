"""What the screen advises about rows that cannot be used fits their cause, and agrees with their number."""

from __future__ import annotations

import datetime as dt

import pytest

from analytics_platform.cli.source_lines import short_lines
from analytics_platform.operations.inspecting.inspection import inspect_files
from analytics_platform.sources.file_reading.file_source import FileSource
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.row_rules.row_summary import RowSummary

HEADER = "conversation_id,message_id,role,text,timestamp\n"
GOOD = "c1,m1,user,hello,2024-01-05T10:00:00Z\n"
EMPTY = {
    "missing_conversation_id": ",m2,user,hi,2024-01-05T10:00:00Z\n",
    "missing_role": "c1,m2,,hi,2024-01-05T10:00:00Z\n",
    "missing_text": "c1,m2,user,,2024-01-05T10:00:00Z\n",
    "missing_timestamp": "c1,m2,user,hi,\n",
}


def said(tmp_path, content: str) -> tuple[str, str]:
    """Return what a first run says about a file before and after it reads it."""
    (tmp_path / "a.csv").write_text(content)
    before = "\n".join(short_lines(inspect_files(str(tmp_path / "a.csv"), FieldMapping())))
    days = {"first_day": dt.date(2024, 1, 1), "last_day": dt.date(2024, 12, 31)}
    source = FileSource(str(tmp_path / "a.csv"), staging_dir=tmp_path / "staging", **days)
    return before, "\n".join(source.summary().lines())


@pytest.mark.parametrize("reason", EMPTY)
def test_one_empty_cell_is_not_blamed_on_the_mapping(tmp_path, reason):
    """A file whose only fault was one empty message was told to mend its mapping."""
    for text in said(tmp_path, HEADER + GOOD + EMPTY[reason]):
        assert f"1 row {reason}" in text or f"1 {reason}" in text
        assert "columns:" not in text


def test_a_column_that_is_empty_throughout_is_blamed_on_the_mapping(tmp_path):
    for text in said(tmp_path, HEADER + EMPTY["missing_text"] * 2):
        assert "`columns:` in" in text


def test_one_of_a_kind_is_counted_in_the_singular():
    """The screen said "1 rows read = 1 messages + 0 duplicates"."""
    (line,) = RowSummary(rows_read=1, kept=1).lines()

    assert line == "Source: 1 row read = 1 message + 0 duplicates + 0 in quarantine"


MESSAGE = '{"conversation_id":"c1","role":"user","text":"hi","timestamp":"2024-01-05T10:00:00Z"}'
FAULTS = {
    "unquoted.csv": (HEADER + "c1,m1,user,hello, it is Jo,2024-01-05T10:00:00Z\n", "needs quotes"),
    "two.jsonl": (f"{MESSAGE}\n{MESSAGE}{MESSAGE}\n", "a line must hold one whole JSON object"),
    "python.jsonl": (MESSAGE.replace('"', "'") * 2 + "\n", "a line must hold one whole JSON object"),
    "time.csv": (HEADER + "c1,m1,user,hello,10:00\n", "a time needs its date"),
    "future.csv": (HEADER + "c1,m1,user,hello,2124-01-05T10:00:00Z\n", "outside the years 1970 to 2099"),
    "cut.json": (f"[{MESSAGE},{MESSAGE[:30]}", "the file ends within a record"),
    "log.txt": ("2024-01-05 10:00 INFO started\n", "neither a table nor a chat of WhatsApp"),
    "error.json": ('{"error":{"code":401}}', "if it holds messages"),
    "binary.csv": ("".join(map(chr, range(32))) * 4, "is no text, no workbook and no Parquet"),
    "pointer.jsonl": ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run `git lfs pull`"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_file_is_told_what_is_wrong_with_it(tmp_path, name):
    """Lines that are no JSON, a time of 2124 and a binary file were told to mend their mapping."""
    content, advice = FAULTS[name]
    (tmp_path / name).write_text(content)

    text = "\n".join(short_lines(inspect_files(str(tmp_path / name), FieldMapping())))

    assert advice in text
    assert "timestamp_formats" not in text


def test_an_example_on_the_screen_quotes_no_message(tmp_path):
    row = "c1,m1,user,my password is hunter2, please,2024-01-05T10:00:00Z\n"

    _, after = said(tmp_path, HEADER + GOOD + row + 'c1,m3,user,"hunter2' + "\n")

    assert "1 unreadable_row" in after or "2 unreadable_row" in after
    assert "hunter2" not in after


def test_ids_that_a_spreadsheet_rounded_are_told_with_their_messages(tmp_path):
    """Different conversations were one, and nothing said why messages with a rounded id were in quarantine."""
    ids = ["1.23457E+15;", "1.23457E+15;", "1,23458E+15;", "c1;4.5E+17", "c1;4.5E+17"]
    lines = (f"{both};user;hi {number};2024-01-05T10:00:00Z\n" for number, both in enumerate(ids))
    _, after = said(tmp_path, HEADER.replace(",", ";") + "".join(lines))

    assert "2 conversation ids look like numbers that a spreadsheet rounded" in after
    assert "may have become one, in 3 messages; export them again" in after
    assert "1 conflicting_duplicate" in after
    assert "a spreadsheet rounded the ids of messages" in after
