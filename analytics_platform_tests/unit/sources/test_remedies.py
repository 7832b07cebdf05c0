"""What the screen advises about rows that cannot be used fits their cause, and agrees with their number."""

from __future__ import annotations

import datetime as dt

import pytest

from analytics_platform.cli.source_lines import short_lines
from analytics_platform.operations.inspection import inspect_files
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
