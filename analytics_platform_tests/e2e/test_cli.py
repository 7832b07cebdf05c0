"""The ``analytics`` command from outside."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from pymongo import MongoClient

from analytics_platform.storage.lake import Lake
from analytics_platform.storage.mongo import EmbeddedMongo
from analytics_platform_tests.e2e.commands import environment
from analytics_platform_tests.e2e.conftest import THREE_DAYS
from analytics_platform_tests.e2e.many_days import stored
from analytics_platform_tests.heavy_imports import STALE_ONLY
from analytics_platform_tests.sizes import by_day_or_night

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

DAY = "2006-05-27"
IMPORTED = f"""
import sys
from analytics_platform.cli.app import main
try:
    main()
except SystemExit as ended:
    print(sorted({STALE_ONLY!r} & set(sys.modules)))
    raise
"""
"""Runs a command, and prints which of the libraries it has imported that only a stale day needs."""


def run_script(
    script: str, variables: dict[str, str], folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a Python script as a process of its own, to its end."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, timeout=300)


def content_hashes(home: Path) -> dict[str, str]:
    """Return the content hash of every stored partition of the lake."""
    lake = Lake.open(str(home / "lake"))
    names = sorted(path.name for path in (home / "lake").iterdir())
    return {f"{name}/{key}": lake.info(name, key).content_hash for name in names for key in lake.keys(name)}


def test_the_demo_shows_what_it_wrote_and_what_is_worth_reading(demo):
    home, finished = demo
    for part in ("raw_messages", "mongo/conversation_analytics", "fct_conversation", "daily_report"):
        assert part in finished.out
    assert "0 failures" in finished.out
    findings = finished.out.split("Worth reading")[1].split("Where to go next")[0]
    assert findings.count("•") == 3
    assert (home / "warehouse.duckdb").exists()
    assert len(list((home / "reports").rglob("*.html"))) == 49


def test_the_demo_stays_within_its_memory(demo):
    assert demo[1].peak_megabytes < 1500


def test_the_stores_hold_the_same_conversations(demo):
    home, _ = demo
    lake = Lake.open(str(home / "lake"))
    conversations = sum(lake.info("conversations", day).rows for day in lake.keys("conversations"))
    messages = sum(lake.info("messages", day).rows for day in lake.keys("messages"))
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as warehouse:
        assert warehouse.sql("select count(*) from fct_conversation").fetchall() == [(conversations,)]
        assert warehouse.sql("select count(*) from fct_message").fetchall() == [(messages,)]
    with EmbeddedMongo(home / "mongo") as uri, MongoClient(uri) as client:
        assert client["analytics"]["conversation_analytics"].count_documents({}) == conversations
        assert client["analytics"]["conversation_messages"].count_documents({}) == messages
    assert conversations > 800
    assert messages > 6000


def test_a_second_demo_is_quick_and_changes_nothing(demo, installed_analytics):
    home, first = demo
    before = stored(home)
    stamps = {path: path.stat().st_mtime_ns for path in home.rglob("*.parquet")}
    again = installed_analytics(home, "demo")
    assert again.code == 0, again.err
    assert "up to date" in again.out
    assert again.cpu_seconds < first.cpu_seconds / 2  # nearly all of it is imports; the time on the wall is the load's
    assert stored(home) == before
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*.parquet")} == stamps


@pytest.mark.parametrize("command", ["run", "status"])
def test_a_command_without_a_stale_day_imports_neither_the_graph_nor_the_classifiers(demo, tmp_path, command):
    """Imports took four of the seven processor-seconds of a run of 365 days in which nothing was stale."""
    finished = run_script(IMPORTED, environment(demo[0]), tmp_path, command)
    assert finished.returncode == 0, finished.stderr
    assert command == "status" or "up to date" in finished.stdout
    assert finished.stdout.splitlines()[-1] == "[]"


def test_another_home_and_one_worker_give_the_same_content_byte_for_byte(three_days, analytics, tmp_path):
    result = analytics(tmp_path, *THREE_DAYS, "--json", ANALYTICS_WORKERS="1").json()
    assert result["failures"] == []
    assert stored(tmp_path) == three_days


def test_a_short_range_and_a_long_one_give_a_day_the_same_content(demo, three_days):
    long = content_hashes(demo[0])
    daily = {place: value for place, value in three_days.items() if not place.startswith(("user_analytics", "mongo/"))}
    assert len(daily) > 3 * 10
    assert daily == {place: long[place] for place in daily}


def test_one_day_and_a_selection(analytics, tmp_path):
    result = analytics(tmp_path, "run", "--from", DAY, "--to", DAY, "--select", "group:raw", "--json").json()
    assert {table["asset"]: table["partitions"] for table in result["tables"]} == {
        "raw_messages": 1,
        "quarantined_rows": 1,
        "unplaced_rows": 1,
        "raw_conversations": 1,
    }
    again = analytics(tmp_path, "run", "--from", DAY, "--to", DAY, "--select", "group:raw", "--json").json()
    assert again["runs"] == []


@pytest.mark.parametrize("appeared", ["lake/messages", "warehouse.duckdb.build/warehouse.duckdb", "reports"])
def test_after_kill_9_a_run_again_gives_what_an_undisturbed_run_gives(three_days, analytics, begin, tmp_path, appeared):
    process = begin(tmp_path, *THREE_DAYS)
    while not (tmp_path / appeared).exists():
        assert process.is_alive(), "the run ended before it could be killed"
        time.sleep(0.02)
    process.kill()
    process.join()
    assert analytics(tmp_path, *THREE_DAYS, "--json").json()["failures"] == []
    assert stored(tmp_path) == three_days


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
        found = content_hashes(folder / "home")
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
    result = analytics(tmp_path, "run", "--json", ANALYTICS_SOURCE="files", ANALYTICS_SOURCE_PATH=str(path)).json()
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


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"ANALYTICS_SOURCE": "telepathy"}, "ANALYTICS_SOURCE"),
        ({"ANALYTICS_SOURCE": "files"}, "ANALYTICS_SOURCE_PATH"),
        ({"ANALYTICS_START_DATE": "soon"}, "ANALYTICS_START_DATE"),
        ({"ANALYTICS_MONGO_URI": "https://user:hunter2@host"}, "ANALYTICS_MONGO_URI"),
        ({"ANALYTICS_TAXONOMY": "/nowhere.yaml"}, "ANALYTICS_TAXONOMY"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(analytics, tmp_path, variables, complaint):
    finished = analytics(tmp_path / "home", "run", **variables)
    assert finished.code == 2
    assert [complaint in line for line in finished.err.strip().splitlines()] == [True]
    assert "hunter2" not in finished.err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "arguments", [["--from", "2006-13-01"], ["--from", "1999-01-01"], ["--select", "nothing_like_it"]]
)
def test_wrong_arguments_are_named(analytics, tmp_path, arguments):
    finished = analytics(tmp_path, "run", *arguments)
    assert finished.code == 2
    assert arguments[1].split(":")[0] in finished.err
    assert "Traceback" not in finished.err


def test_doctor_says_what_is_reachable_and_no_secret(demo, analytics):
    home, _ = demo
    finished = analytics(home, "doctor")
    assert finished.code == 0, finished.err
    assert "49 days" in finished.out
    unreachable = "mongodb://user:hunter2@127.0.0.1:9/?timeoutMS=300"
    broken = analytics(home, "doctor", ANALYTICS_MONGO_URI=unreachable)
    assert broken.code == 1
    assert "hunter2" not in broken.err + broken.out


def test_evaluate_prints_its_figures_as_json(analytics, tmp_path):
    texts = [f"I love this {n}" for n in range(40)] + [f"I hate that {n}" for n in range(40)]
    path = tmp_path / "sentences.parquet"
    pq.write_table(pa.table({"text": texts, "label": ["positive"] * 40 + ["negative"] * 40}), path)
    finished = analytics(tmp_path, "evaluate", "--train", str(path), "--test", str(path), "--json")
    figures = json.loads(finished.out)
    assert figures["accuracy"] == 1.0
    assert {"macro_f1", "ece", "texts_per_second", "tier"} <= set(figures)


def generated_days(path: Path, days: int, messages_per_day: int) -> Path:
    """Write ``days`` days of equal size."""
    rows = [
        f"c{day}-{n // 6},{'user' if n % 2 == 0 else 'agent'},how do i mount disk {n} on day {day}?,"
        f"{(1704067200 + day * 86400 + n * 60 + 3600)}"
        for day in range(days)
        for n in range(messages_per_day)
    ]
    path.write_text("conversation_id,role,text,timestamp\n" + "\n".join(rows) + "\n")
    return path


FEW, MANY = by_day_or_night(4, 10), by_day_or_night(24, 120)
MESSAGES_PER_DAY = by_day_or_night(1000, 400)
BLOCK_ROWS = "2000"
"""So few that the short range fills a block for each of two workers."""


def test_a_long_range_needs_hardly_more_memory_than_a_short_one(installed_analytics, tmp_path):
    peaks = {}
    for days in (FEW, MANY):
        home = tmp_path / str(days)
        home.mkdir()
        path = generated_days(home / "chats.csv", days, messages_per_day=MESSAGES_PER_DAY)
        source = {"ANALYTICS_SOURCE": "files", "ANALYTICS_SOURCE_PATH": str(path)}
        finished = installed_analytics(home, "run", "--json", ANALYTICS_BLOCK_ROWS=BLOCK_ROWS, **source)
        result = finished.json()
        assert result["failures"] == []
        assert {t["asset"]: t["partitions"] for t in result["tables"]}["conversations"] == days
        peaks[days] = finished.peak_megabytes
    assert peaks[MANY] < 1.25 * peaks[FEW], peaks
