"""Rows and files that cannot be used: each ends in quarantine or in one clear message."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats import csv_rows

HEADER = "conversation_id,message_id,role,text,timestamp\n"
GOOD = "c1,m1,user,hello,2024-01-05T10:00:00Z\n"
ALSO_GOOD = "c1,m9,user,bye,2024-01-05T11:00:00Z\n"


BAD_LINES = [
    ("c1,m2,user,hi,2024-01-05,more\n", "unreadable_row", "6 fields where the header has 5"),
    ("c1,m2,user\n", "unreadable_row", "3 fields where the header has 5"),
    ('c1,m2,user,"never closed,2024-01-05\n', "unreadable_row", "broken quotes in"),
    ('c1,m2,user,"closed"too early,2024-01-05\n', "unreadable_row", "broken quotes in"),
    (",m2,user,hi,2024-01-05\n", "missing_conversation_id", "conversation_id is empty"),
    ("c1,m2,,hi,2024-01-05\n", "missing_role", "role is empty"),
    ("c1,m2,robot,hi,2024-01-05\n", "unknown_role", "role is 'robot'"),
    ("c1,m2,user,,2024-01-05\n", "missing_text", "text is empty"),
    ("c1,m2,user,hi,\n", "missing_timestamp", "timestamp is empty"),
    ("c1,m2,user,hi,yesterday\n", "bad_timestamp", "timestamp is 'yesterday'"),
    ("c1,m2,user,hi,2024-02-30T10:00:00Z\n", "bad_timestamp", "timestamp is '2024-02-30T10:00:00Z'"),
    ("c1,m2,user,hi,0024-01-05\n", "bad_timestamp", "timestamp is '0024-01-05'"),
    ("c1,m2,user,hi,9999-01-05\n", "bad_timestamp", "timestamp is '9999-01-05'"),
    ("c1,m2,user,hi,-5\n", "bad_timestamp", "timestamp is '-5'"),
    ("c1,m2,user,hi,1e300\n", "bad_timestamp", "timestamp is '1e300'"),
    ("c1,m2,user,hi,nan\n", "bad_timestamp", "timestamp is 'nan'"),
    ("c1,m1,user,other,2024-01-05T10:00:00Z\n", "conflicting_duplicate", "'m1', read before in a.csv row 1"),
    ("c2,m2,user,hi,2023-12-31T23:59:59Z\n", "outside_partitions", "'c2' starts on 2023-12-31, outside the days kept"),
]


def test_a_bad_row_is_quarantined_and_its_neighbours_are_kept(folder):
    good = [f"c1,good{number},user,hello,2024-01-05T10:00:00Z\n" for number in range(len(BAD_LINES))]
    lines = [line for pair in zip(good, (line for line, *_ in BAD_LINES), strict=True) for line in pair]

    found = folder.rows_of("a.csv", HEADER + GOOD + "".join(lines) + ALSO_GOOD)

    expected = {2 * number + 3: reason for number, (_, reason, _) in enumerate(BAD_LINES)}
    details = {row["source_row"]: row["detail"] for row in found.quarantined}
    assert found.reasons == expected
    assert all(detail in details[2 * number + 3] for number, (*_, detail) in enumerate(BAD_LINES))
    assert len(found.messages) == len(BAD_LINES) + 2
    assert found.rows_read == 2 * len(BAD_LINES) + 2


def test_an_unreadable_number_is_null_and_kept_in_extra(folder):
    """A rating that is no number put its message, and 86 % of a file, into quarantine."""
    bad = [("rating", "so so"), ("rating", "1,234"), ("rating", "inf"), ("tokens", "-1"), ("tokens", "1.5")]
    bad += [("tokens", "1e99"), ("cost", "-0.1"), ("cost", "free")]
    bad += [("rating", "1e300"), ("rating", "-1e13"), ("tokens", "9007199254740992"), ("cost", "1e300")]
    row = {"conversation_id": "c1", "role": "user", "text": "hi", "timestamp": "2024-01-05"}
    lines = [{**row, column: value} for column, value in bad]

    found = folder.rows_of("a.jsonl", "\n".join(map(json.dumps, lines)))

    assert found.quarantined == []
    assert [(row["rating"], row["tokens"], row["cost"]) for row in found.messages] == [(None, None, None)] * len(bad)
    kept = {row["source_row"]: json.loads(row["extra"]) for row in found.messages}
    assert [kept[number] for number in range(1, len(bad) + 1)] == [
        {f"unreadable.{column}": value} for column, value in bad
    ]
    summary = folder.source("a.jsonl").summary()
    assert (summary.kept, summary.repaired, summary.quarantined) == (len(bad), len(bad), 0)
    assert {repair.column: (repair.rows, repair.example) for repair in summary.repairs} == {
        "rating": (5, "so so"),
        "tokens": (4, "-1"),
        "cost": (3, "-0.1"),
    }


RATINGS = {
    "Good": 5, "good with comment": 5, "bad": 1, "bad_with_comment": 1, "\N{NEUTRAL FACE}": 3,
    "\N{WHITE FROWNING FACE}\ufe0f": 2, "\N{BLACK STAR}" * 4 + "\N{WHITE STAR}": 4, "offered": None, "Unoffered": None,
}  # fmt: skip


def rated(number: int, written: str) -> dict[str, str]:
    return {
        "conversation_id": f"c{number}", "role": "user", "text": "hi", "timestamp": "2024-01-05", "rating": written,
    }  # fmt: skip


@pytest.fixture(scope="module", params=["csv", "jsonl"])
def read_ratings(request, read_together):
    """The message of each of ``RATINGS``, read from a file of its own."""
    rows = [rated(number, written) for number, written in enumerate(RATINGS)]
    csv = [f"{','.join(row)}\n{','.join(row.values())}\n" for row in rows]
    contents = csv if request.param == "csv" else map(json.dumps, rows)
    files = {f"{number}.{request.param}": content for number, content in enumerate(contents)}
    return dict(zip(RATINGS, read_together(files).values(), strict=True))


@pytest.mark.parametrize("written", RATINGS)
def test_a_rating_in_words_becomes_a_number(read_ratings, written):
    """Zendesk's good and bad were unreadable, so that no report had a rating."""
    (message,) = read_ratings[written]
    number = RATINGS[written]

    assert message["rating"] == number
    assert json.loads(message["extra"] or "{}") == ({} if number is None else {"stated.rating": written})


