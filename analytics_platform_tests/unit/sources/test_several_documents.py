"""Several documents in a file, and what lies in the files beside."""

from __future__ import annotations

import json
import shutil

import pytest

FIRST = [
    {"key": "a", "by": {"kind": "user"}, "said": "hello", "at": "2024-01-05T10:00:00Z"},
    {"key": "a", "by": {"kind": "agent"}, "said": "yes?", "at": "2024-01-05T10:01:00Z"},
]
SECOND = [{"key": "b", "by": {"kind": "user"}, "said": "me too", "at": "2024-01-05T10:02:00Z"}]
PAGES = [{"data": FIRST, "page": 1, "next": "x"}, {"data": SECOND, "page": 2, "next": None}]
COLUMNS = "columns: {conversation_id: key, role: by.kind, text: said, timestamp: at}"
LISTED = "columns: {conversation_id: 'data[].key', role: 'data[].by.kind', text: 'data[].said', timestamp: 'data[].at'}"


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(map(json.dumps, PAGES)),
        "\n".join(json.dumps(page, indent=1) for page in PAGES),
        "".join(map(json.dumps, PAGES)),
    ],
    ids=["lines", "pretty", "glued"],
)
@pytest.mark.parametrize("name", ["pages.json", "pages.jsonl"])
def test_pages_of_an_interface_follow_each_other_in_a_file(folder, name, content):
    """Of pages that were written one after another, all but the first were lost without a word."""
    mapping = folder.write("mapping.yaml", COLUMNS)
    rows = folder.rows_of(name, content, mapping=mapping).messages
    assert [(row["role"], row["text"]) for row in rows] == [("user", "hello"), ("agent", "yes?"), ("user", "me too")]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("columns", [COLUMNS, LISTED])
def test_a_mapping_reaches_into_a_wrapped_list(folder, columns, indent):
    """`data[].said` was refused where the file was written over several lines."""
    mapping = folder.write("mapping.yaml", columns)
    rows = folder.rows_of("a.json", json.dumps(PAGES[0], indent=indent), mapping=mapping).messages
    assert [(row["role"], row["text"]) for row in rows] == [("user", "hello"), ("agent", "yes?")]


def message(number: int) -> str:
    role = "user" if number % 2 == 0 else "agent"
    time = f"2024-01-05T10:{number % 60:02d}:00Z"
    said = {"message_id": str(number), "role": role, "text": "{é}{", "timestamp": time}
    return json.dumps({"conversation_id": "a", **said})


@pytest.mark.parametrize("between", ["", " ", ","])
@pytest.mark.parametrize("count", [2, 3, 4000])
@pytest.mark.parametrize("end", ["", "\n"])
def test_objects_beside_each_other_are_records(folder, between, count, end):
    """Firehose writes no line ends: the whole file was one broken row."""
    found = folder.rows_of("a.json", between.join(map(message, range(count))) + end)
    assert sorted(int(row["message_id"]) for row in found.messages) == list(range(count))


def test_lines_of_objects_beside_each_other_are_records(folder):
    found = folder.rows_of("a.jsonl", f"{message(0)}{message(1)}\n{message(2)}\n{message(3)}{message(4)}\n")
    assert len(found.messages) == 5


def test_a_broken_first_line_is_one_broken_row(folder):
    found = folder.rows_of("a.jsonl", f'{message(0)}{{"text":\n{message(1)}\n{message(2)}\n')
    assert (len(found.messages), found.reasons) == (2, {1: "unreadable_row"})


def test_a_large_rest_of_a_page_is_left_out(folder):
    mapping = folder.write("mapping.yaml", COLUMNS)
    pages = [{**page, "note": "x" * 5_000_000} for page in PAGES]
    content = "\n".join(json.dumps(page, indent=1) for page in pages)
    assert len(folder.rows_of("a.json", content, mapping=mapping).messages) == 3


def test_conversations_of_a_list_each_are_no_pages(folder):
    lines = [
        {"id": name, "data": [{"role": "user", "text": "hi", "timestamp": "2024-01-05T10:00:00Z"}]} for name in "ab"
    ]
    found = folder.rows_of("a.jsonl", "\n".join(map(json.dumps, lines))).messages
    assert [row["conversation_id"] for row in found] == ["a", "b"]


@pytest.mark.parametrize("separator", ["|", "\t", ";"])
def test_a_text_with_a_table_is_read_from_a_folder(folder, separator):
    """A folder with `export.txt`, a table with pipes, was 'without files of a known format'."""
    table = "conversation_id,role,text,timestamp\na,user,hello,2024-01-05T10:00:00Z\n".replace(",", separator)
    inner = folder.path / "inner"
    inner.mkdir()
    (inner / "export.txt").write_text(table)
    (inner / "README.txt").write_text("These are, as agreed, our chats, exported today.\nPlease keep them safe.\n")
    rows = folder.source("inner").read_day("2024-01-05").messages
    assert rows["text"].to_pylist() == ["hello"]


@pytest.mark.parametrize("packed", [False, True])
def test_the_opener_of_a_slack_thread_stands_in_the_file_of_another_day(folder, packed):
    """An answer of the customer on the next day was one of an agent."""
    channel = folder.path / "export" / "help"
    channel.mkdir(parents=True)
    first = {"type": "message", "user": "U1", "ts": "1704448800.000100", "thread_ts": "1704448800.000100", "text": "hi"}
    reply = {"type": "message", "user": "U2", "ts": "1704448900.000100", "thread_ts": first["ts"], "text": "yes?"}
    later = {"type": "message", "user": "U1", "ts": "1704535300.000100", "thread_ts": first["ts"], "text": "thanks"}
    (channel / "2024-01-05.json").write_text(json.dumps([first, reply]))
    (channel / "2024-01-06.json").write_text(json.dumps([later]))
    if packed:
        shutil.make_archive(str(folder.path / "export"), "zip", folder.path / "export")
    rows = folder.source("export.zip" if packed else "export").read_day("2024-01-05").messages
    assert rows["role"].to_pylist() == ["user", "agent", "user"]
