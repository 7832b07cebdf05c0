"""Files as people have them give the messages that a reader of the file would count."""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analytics_platform.sources.row_rules.row_summary import RowSummary
from analytics_platform.transform.conversations import conversation_metrics, raw_conversations
from analytics_platform.transform.language import normalise_codes
from analytics_platform.transform.messages import clean_messages

CASES = Path(__file__).parent / "cases"


class Case:
    """The rows of some files of a case, read with a mapping."""

    def __init__(self, folder: Any, everything: Any, pattern: str, mapping: Path | None, **options: Any) -> None:
        bounds = {"first_day": dt.date(2017, 1, 1), "last_day": dt.date(2026, 12, 31)}
        self.source = folder.source(pattern, mapping=mapping, **{**bounds, **options})
        found = everything(self.source)
        self.days = found.days
        self.messages: list[dict[str, Any]] = found.messages
        self.quarantined = found.quarantined
        self.duplicates = found.duplicates

    @property
    def conversations(self) -> list[str]:
        return sorted({row["conversation_id"] for row in self.messages})

    @property
    def times(self) -> list[str]:
        return [row["timestamp"].strftime("%H:%M:%S.%f").rstrip("0").rstrip(".") for row in self.messages]

    @property
    def roles(self) -> Counter[str]:
        return Counter(row["role"] for row in self.messages)

    def summary(self) -> RowSummary:
        return self.source.summary()

    def clean(self, day: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the rows of ``messages`` and of ``conversations`` of a day."""
        raw = self.days[day].messages
        messages = clean_messages(raw)
        return messages.to_pylist(), conversation_metrics(messages, raw_conversations(raw)).to_pylist()


@pytest.fixture
def case(folder: Any, everything: Any) -> Callable[..., Case]:
    def read(name: str, pattern: str, mapping: str | None = None, **options: Any) -> Case:
        shutil.copytree(CASES / name, folder.path, dirs_exist_ok=True)
        place = folder.path / "mapping.yaml"
        if mapping is not None:
            place.write_text(mapping, encoding="utf-8")
        return Case(folder, everything, pattern, place if place.is_file() else None, **options)

    return read


def test_long_numbers_as_ids_keep_all_digits(case):
    found = case("big_and_sci_ids", "ids.jsonl")
    assert found.conversations == ["007", "10254939386542155531", "72057594038135102", "72057594038135103"]


def test_ids_that_a_spreadsheet_rounded_are_warned_of(case):
    """Two customers' cases became one conversation without a word."""
    (warning,) = case("big_and_sci_ids", "excel.csv").summary().warnings
    assert "1 conversation id looks like a number that a spreadsheet rounded, e.g. 7.20576E+16" in warning


def test_private_notes_are_dropped_by_a_rule(case):
    """A note between colleagues counted as the first answer, and its author as the agent."""
    mapping = (CASES / "chatwoot_private_notes" / "mapping.yaml").read_text()
    found = case("chatwoot_private_notes", "messages.csv", mapping + "rules: [{when: {private: true}, drop: true}]\n")

    assert found.summary().left_out == {"a row that a rule drops": 1}
    messages, (conversation,) = found.clean("2024-06-20")
    assert [row["role"] for row in messages] == ["user", "assistant", "system", "agent", "user"]
    assert [row["response_seconds"] for row in messages if row["role"] == "agent"] == [None]
    assert conversation["agent_id"] != "amy"


def test_a_rule_gives_a_role_by_another_column(case):
    mapping = (CASES / "chatwoot_private_notes" / "mapping.yaml").read_text()
    found = case("chatwoot_private_notes", "messages.csv", mapping + "rules: [{when: {private: [true]}, role: system}]")
    assert found.roles == {"user": 2, "system": 2, "assistant": 1, "agent": 1}


def test_epochs_of_every_unit_are_told_apart_by_their_digits(case):
    found = case("epoch_mixed", "epochs.jsonl")
    assert found.conversations == ["e1"]
    assert found.times == [
        "08:00:00", "08:01:00", "08:02:00.25", "08:03:00.123", "08:04:00.123456", "08:05:00.123456", "08:06:00",
        "08:07:00",
    ]  # fmt: skip


def test_blank_rows_of_a_spreadsheet_are_no_rows(case):
    """Six rows below the last message were six rows in quarantine."""
    found = case("google_sheets_blank_rows", "sheet.csv")
    assert (len(found.messages), found.conversations, found.quarantined) == (4, ["g1", "g2"], [])
    assert found.summary().left_out == {"a row without any value": 6}


def test_every_form_of_iso_8601_and_of_mail_is_read(case):
    """Logs with a decimal comma, Java's zone in brackets, the basic form and mail dates were refused."""
    found = case("iso_variants", "times.csv")
    assert found.quarantined == []
    minutes = {int(row["text"].removeprefix("Form number ")): row["timestamp"] for row in found.messages}
    local = dt.timedelta(hours=2)
    for number, time in minutes.items():
        expected = dt.datetime(2024, 6, 20, 10, number, tzinfo=dt.UTC) - (local if number == 7 else dt.timedelta())
        assert time.replace(second=0, microsecond=0) == expected


def test_local_times_are_placed_by_their_zone_also_in_the_repeated_hour(case):
    """Times of Berlin were taken for UTC, and an answer came 40 minutes before its question."""
    found = case("local_time_dst", "berlin.csv")

    assert list(found.days) == ["2024-10-26", "2024-10-27", "2024-10-28"]
    assert found.messages[0]["timestamp"].isoformat() == "2024-10-26T22:30:00+00:00"
    messages, (conversation,) = found.clean("2024-10-27")
    assert [row["sent_at"].strftime("%H:%M") for row in messages] == ["00:50", "01:10"]
    assert conversation["first_response_seconds"] == 1200
    assert "2 local times occur twice" in found.summary().warnings[0]


def test_a_conversation_over_months_is_one_of_its_first_day(case):
    found = case("months_long", "tickets.csv")
    assert {day: rows.messages.num_rows for day, rows in found.days.items()} == {"2024-01-15": 5, "2024-06-20": 2}
    messages, (conversation,) = found.clean("2024-01-15")
    assert conversation["duration_seconds"] == 13_593_600
    assert [row["response_seconds"] for row in messages if row["response_seconds"]] == [7200, 28801]


def test_blanks_and_marks_around_values_are_no_part_of_them(case):
    found = case("nbsp_and_blanks", "sheet.csv")
    assert found.quarantined == []
    assert Counter(row["conversation_id"] for row in found.messages) == {"T-1": 3, "T-2": 2, "T-3": 1}


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("nul.csv", ["My file name is cafe.txt", "Thank you, got it", "Second chat"]),
        ("nul.jsonl", ["Null byte inside"]),
    ],
)
def test_nul_bytes_are_not_in_clean_texts(case, name, texts):
    messages, _ = case("nul_bytes", name).clean("2024-06-20")
    assert [row["text"] for row in messages] == texts


