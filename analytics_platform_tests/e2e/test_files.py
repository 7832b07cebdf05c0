"""Files of messages, read by the ``analytics`` command: their formats, their faults, and days that they lose."""

from __future__ import annotations

import gzip
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from analytics_platform.storage.lake import Lake
from analytics_platform_tests.e2e.many_days import in_lake

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

ROWS = [
    {
        "conversation_id": f"c{n % 7}",
        "message_id": f"m{n}",
        "user_id": f"u{n % 3}",
        "agent_id": "ann" if n % 2 else "",
        "role": "agent" if n % 2 else "user",
        "text": f"message {n}, with a comma",
        "timestamp": f"2024-03-0{1 + n % 7 // 4}T10:{n:02}:00Z",
        "tokens": str(n) if n % 5 else "",
        "mood": "good",
    }
    for n in range(40)
]


def write_as(kind: str, path: Path) -> Path:
    rows = [{name: value or None for name, value in row.items()} for row in ROWS]
    target = path / f"chats.{kind}"
    table = pa.Table.from_pylist(rows)
    if kind == "jsonl":
        target.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    elif kind == "parquet":
        pq.write_table(table, target)
    else:
        pacsv.write_csv(table, path / "plain.csv")
        data = (path / "plain.csv").read_bytes()
        target.write_bytes(gzip.compress(data) if kind == "csv.gz" else data)
    return target


def test_the_same_rows_in_four_formats_give_identical_tables(analytics, tmp_path):
    hashes = {}
    for kind in ("csv", "csv.gz", "jsonl", "parquet"):
        folder = tmp_path / kind
        folder.mkdir()
        variables = {"ANALYTICS_SOURCE": "files", "ANALYTICS_SOURCE_PATH": str(write_as(kind, folder))}
        result = analytics(folder / "home", "run", "--json", "--select", "group:raw or group:clean", **variables).json()
        assert result["failures"] == []
        assert result["runs"]
        found = in_lake(folder / "home")
        hashes[kind] = {place: value for place, value in found.items() if not place.startswith("raw_messages")}
        assert any(place.startswith("messages/2024-03-0") for place in found)
    assert hashes["csv"] == hashes["csv.gz"] == hashes["jsonl"] == hashes["parquet"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "ANALYTICS_SOURCE_PATH"),
        ("conversation_id,text,timestamp\na,b,2024-01-01\n", "role"),
        ("", "no rows"),
    ],
    ids=["wrong path", "missing column", "empty file"],
)
def test_a_file_that_cannot_be_used_ends_in_one_clear_message(analytics, tmp_path, content, complaint):
    path = tmp_path / "chats.csv"
    if content is not None:
        path.write_text(content)
    finished = analytics(tmp_path, "run", ANALYTICS_SOURCE="files", ANALYTICS_SOURCE_PATH=str(path))
    assert finished.code == 2
    assert complaint in finished.err
    assert "Traceback" not in finished.err


def test_rows_that_cannot_be_used_are_in_quarantine_and_the_counts_add_up(analytics, tmp_path):
    path = tmp_path / "chats.csv"
    good = "\n".join(f"c{n},m{n},user,hello {n},2024-01-01T10:{n:02}:00Z" for n in range(20))
    bad = b"c1,x1,user,when?,yesterday\nc2,x2,user,\xff\xfe,2024-01-01\nc3,x3,pirate,arr,2024-01-01\n"
    twice = b"c4,m4,user,hello 4,2024-01-01T10:04:00Z\n"
    path.write_bytes(b"conversation_id,message_id,role,text,timestamp\n" + good.encode() + b"\n" + bad + twice)
    select = ["run", "--json", "--select", "group:raw"]
    result = analytics(tmp_path, *select, ANALYTICS_SOURCE="files", ANALYTICS_SOURCE_PATH=str(path)).json()
    assert result["failures"] == []
    assert result["quarantined"] == 3
    lake = Lake.open(str(tmp_path / "lake"))
    quarantined = lake.read("quarantined_rows", "2024-01-01")
    found = sorted([*quarantined["reason"].to_pylist(), *lake.read("unplaced_rows", "")["reason"].to_pylist()])
    assert found == ["bad_timestamp", "invalid_utf8", "unknown_role"]
    info = lake.info("raw_messages", "2024-01-01")
    assert (info.rows, info.annotations) == (20, {"duplicates": "1", "quarantined": "3", "rows_read": "24"})


def test_a_last_day_that_the_source_no_longer_has_becomes_empty(analytics, tmp_path):
    path = tmp_path / "chats.csv"
    variables = {"ANALYTICS_SOURCE": "files", "ANALYTICS_SOURCE_PATH": str(path)}
    header, first = "conversation_id,role,text,timestamp\n", "a,user,hello,2024-01-01T10:00:00Z\n"
    path.write_text(header + first + "b,user,hello,2024-01-02T10:00:00Z\n")
    select = ["run", "--json", "--select", "group:raw or group:clean"]
    assert analytics(tmp_path, *select, **variables).json()["failures"] == []
    path.write_text(header + first)
    assert analytics(tmp_path, *select, **variables).json()["failures"] == []
    lake = Lake.open(str(tmp_path / "lake"))
    assert [lake.info("messages", day).rows for day in lake.keys("messages")] == [1, 0]
