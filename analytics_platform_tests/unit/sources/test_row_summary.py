"""What became of all rows of a source, with reasons, examples and what mends them."""

from __future__ import annotations

import json

import pytest

from analytics_platform.sources.base import NothingUsableError, require_usable
from analytics_platform.sources.row_rules.row_summary import RowSummary, parse_summary

HEADER = "conversation_id,message_id,role,text,timestamp,rating\n"
GOOD = "c1,m1,user,hello,2024-01-05T10:00:00Z,\n"


def summary_of(folder, content: str) -> RowSummary:
    folder.write("a.csv", HEADER + content)
    return folder.source("a.csv").summary()


def test_every_row_of_the_source_is_counted_once(folder):
    found = summary_of(
        folder,
        GOOD
        + GOOD
        + "c1,m2,user,hi,2024-01-05T10:00:00Z,fair\n"
        + "c1,m3,wizard,hi,2024-01-05T10:00:00Z,\n"
        + "c9,m4,user,hi,at noon,\n"
        + ",,,,,\n",
    )
    assert found.counts() == {
        "rows_read": 5, "kept": 2, "repaired": 1, "duplicates": 1, "quarantined": 2, "without_day": 1,
        "bad_timestamp": 1, "unknown_role": 1,
    }  # fmt: skip
    assert found.left_out == {"a row without any value": 1}
    counts, bad_timestamp, unknown_role, words, repaired = found.lines()
    assert counts.startswith(
        "Source: 5 rows read = 2 messages (1 repaired) + 1 duplicate + 2 in quarantine, 1 left out"
    )
    assert bad_timestamp.startswith(
        "  1 bad_timestamp: e.g. timestamp is 'at noon' (a.csv row 5); `timestamp_formats:`"
    )
    assert unknown_role.startswith("  1 unknown_role: e.g. role is 'wizard' (a.csv row 4); `roles:` in the file of")
    assert words == "    role words without a meaning: 'wizard' 1"
    assert repaired == "  1 repaired: rating cannot be read and is null; extra has it as unreadable.rating, e.g. 'fair'"


def test_an_example_quotes_nothing_that_a_customer_said(folder):
    found = summary_of(folder, GOOD + 'c1,m2,user,"my card is 4111,2024-01-05,\n')
    (reason,) = found.reasons
    assert (reason.reason, reason.example) == ("unreadable_row", "a.csv row 2")
    assert "4111" not in "".join(found.lines())


def test_an_example_of_a_conversation_outside_names_no_conversation(folder):
    found = summary_of(folder, GOOD + "ann@example.com starts on,m2,user,hi,1999-01-01,\n")
    (reason,) = found.reasons
    assert reason.example.startswith("a conversation starts on 1999-01-01, outside the days kept")
    assert "ann" not in "".join(found.lines())


def test_a_source_without_any_usable_row_is_refused_with_the_setting_that_mends_it(folder):
    """Any unknown date format ended with exit 0, empty tables and "0 rows in quarantine"."""
    found = summary_of(folder, "c1,m1,user,hello,20/06/24 at ten,\n" * 3)
    assert found.is_total_loss
    with pytest.raises(NothingUsableError, match=r"none of the 3 rows .* 3 bad_timestamp, .*`timestamp_formats:`"):
        require_usable(found)


def test_a_source_without_rows_is_no_total_loss(folder):
    require_usable(summary_of(folder, ""))


def test_a_summary_is_read_as_it_was_written(folder, tmp_path):
    found = summary_of(folder, GOOD + "c1,m2,wizard,hi,2024-01-05,x\n" + "c1,m3,user,hi,2024-01-05,x\n")
    path = tmp_path / "summary.json"
    path.write_text(found.as_text())
    assert parse_summary(path) == found
    assert json.loads(json.dumps(found.as_json()))["reasons"][0]["reason"] == "unknown_role"


def test_one_wrong_clock_costs_one_message_and_not_its_conversation(folder):
    """A clock of 1970 moved its conversation before the first partition, so that all its messages were lost."""
    lines = [f"c1,m{day},user,hi,2024-01-0{day}T10:00:00Z,\n" for day in (5, 6)]
    clocks = ["1970-01-01T00:00:00Z", "2023-12-31T23:59:59Z", "2098-01-01T00:00:00Z"]
    wrong = [f"c1,w{number},user,hi,{time},\n" for number, time in enumerate(clocks)]

    found = folder.rows_of("a.csv", HEADER + "".join([*wrong, *lines]))

    assert list(found.days) == ["2024-01-05"]
    assert [row["message_id"] for row in found.messages] == ["m5", "m6"]
    assert set(found.reasons.values()) == {"outside_partitions"}
    assert "timestamp is '1970-01-01 00:00:00', outside the days kept" in found.quarantined[0]["detail"]


def test_a_conversation_may_go_on_after_the_last_partition(folder):
    found = folder.rows_of(
        "a.csv", HEADER + "c1,m1,user,a,2024-12-31T23:59:00Z,\n" + "c1,m2,agent,b,2025-03-01T10:00:00Z,\n"
    )
    assert {day: rows.messages.num_rows for day, rows in found.days.items()} == {"2024-12-31": 2}
