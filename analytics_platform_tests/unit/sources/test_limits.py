"""Values too long to store, values that show nothing, and numbers that a float cannot hold."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.model.tables.clean_tables import MESSAGES
from analytics_platform.model.tables.raw_tables import INPUT_COLUMNS, MAX_TEXT_CHARACTERS, MAX_VALUE_CHARACTERS
from analytics_platform.sources.formats import csv_rows, json_rows
from analytics_platform.storage.mongo.wire_documents import MAX_DOCUMENT_BYTES, to_documents
from analytics_platform.transform.messages import clean_messages

GOOD = {"conversation_id": "c1", "message_id": "m1", "role": "user", "text": "hi", "timestamp": "2024-01-05T10:00:00Z"}


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, sorted(set().union(*rows)))
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist([dict.fromkeys(set().union(*rows)) | row for row in rows]), path)


WRITERS = {"a.csv": write_csv, "a.jsonl": write_jsonl, "a.parquet": write_parquet}


@pytest.mark.parametrize("name", WRITERS)
def test_a_text_of_five_megabytes_is_quarantined_and_its_neighbours_are_kept(folder, everything, name):
    long = GOOD | {"message_id": "m2", "text": "é, " * 1_700_000}
    WRITERS[name](folder.path / name, [GOOD, long, GOOD | {"message_id": "m3"}])

    found = everything(folder.source(name))

    assert found.reasons == {2: "text_too_long"}
    assert [row["message_id"] for row in found.messages] == ["m1", "m3"]
    (row,) = found.quarantined
    assert row["detail"].startswith(f"text has 5100000 characters; the most is {MAX_TEXT_CHARACTERS} (content: the")
    assert len(row["content"]) == MAX_TEXT_CHARACTERS


def test_what_is_cut_from_quarantined_content_is_told_by_length_and_hash(folder):
    line = '{"broken": "' + "x" * MAX_TEXT_CHARACTERS

    found = folder.rows_of("a.jsonl", line + "\n" + json.dumps(GOOD))

    (row,) = found.quarantined
    digest = hashlib.sha256(line.encode()).hexdigest()
    assert row["content"] == line[:MAX_TEXT_CHARACTERS]
    assert row["detail"].endswith(
        f"(content: the first {MAX_TEXT_CHARACTERS} of {len(line)} characters, SHA-256 {digest})"
    )


def test_cut_rows_that_differ_behind_the_cut_are_two_rows(folder):
    lines = [json.dumps(GOOD | {"text": "x" * 2 * MAX_TEXT_CHARACTERS + end}) for end in ("a", "b")]

    found = folder.rows_of("a.jsonl", "\n".join(lines))

    assert len({row["quarantine_id"] for row in found.quarantined}) == 2


WRONG = [
    ({"text": "x" * (MAX_TEXT_CHARACTERS + 1)}, "text_too_long", "text has 500001 characters; the most is 500000"),
    ({"conversation_id": "x" * 513}, "value_too_long", "longer than 512 characters: conversation_id"),
    ({"conversation_id": " \t "}, "missing_conversation_id", "conversation_id is empty"),
    ({"conversation_id": "\u200b\u00a0"}, "missing_conversation_id", "conversation_id is empty"),
    ({"conversation_id": "\0"}, "missing_conversation_id", "conversation_id is empty"),
    ({"role": " "}, "missing_role", "role is empty"),
    ({"text": " \n\u3000"}, "missing_text", "text is empty"),
    ({"timestamp": "  "}, "missing_timestamp", "timestamp is empty"),
]


def test_what_is_too_long_or_shows_nothing_is_quarantined(folder):
    lines = [json.dumps(GOOD | wrong) for wrong, *_ in WRONG]

    found = folder.rows_of("a.jsonl", "\n".join([json.dumps(GOOD), *lines]))

    assert found.reasons == {row: reason for row, (_, reason, _) in enumerate(WRONG, start=2)}
    details = {row["source_row"]: row["detail"] for row in found.quarantined}
    assert [detail for row, (*_, detail) in enumerate(WRONG, start=2) if detail not in details[row]] == []
    assert {row["conversation_id"] for row in found.quarantined} == {"c1", None}


@pytest.mark.parametrize("column", ["message_id", "user_id", "agent_id", "channel", "language", "outcome", "variant"])
def test_an_optional_value_that_is_too_long_is_null_and_kept_in_extra(folder, column):
    long = "x" * (MAX_VALUE_CHARACTERS + 1)

    (row,) = folder.rows_of("a.jsonl", json.dumps(GOOD | {column: long, "zone": "a", "area": "b"})).messages

    assert row[column] != long
    assert row["extra"] == f'{{"area":"b","unreadable.{column}":"{long}","zone":"a"}}'


def test_further_columns_that_are_too_long_cost_no_message(folder):
    (row,) = folder.rows_of("a.jsonl", json.dumps(GOOD | {"note": "x" * MAX_TEXT_CHARACTERS})).messages

    assert json.loads(row["extra"])["unreadable.extra"].startswith('{"note":"xxx')
    assert len(row["extra"]) < 2_000
    (repair,) = folder.source("a.jsonl").summary().repairs
    assert (repair.column, repair.rows) == ("extra", 1)


def test_values_of_just_the_greatest_length_are_kept(folder):
    long = {"text": "x" * MAX_TEXT_CHARACTERS, "user_id": "u" * MAX_VALUE_CHARACTERS}

    found = folder.rows_of("a.jsonl", json.dumps(GOOD | long))

    assert [row["user_id"] for row in found.messages] == [long["user_id"]]


def test_the_limits_hold_the_largest_message_below_mongodbs_document(folder):
    # U+1D160 becomes three characters in Unicode's normal form; between backticks it is in the text and in the code.
    share = 50  # a fiftieth of the longest text, and so of its document, in a fiftieth of the time
    text = "`" + "\U0001d160" * (MAX_TEXT_CHARACTERS // share - 2) + "`"
    values = {
        column.name: "\U0001f600" * MAX_VALUE_CHARACTERS
        for column in INPUT_COLUMNS
        if column.type == pa.string() and column.name not in {"role", "text"}
    }
    folder.write("a.jsonl", json.dumps(GOOD | values | {"text": text}))

    messages = clean_messages(folder.source().read_day("2024-01-05").messages)

    ((_, document),) = next(to_documents(MESSAGES, messages))
    assert 8_000_000 < len(document.raw) * share < MAX_DOCUMENT_BYTES


def test_a_blank_identifier_that_may_be_missing_is_missing(folder):
    found = folder.rows_of("a.jsonl", json.dumps(GOOD | {"message_id": " ", "user_id": "\t", "model": "\u00a0"}))

    (row,) = found.messages
    assert (row["user_id"], row["model"]) == (None, None)
    assert len(row["message_id"]) == 32


def test_an_assistants_blank_text_says_nothing_and_is_kept(folder):
    found = folder.rows_of("a.jsonl", json.dumps(GOOD | {"role": "assistant", "text": " "}))

    assert [row["text"] for row in found.messages] == [" "]


def test_a_nul_character_stays_in_text_and_identifiers(folder):
    found = folder.rows_of("a.jsonl", json.dumps(GOOD | {"user_id": "a\0b", "text": "x\0y", "message_id": "m\0"}))

    assert [(row["user_id"], row["text"], row["message_id"]) for row in found.messages] == [("a\0b", "x\0y", "m\0")]


def test_an_identifier_given_as_a_long_number_keeps_its_digits(folder):
    numbers = [
        "9007199254740993",
        "-9007199254740993",
        "18446744073709551617",
        "123456789012345678901234567890",
        "9" * 500,
        "9007199254740993.0",
        "12345678901234567890e3",
    ]
    lines = [json.dumps(GOOD | {"message_id": None}).replace('"c1"', number) for number in numbers]

    found = folder.rows_of("a.jsonl", "\n".join(lines))

    assert {row["conversation_id"] for row in found.messages} == set(numbers)


def test_long_numbers_are_kept_within_further_columns_too(folder):
    line = json.dumps(GOOD)[:-1] + ', "order": {"id": 123456789012345678901234567890, "price": 9.5}}'

    found = folder.rows_of("a.jsonl", line)

    assert json.loads(json.loads(found.messages[0]["extra"])["order"]) == {
        "id": "123456789012345678901234567890",
        "price": 9.5,
    }


@pytest.mark.slow  # reads a large file
@pytest.mark.parametrize(
    ("name", "module", "limit"),
    [("a.jsonl", json_rows, "RECORD_CHARACTERS"), ("a.csv", csv_rows, "RECORD_BYTES")],
)
def test_an_endless_line_costs_one_row_and_little_memory(folder, everything, monkeypatch, name, module, limit):
    """A packed file of 7 MB with one line of 1.5 GB took all memory, or, as CSV, never ended."""
    monkeypatch.setattr(module, limit, 8 << 20)
    long = GOOD | {"message_id": "m2", "text": "x" * (40 << 20)}
    WRITERS[name](folder.path / name, [GOOD, long, GOOD | {"message_id": "m3"}])
    packed = folder.path / f"{name}.gz"
    packed.write_bytes(gzip.compress((folder.path / name).read_bytes(), 1))

    tracemalloc.start()
    found = everything(folder.source(packed.name))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [row["message_id"] for row in found.messages] == ["m1", "m3"]
    assert list(found.reasons.values()) == ["unreadable_row"]
    assert peak < 100 << 20