@pytest.mark.parametrize("written", ["bad", "offered"])
def test_a_rating_in_words_is_no_repair(folder, written):
    folder.write("a.jsonl", json.dumps(rated(1, written)))
    assert folder.source("a.jsonl").summary().repaired == 0


NUMBERS = {
    ("rating", "4,5"): 4.5,
    ("rating", "5/5"): 5,
    ("rating", "4.5 / 5"): 4.5,
    ("rating", " 3 "): 3,
    ("cost", "0,0021"): 0.0021,
    ("cost", "$0.02"): 0.02,
    ("cost", "0.02 USD"): 0.02,
    ("tokens", "1,234"): 1234,
    ("tokens", "12.0"): 12,
    ("input_tokens", "7"): 7,
}


@pytest.fixture(scope="module")
def read_numbers(read_together):
    """The message of each of ``NUMBERS``, read from a file of its own."""
    row = {"role": "user", "text": "hi", "timestamp": "2024-01-05"}
    files = {
        f"{number}.jsonl": json.dumps({"conversation_id": f"c{number}", **row, column: written})
        for number, (column, written) in enumerate(NUMBERS)
    }
    return dict(zip(NUMBERS, read_together(files).values(), strict=True))


@pytest.mark.parametrize(("column", "written"), NUMBERS)
def test_a_number_of_one_reading_is_read_however_it_is_written(read_numbers, column, written):
    (message,) = read_numbers[column, written]

    assert (message[column], message["extra"]) == (NUMBERS[column, written], None)


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("a.csv", b"c1,m2,user,\xff\xfe,2024-01-05", "invalid_utf8"),
        ("a.jsonl", b'{"conversation_id":"c1","role":"user","text":"\xff","timestamp":"2024-01-05"}', "invalid_utf8"),
        ("a.jsonl", rb'{"conversation_id":"c1","role":"user","text":"\ud800","timestamp":1704448800}', "invalid_utf8"),
        ("a.jsonl", b'{"conversation_id":"c1","role":', "unreadable_row"),
        ("a.jsonl", b'["c1"]', "unreadable_row"),
        ("a.jsonl", b"NaN", "unreadable_row"),
        ("a.jsonl", b"[" * 100_000, "unreadable_row"),
    ],
)  # fmt: skip
def test_undecodable_and_unreadable_lines_are_quarantined(folder, name, line, reason):
    good = json.dumps({"conversation_id": "c1", "role": "user", "text": "hi", "timestamp": "2024-01-05"}).encode()
    before, after = (HEADER + GOOD, ALSO_GOOD) if name == "a.csv" else (good + b"\n", "")
    before = before if isinstance(before, bytes) else before.encode()

    found = folder.rows_of(name, before + line + b"\n" + after.encode())

    assert found.reasons == {2: reason}
    assert len(found.messages) == found.rows_read - 1
    assert found.quarantined[0]["conversation_id"] == ("c1" if reason == "invalid_utf8" else None)


