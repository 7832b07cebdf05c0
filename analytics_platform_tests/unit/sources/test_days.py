"""Which day a row belongs to, and that the counts add up whatever the rows are."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.model import find_violations
from analytics_platform.model.tables.raw_tables import QUARANTINED_ROWS, RAW_MESSAGES
from analytics_platform_tests.sizes import by_day_or_night

COLUMNS = ["conversation_id", "message_id", "role", "text", "timestamp", "rating"]
HEADER = ",".join(COLUMNS) + "\n"


def test_a_conversation_belongs_to_the_day_of_its_earliest_message_across_files(folder, everything):
    folder.write("a.csv", HEADER + "c1,m2,user,second,2024-01-06T00:00:01Z,\n")

    folder.write("b.csv", HEADER + "c1,m1,user,first,2024-01-06T01:00:00+02:00,\n")

    both = everything(folder.source("*.csv"))

    assert {day: rows.messages.num_rows for day, rows in both.days.items()} == {"2024-01-05": 2}
    assert [row["source_file"] for row in both.messages] == ["b.csv", "a.csv"]


def test_a_late_message_changes_the_version_of_its_conversations_day_only(folder):
    first, second = "c1,m1,user,a,2024-01-05T10:00:00Z,\n", "c2,m2,user,b,2024-01-06T10:00:00Z,\n"
    folder.write("a.csv", HEADER + first + second)
    before = dict(folder.source().days())
    folder.write("a.csv", HEADER + first + second + "c1,m3,user,c,2024-01-09T10:00:00Z,\n")

    after = dict(folder.source().days())

    assert [day for day in after if after[day] != before[day]] == ["2024-01-05"]


def test_a_bad_row_lies_with_its_conversation_or_else_on_no_day(folder):
    """Rows without a day lay on the first day with rows, among bad rows that belong there."""
    found = folder.rows_of(
        "a.csv",
        HEADER
        + "c2,m1,user,a,2024-01-07T10:00:00Z,\n"
        + "c1,m2,user,a,2024-01-06T10:00:00Z,\n"
        + "c2,m3,user,a,yesterday,\n"
        + "c3,m4,user,a,yesterday,\n"
        + "c4,m5,user,a,2031-01-01,\n",
    )

    where = {row["source_row"]: str(row.get("date")) for row in found.quarantined}
    assert where == {3: "2024-01-07", 4: "None", 5: "None"}
    assert (found.unplaced.rows_read, list(found.days)) == (2, ["2024-01-06", "2024-01-07"])


def test_without_any_usable_row_no_day_has_rows(folder):
    """DuckDB's sum of rows of no day failed from 128 rows on, with a message about INT8."""
    found = folder.rows_of("a.csv", HEADER + "".join(f"c1,m{row},user,a,2031-01-01,\n" for row in range(200)))

    assert list(found.days) == []
    assert (found.unplaced.rows_read, set(found.reasons.values())) == (200, {"outside_partitions"})


def test_messages_of_one_id_in_two_conversations_are_two_messages(folder, everything):
    """Exports that number the messages of each conversation from 1 lost 60 % of their messages."""
    folder.write("a.csv", HEADER + "c1,1,user,a,2024-01-05T10:00:00Z,\nc1,2,user,b,2024-01-05T10:01:00Z,\n")
    folder.write("b.csv", HEADER + "c2,1,user,c,2024-01-06T10:00:00Z,\n")

    found = everything(folder.source("*.csv"))

    assert [(row["conversation_id"], row["message_id"]) for row in found.messages] == [
        ("c1", "1"),
        ("c1", "2"),
        ("c2", "1"),
    ]
    assert found.quarantined == []


TIMES = {
    "2024-01-05T10:00:00Z": "2024-01-05T10:00:00",
    "2024-01-05t10:00:00z": "2024-01-05T10:00:00",
    "2024-01-05 10:00": "2024-01-05T10:00:00",
    "2024-01-05 10:00:00 UTC": "2024-01-05T10:00:00",
    "2024-01-05 10:00:00 +0530": "2024-01-05T04:30:00",
    "2024-01-05T10:00:00.123456789-02": "2024-01-05T12:00:00.123456",
    "2024-01-05": "2024-01-05T00:00:00",
    " 1704448800 ": "2024-01-05T10:00:00",
    "1704448800.25": "2024-01-05T10:00:00.250000",
    "1704448800123": "2024-01-05T10:00:00.123000",
}


def test_timestamps_are_understood(folder):
    lines = [f"c{number},m{number:02d},user,a,{time},\n" for number, time in enumerate(TIMES)]

    found = folder.rows_of("a.csv", HEADER + "".join(lines))

    times = {row["message_id"]: row["timestamp"].isoformat() for row in found.messages}
    assert [times[identifier] for identifier in sorted(times)] == [f"{utc}+00:00" for utc in TIMES.values()]


rows = st.tuples(
    st.sampled_from(["c1", "c2", "c3", ""]),
    st.sampled_from(["m1", "m2", "m3", "", ""]),
    st.sampled_from(["user", "assistant", "robot", ""]),
    st.sampled_from(["hi", 'say "hi"\nthere, you', "", "\0"]),
    st.sampled_from(["2024-01-05T10:00:00Z", "2024-01-06", "1704448800", "2031-01-01", "soon", ""]),
    st.sampled_from(["", "", "5", "x"]),
).filter(any)  # a row without any value is left out, and counted nowhere
raw_lines = st.sampled_from([b'c1,m1,user,"open,2024-01-05,\n', b"c1\n", b"\n", b"c1,m1,user,\xff,2024-01-05,\n", b'"'])


def _line(row: tuple[str, ...]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(row)
    return text.getvalue().encode()


@pytest.mark.slow  # each example stages a source
@settings(
    max_examples=by_day_or_night(10, 100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(well_formed=st.lists(rows.map(_line), max_size=30), anything=st.lists(st.one_of(rows.map(_line), raw_lines)))
def test_rows_read_are_rows_kept_and_duplicates_and_quarantined(new_folder, everything, well_formed, anything):
    folder = new_folder()
    folder.write("a.csv", HEADER.encode() + b"".join(well_formed))
    folder.write("b.csv", HEADER.encode() + b"".join(anything))

    found = everything(folder.source("*.csv"))

    for day in found.days.values():
        assert day.rows_read == day.messages.num_rows + day.duplicates + day.quarantined.num_rows
        assert find_violations(RAW_MESSAGES, day.messages) == []
        assert find_violations(QUARANTINED_ROWS, day.quarantined) == []
    identifiers = [(row["conversation_id"], row["message_id"]) for row in found.messages]
    assert len(identifiers) == len(set(identifiers))
    assert len(well_formed) <= found.rows_read <= len(well_formed) + len(anything)
    assert {row["source_file"] for row in found.messages if row["source_row"] > len(well_formed)} <= {"b.csv"}
