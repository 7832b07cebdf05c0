"""Field mapping by YAML."""

from __future__ import annotations

import json

import duckdb
import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.row_rules.time_forms import time_macros, time_of
from analytics_platform_tests.cost import least_seconds

EXPORT = """thread,author_type,body,sent,text
t1,Customer,"hello",05.01.2024 10:00 +0100,subject
t1,BOT,hi,05.01.2024 10:01 +0100,
"""
MAPPING = """
columns: {conversation_id: thread, role: author_type, text: body, timestamp: sent}
roles: {customer: user, Bot: assistant}
timestamp_format: "%d.%m.%Y %H:%M %z"
constants: {channel: email, variant: 1}
"""


def test_columns_roles_times_and_constants_are_mapped(folder):
    found = folder.rows_of("a.csv", EXPORT, mapping=folder.write("mapping.yaml", MAPPING))

    rows = [
        (row["conversation_id"], row["role"], row["text"], row["channel"], row["variant"], row["extra"])
        for row in found.messages
    ]
    assert rows == [
        ("t1", "user", "hello", "email", "1", '{"text":"subject"}'),
        ("t1", "assistant", "hi", "email", "1", None),
    ]
    assert [row["timestamp"].isoformat() for row in found.messages] == [
        "2024-01-05T09:00:00+00:00",
        "2024-01-05T09:01:00+00:00",
    ]


def test_quarantine_shows_the_row_under_its_own_names(folder):
    line = {"thread": "t1", "author_type": "customer", "body": "x", "sent": "2024-01-05"}

    found = folder.rows_of("a.jsonl", json.dumps(line), mapping=folder.write("mapping.yaml", MAPPING))

    assert found.reasons == {1: "bad_timestamp"}
    assert json.loads(found.quarantined[0]["content"]) == line


@pytest.mark.parametrize(
    ("kind", "value"), [("epoch_seconds", 1704448800), ("epoch_milliseconds", 1704448800000), ("%Y%m%d%H", 2024010510)]
)
def test_a_number_is_read_as_the_format_says(folder, kind, value):
    mapping = folder.write("mapping.yaml", f"timestamp_format: '{kind}'")
    line = {"conversation_id": "c", "role": "user", "text": "x", "timestamp": value}

    found = folder.rows_of("a.jsonl", json.dumps(line), mapping=mapping)

    assert [row["timestamp"].isoformat() for row in found.messages] == ["2024-01-05T10:00:00+00:00"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("columns: {conversation: thread}", "columns: conversation: not an input column; these are: conversation_id,"),
        ("constants: {colour: red}", "constants: colour: not an input column"),
        ("roles: {bot: robot}", "roles: robot: not a role; these are: agent, assistant, system, tool, user"),
        (
            "timestamp_format: iso",
            "timestamp_format: 'iso' is none of epoch_seconds, epoch_milliseconds and no strptime",
        ),
        ("timestamp_format: '%Q'", "timestamp_format: '%Q' is none of"),
        ("timestamp_formats: ['%d.%m.%Y', dd.mm.yyyy]", "timestamp_formats: 'dd.mm.yyyy' is none of"),
        ("{timestamp_format: auto, timestamp_formats: [auto]}", "timestamp_format and timestamp_formats: keep one"),
        ("timezone: CET+1", "timezone: 'CET+1' is no IANA time zone such as Europe/Berlin"),
        ("rules: [{when: {private: true}}]", "rules.0: write either drop: true or role: <one of ours>"),
        ("rules: [{when: {private: true}, role: boss}]", "rules.0: boss: not a role; these are: agent,"),
        ("rules: [{when: {}, drop: true}]", "rules.0: when: names no column"),
        ("column: {text: body}", "column: Extra inputs are not permitted"),
        ("{columns: {text: body}, constants: {text: x}}", "text: under columns and under constants; keep one"),
        ("- a", "the file: Input should be a valid dictionary"),
        ("a: [", "mapping.yaml:1: not valid YAML"),
        ("roles:\n  bot: agent\n  bot: user", "mapping.yaml:3: roles.bot: is here a second time"),
    ],
)
def test_a_wrong_mapping_says_where_and_what(folder, content, message):
    folder.write("a.csv", EXPORT)
    mapping = folder.write("mapping.yaml", content)

    with pytest.raises(SourceError) as error:
        folder.source("*.csv", mapping=mapping).days()

    assert str(error.value).startswith("ANALYTICS_SOURCE_MAPPING: ")
    assert "mapping.yaml" in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_mapping_that_is_not_there_is_an_error(folder):
    folder.write("a.csv", EXPORT)

    with pytest.raises(SourceError, match=r"ANALYTICS_SOURCE_MAPPING: .*none\.yaml: cannot be read"):
        folder.source("*.csv", mapping=folder.path / "none.yaml").days()