def test_null_words_are_no_customers_and_stay_as_texts(case):
    """``NULL``, ``None`` and ``nan`` were three customers."""
    found = case("null_words", "nulls.csv")
    assert (len(found.messages), len(found.conversations)) == (7, 4)
    assert {row["user_id"] for row in found.messages} == {"51", None}
    assert {"NA", "null", "N/A", "-"} <= {row["text"] for row in found.messages}


def test_whole_numbers_as_floats_are_the_ids_that_they_were(case):
    """Conversation 101 of one file and 101.0 of another were two, and ``nan`` was the language Min Nan."""
    found = case("parquet_float_ids", "part*.*")
    assert Counter(row["conversation_id"] for row in found.messages) == {"101": 3, "102": 1}
    assert list(found.days) == ["2024-06-20"]
    assert {row["user_id"] for row in found.messages} == {"7", None}
    assert {row["language"] for row in found.messages} == {None}


@pytest.mark.parametrize("mapping", [None, "{}"])
def test_role_words_of_every_platform_are_known(case, mapping):
    found = case("role_words", "roles.jsonl", mapping)
    assert (len(found.messages), len(found.conversations), found.quarantined) == (16, 8, [])


def test_messages_of_one_time_are_ordered_by_their_turn(case):
    """By the order of a file that is newest first, a conversation began with its last answer."""
    found = case("turn_index_newest_first", "export.csv")
    messages, (first, _) = found.clean("2024-06-20")
    assert next(row["text"] for row in messages if row["conversation_id"] == "k1") == "My internet is down."
    assert [row["role"] for row in messages if row["conversation_id"] == "k1"] == ["user", "agent", "user", "agent"]
    assert first["turn_count"] == 4
    assert len(found.messages) == 7


@pytest.mark.parametrize("mapping", ["mapping.yaml", "mapping_quoted.yaml"])
def test_role_words_that_yaml_takes_for_booleans_are_words(case, mapping):
    found = case("twcs_twitter", "twcs.csv", (CASES / "twcs_twitter" / mapping).read_text())
    assert {day: rows.messages.num_rows for day, rows in found.days.items()} == {"2017-10-31": 4, "2017-11-01": 1}
    _, (conversation,) = found.clean("2017-10-31")
    assert conversation["first_response_seconds"] == 902


def test_equal_messages_of_one_time_in_one_file_are_all_messages(case):
    """``continue``, said twice, was one message where the file states one time per conversation."""
    found = case("wildchat_exploded", "exploded.parquet")
    assert (len(found.messages), len(found.conversations), found.quarantined, found.duplicates) == (8, 2, [], 0)
    day = next(iter(found.days))
    messages, (first, *_) = found.clean(day)
    assert [row["role"] for row in messages if row["conversation_id"] == "aa01"] == ["user", "assistant"] * 3
    assert (first["message_count"], first["turn_count"]) == (6, 6)
    languages = normalise_codes(found.days[day].messages["language"].combine_chunks())
    assert set(languages.to_pylist()) <= {"en", "es"}


def test_narrow_blanks_and_direction_marks_in_times_are_read(case):
    """WhatsApp writes U+202F before AM and PM and U+200E before dates and names."""
    found = case("whatsapp_converted", "chat.csv")
    assert (len(found.messages), found.conversations, found.quarantined, found.duplicates) == (7, ["mia"], [], 0)
    assert found.times == ["09:58:00", "10:02:00", "10:03:00", "10:03:00", "12:15:00", "12:15:00", "13:05:00"]
    assert found.messages[0]["text"] == "Hi, is the blue jacket still available?\nI would need size M"