def test_invalid_utf8_in_parquet_is_quarantined(folder, everything):
    texts = pa.array([b"fine", b"\xff\xfe"], pa.binary()).view(pa.string())
    same = {"conversation_id": "c1", "role": "user", "timestamp": "2024-01-05"}
    table = pa.table({name: [value] * 2 for name, value in same.items()}).append_column("text", texts)
    pq.write_table(table, folder.path / "a.parquet")

    found = everything(folder.source())

    assert found.reasons == {2: "invalid_utf8"}
    assert json.loads(found.quarantined[0]["content"])["text"] == r"\xff\xfe"


def test_an_escaped_nul_and_a_pair_of_surrogates_are_kept(folder):
    line = r'{"conversation_id":"c1","role":"user","text":"a\u0000b\ud83d\ude00","timestamp":"2024-01-05","n":NaN}'

    found = folder.rows_of("a.jsonl", line)

    assert [(row["text"], row["extra"]) for row in found.messages] == [("a\0b😀", '{"n":"NaN"}')]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_file_of_zero_bytes_has_no_rows(folder, name):
    folder.write(name, b"")

    assert folder.source().days() == {}


def test_a_header_alone_has_no_rows_and_any_day_is_empty(folder):
    folder.write("a.csv", "﻿\n" + HEADER)

    day = folder.source().read_day("2024-01-01")

    assert (day.messages.num_rows, day.quarantined.num_rows, day.rows_read, day.duplicates) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "conversation_id,role,memo,timestamp\nc1,user,hi,2024-01-05\n"),
        ("a.jsonl", '{"conversation_id":"c1","role":"user","memo":"hi","timestamp":"2024-01-05"}'),
    ],
)
def test_a_missing_column_is_named_with_the_file_and_what_to_do(folder, name, content):
    folder.write(name, content)

    with pytest.raises(SourceError) as error:
        folder.source().days()

    assert str(error.value).endswith(
        f"{name}: lacks the column text; it has conversation_id, memo, role, timestamp; "
        "say in the file of ANALYTICS_SOURCE_MAPPING what its columns are called"
    )
    assert list(folder.staging.glob("files/*/")) == []


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("missing.csv", "missing.csv matches no file"),
        ("*.parquet", "*.parquet matches no file"),
        ("notes.txt", "notes.txt is of no known format"),
        ("notes", "notes is a folder without files of a known format"),
        ("a.csv, *.jsonl", "*.jsonl matches no file"),
    ],
)
def test_a_wrong_path_is_one_line_that_names_the_variable(folder, pattern, message):
    folder.write("a.csv", HEADER)
    folder.write("notes.txt", "")
    (folder.path / "notes").mkdir()

    with pytest.raises(SourceError) as error:
        folder.source(pattern).days()

    assert str(error.value).startswith("ANALYTICS_SOURCE_PATH: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("header", [b"a,b,a\n", b"a,\xff\n", b'"a,b\n1,2\n'])
def test_a_header_that_cannot_be_read_is_an_error(folder, header):
    folder.write("a.csv", header)

    with pytest.raises(SourceError, match=r"a\.csv: its header"):
        folder.source().days()


def test_a_truncated_gzip_file_is_an_error(folder):
    folder.write("a.csv.gz", gzip.compress((HEADER + GOOD * 1000).encode())[:-20])

    with pytest.raises(SourceError, match=r"a\.csv\.gz: cannot be read to its end"):
        folder.source().days()


def test_records_and_broken_lines_are_found_across_chunks(folder, monkeypatch):
    lines = [f'c{number},m{number},user,"line one\nline ""two"", {number}",2024-01-05\r\n' for number in range(40)]
    lines[7] = 'c7,m7,user,"never closed,2024-01-05\n'
    lines[20] = "c20,m20\n\n"
    content = HEADER + "".join(lines)
    whole = folder.rows_of("a.csv", content)
    monkeypatch.setattr(csv_rows, "CHUNK_BYTES", 150)

    in_chunks = folder.rows_of("b.csv", content)

    assert whole.rows_read == 40
    assert whole.reasons == {8: "unreadable_row", 21: "unreadable_row"}
    assert whole.messages[-1]["text"] == 'line one\nline "two", 9'
    for (_, *expected), (_, *actual) in zip(
        whole.tables(("source_file",)), in_chunks.tables(("source_file",)), strict=True
    ):
        assert all(left == right for left, right in zip(expected, actual, strict=True))