def test_a_mapped_column_that_no_file_has_is_an_error(folder):
    folder.write("a.csv", EXPORT)
    mapping = folder.write("mapping.yaml", MAPPING.replace("columns: {", "columns: {user_id: costumer, "))

    with pytest.raises(SourceError, match="no file has the column costumer; they have author_type, body,"):
        folder.source("*.csv", mapping=mapping).days()


def test_a_column_of_a_rule_that_no_file_has_is_an_error(folder):
    folder.write("a.csv", EXPORT)
    mapping = folder.write("mapping.yaml", MAPPING + "rules: [{when: {privat: true}, drop: true}]")

    with pytest.raises(SourceError, match="no file has the column privat; they have author_type, body,"):
        folder.source("*.csv", mapping=mapping).days()


def test_several_forms_of_times_are_tried_in_their_order(folder):
    lines = [
        {"conversation_id": "c", "role": "user", "text": str(number), "timestamp": value}
        for number, value in enumerate(["01.02.2024 10:00", "2024-02-01T11:00:00Z", "02/01/2024 13:00"])
    ]
    mapping = folder.write("mapping.yaml", "timestamp_formats: ['%d.%m.%Y %H:%M', auto, '%m/%d/%Y %H:%M']")

    found = folder.rows_of("a.jsonl", "\n".join(map(json.dumps, lines)), mapping=mapping)

    assert [row["timestamp"].isoformat() for row in found.messages] == [
        "2024-02-01T10:00:00+00:00",
        "2024-02-01T11:00:00+00:00",
        "2024-02-01T13:00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2024-07-01 10:00", "2024-07-01T08:00:00+00:00"),
        ("2024-12-01 10:00", "2024-12-01T09:00:00+00:00"),
        ("2024-07-01T10:00:00Z", "2024-07-01T10:00:00+00:00"),
        ("2024-07-01T10:00:00+05:30", "2024-07-01T04:30:00+00:00"),
        ("1719828000", "2024-07-01T10:00:00+00:00"),
        ("01.07.2024 10:00", "2024-07-01T08:00:00+00:00"),
        ("2024-03-31 02:30", "2024-03-31T01:30:00+00:00"),
    ],
)
def test_only_times_without_an_offset_are_local(folder, time, utc):
    mapping = folder.write("mapping.yaml", "{timezone: Europe/Berlin, timestamp_formats: [auto, '%d.%m.%Y %H:%M']}")
    line = {"conversation_id": "c", "role": "user", "text": "x", "timestamp": time}

    found = folder.rows_of("a.jsonl", json.dumps(line), mapping=mapping)

    assert [row["timestamp"].isoformat() for row in found.messages] == [utc]


def test_null_words_of_a_mapping_replace_the_usual_ones(folder):
    row = {"conversation_id": "c", "role": "user", "text": "none", "timestamp": "2024-01-05"}
    lines = [{**row, "user_id": "anonymous"}, {**row, "user_id": "None"}]
    mapping = folder.write("mapping.yaml", "null_words: [anonymous]")

    found = folder.rows_of("a.jsonl", "\n".join(map(json.dumps, lines)), mapping=mapping)

    assert [(row["user_id"], row["text"]) for row in found.messages] == [(None, "none"), ("None", "none")]


def test_words_that_yaml_knows_are_taken_as_written(folder):
    """``yes: user`` was a boolean, and no row had the role word ``true``."""
    mapping = folder.write("mapping.yaml", "{columns: {role: by_customer}, roles: {yes: user, No: agent, 1: tool}}")
    rows = "".join(f"c,{word},x,2024-01-05\n" for word in ("yes", "no", "1"))

    found = folder.rows_of("a.csv", "conversation_id,by_customer,text,timestamp\n" + rows, mapping=mapping)

    assert [row["role"] for row in found.messages] == ["user", "agent", "tool"]


def test_a_changed_mapping_is_staged_anew(folder):
    mapping = folder.write("mapping.yaml", MAPPING)
    before = folder.rows_of("a.csv", EXPORT, mapping=mapping)
    folder.write("mapping.yaml", MAPPING.replace("email", "chat"))

    after = type(before)(folder.source("a.csv", mapping=mapping))

    assert {row["channel"] for row in before.messages} == {"email"}
    assert {row["channel"] for row in after.messages} == {"chat"}


def test_a_time_zone_does_not_multiply_the_planning_of_a_statement():
    """DuckDB expanded the reading of a time fifteen times, and planned each block of rows for two seconds."""

    def seconds(zone: str | None) -> float:
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            db.execute(time_macros(zone))
            statement = f"EXPLAIN SELECT {time_of('given', ('auto',), zone)} FROM (SELECT NULL::VARCHAR AS given)"
            return least_seconds(lambda: db.execute(statement))

    assert seconds("Europe/Berlin") < 6 * seconds(None)
