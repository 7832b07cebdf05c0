"""The ``analytics`` command from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymongo import MongoClient

from analytics_platform.storage.lake import Lake
from analytics_platform.storage.mongo import EmbeddedMongo
from analytics_platform_tests.e2e.commands import environment
from analytics_platform_tests.e2e.conftest import THREE_DAYS
from analytics_platform_tests.e2e.many_days import in_lake, stored
from analytics_platform_tests.heavy_imports import STALE_ONLY

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

DAY = "2006-05-27"
OF_TOPICS = ("topic_epochs", "topic_names", "discovered_topics", "topic_genealogy", "conversation_topics")
"""Tables that depend on which earlier days are stored: topics are discovered in all of them."""
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
    long = in_lake(demo[0])
    whole = ("user_analytics", "mongo/", *OF_TOPICS)
    daily = {place: value for place, value in three_days.items() if not place.startswith(whole)}
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
