"""When files are staged, when a staging is reused, and that a half-made one never is."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pytest

from analytics_platform.sources import published_days
from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading import file_source, staging
from analytics_platform.sources.staging_holds import discard_other_sources

HEADER = "conversation_id,message_id,role,text,timestamp\n"
ROWS = "c1,m1,user,a,2024-01-05T10:00:00Z\nc2,m2,user,b,2024-01-06T10:00:00Z\n"


def stagings_of(folder):
    return sorted(path for path in folder.staging.glob("files/*") if path.is_dir())


def in_another_process(folder, body: str, *, held: bool = False) -> subprocess.Popen[bytes]:
    """Start a process that runs ``body`` with ``source`` of the folder."""
    script = f"""
import contextlib, datetime as dt, pathlib, time
from analytics_platform.sources.file_reading import file_source, staging
source = file_source.FileSource({str(folder.path / "*.csv")!r}, staging_dir=pathlib.Path({str(folder.staging)!r}),
    first_day=dt.date(2024, 1, 1), last_day=dt.date(2024, 12, 31))
with source.held() if {held} else contextlib.nullcontext():
    {body}
"""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)


@pytest.fixture
def stagings(monkeypatch):
    calls = []

    def counted(*args, **options):
        calls.append(args[0])
        staging.stage(*args, **options)

    monkeypatch.setattr(file_source, "stage", counted)
    return calls


def test_midnight_alone_stages_nothing_anew_and_calls_nothing_changed(folder, stagings):
    """Without an end date the last day is today: each day the source was staged again and was called changed."""
    folder.write("a.csv", HEADER + ROWS)
    today, tomorrow = dt.date(2024, 1, 6), dt.date(2024, 1, 7)
    before = folder.source(last_day=today)
    days = before.days()
    after = folder.source(last_day=tomorrow)
    assert after.status().complete
    assert (after.days(), len(stagings)) == (days, 1)
    assert after.read_day("2024-01-06").messages == before.read_day("2024-01-06").messages


@pytest.mark.parametrize("late", ["c3,m3,user,c,2024-01-07T10:00:00Z\n", "c1,m3,user,c,2025-06-01T10:00:00Z\n"])
def test_rows_after_the_last_day_come_in_when_their_day_comes(folder, stagings, late):
    folder.write("a.csv", HEADER + ROWS + late)
    assert list(folder.source(last_day=dt.date(2024, 1, 6)).days()) == ["2024-01-05", "2024-01-06"]
    later = folder.source(last_day=dt.date(2025, 6, 2))
    assert sum(later.read_day(day).messages.num_rows for day in later.days()) == 3
    assert len(stagings) == 2


def test_a_staging_is_reused_until_something_changes(folder, stagings):
    path = folder.write("a.csv", HEADER + ROWS)
    folder.source().days()
    folder.source().read_day("2024-01-05")
    assert len(stagings) == 1

    os.utime(path, ns=(1, 1))
    folder.source().days()
    folder.source(last_day=dt.date(2024, 6, 30)).days()
    assert len(stagings) == 3


def test_touching_a_file_changes_no_version(folder):
    path = folder.write("a.csv", HEADER + ROWS)
    before = dict(folder.source().days())
    os.utime(path, ns=(1, 1))

    assert dict(folder.source().days()) == before


def test_a_source_object_sees_a_file_that_changed(folder):
    folder.write("a.csv", HEADER + ROWS)
    source = folder.source()
    assert list(source.days()) == ["2024-01-05", "2024-01-06"]

    folder.write("a.csv", HEADER + "c1,m1,user,a,2024-02-05T10:00:00Z\n")

    assert list(source.days()) == ["2024-02-05"]


def test_staging_twice_gives_identical_tables_and_versions(folder):
    folder.write("a.csv", HEADER + ROWS * 2 + "c1,m3,user,,2024-01-05\n")
    first = folder.source()
    second = folder.source()
    second._folder = folder.path / "elsewhere"

    assert dict(first.days()) == dict(second.days())
    for day in first.days():
        one, other = first.read_day(day), second.read_day(day)
        assert one.messages == other.messages
        assert one.quarantined == other.quarantined
        assert (one.rows_read, one.duplicates) == (other.rows_read, other.duplicates)


def test_only_the_staging_of_the_files_as_they_are_stays(folder):
    """A staging kept "for whoever may still read it" kept deleted texts until the source had changed twice more."""
    for text in ("a", "b", "c", "d"):
        folder.write("a.csv", HEADER + f"c1,m1,user,{text}{text},2024-01-05\n" + text * (ord(text) % 7) + "\n")
        folder.source().days()

    assert len(stagings_of(folder)) == 1
    assert folder.source().read_day("2024-01-05").messages["text"].to_pylist()[0] == "dd"


def test_a_run_reads_on_from_its_staging_while_another_process_stages(folder):
    """A staging that went while a run read it would give days without rows, not an error."""
    folder.write("a.csv", HEADER + ROWS)
    running = folder.source()
    with running.held():
        running.days()
        (before,) = stagings_of(folder)
        folder.write("a.csv", HEADER + ROWS.replace("c2", "c3"))
        folder.source().days()
        assert before in stagings_of(folder)
        assert len(stagings_of(folder)) == 2
    assert len(stagings_of(folder)) == 1
    assert before not in stagings_of(folder)


def test_files_that_grow_while_a_run_reads_them_wait_for_the_next_run(folder, stagings):
    """Every read staged a growing log once more, and the counts of one day came from another state than its rows."""
    folder.write("a.csv", HEADER + ROWS)
    running = folder.source()
    with running.held():
        running.refresh()
        days = dict(running.days())
        for text in ("one", "two", "three"):
            folder.write("a.csv", HEADER + ROWS + f"c3,m9,user,{text},2024-01-05\n")
            day = running.read_day("2024-01-05")
            assert dict(running.days()) == days
            assert day.rows_read == day.messages.num_rows + day.duplicates + day.quarantined.num_rows
        assert len(stagings) == 1

        running.refresh()
        assert dict(running.days()) != days
    assert len(stagings) == 2


def test_what_a_killed_process_held_is_removed_by_the_next_one(folder):
    folder.write("a.csv", HEADER + ROWS)
    process = in_another_process(folder, "source.days(); print('read', flush=True); time.sleep(60)", held=True)
    assert process.stdout.readline() == b"read\n"
    folder.write("a.csv", HEADER + ROWS.replace("c2", "c3"))
    folder.source().days()
    assert len(stagings_of(folder)) == 2, "it is held"

    process.kill()
    process.wait()
    folder.source().days()

    assert len(stagings_of(folder)) == 1


def test_a_window_or_mapping_of_before_leaves_no_staging(folder):
    """Settings that change between two runs make another staging of the same texts."""
    folder.write("a.csv", HEADER + ROWS)
    folder.source().days()
    folder.source(last_day=dt.date(2024, 6, 30)).days()

    assert len(stagings_of(folder)) == 1


def test_a_source_that_stages_nothing_speaks_of_what_was_staged_last(folder, stagings):
    """`analytics status` staged whole sources, and would now remove what a run is about to read."""
    looking = folder.source(stages=False)
    folder.write("a.csv", HEADER + ROWS)
    assert looking.days() == {}
    assert not folder.staging.exists()

    folder.source().days()
    before = dict(looking.days())
    assert looking.status().complete
    folder.write("a.csv", HEADER + ROWS.replace("c2", "c3") * 2)

    assert looking.days() == before
    assert looking.read_day("2024-01-06").messages["conversation_id"].to_pylist() == ["c2"]
    assert not looking.status().complete
    assert len(stagings) == 1
    assert len(stagings_of(folder)) == 1


def test_stagings_of_another_source_go_unless_they_are_held(folder):
    folder.write("a.csv", HEADER + ROWS)
    running = folder.source()
    with running.held():
        running.days()
        discard_other_sources(folder.staging, "nocodb")
        assert len(stagings_of(folder)) == 1
    discard_other_sources(folder.staging, "files")
    assert len(stagings_of(folder)) == 1
    discard_other_sources(folder.staging, "nocodb")
    assert stagings_of(folder) == []


def test_a_staging_that_failed_leaves_nothing_behind(folder):
    folder.write("a.csv", "a,b\n1,2\n")

    with pytest.raises(SourceError):
        folder.source().days()

    assert [path.name for path in (folder.staging / "files").iterdir()] == [".lock"]


def test_memory_or_disk_that_does_not_suffice_is_one_line(folder, monkeypatch):
    folder.write("a.csv", HEADER + ROWS)
    monkeypatch.setattr(staging, "MEMORY_LIMIT", "1KB")

    with pytest.raises(SourceError, match=r"^\S+/files: the source cannot be split by day here: .*[Mm]emory") as error:
        folder.source().days()

    assert "\n" not in str(error.value)


def test_a_staging_that_was_killed_half_way_is_not_used(folder):
    folder.write("a.csv", HEADER + ROWS)
    script = f"""
import datetime as dt, pathlib, time
from analytics_platform.sources.file_reading import file_source, staging
def stop(*args, **options):
    print("half way", flush=True)
    time.sleep(60)
staging.write_days = stop
file_source.FileSource({str(folder.path / "*.csv")!r}, staging_dir=pathlib.Path({str(folder.staging)!r}),
    first_day=dt.date(2024, 1, 1), last_day=dt.date(2024, 12, 31)).days()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"half way\n"
        process.send_signal(signal.SIGKILL)
    left_behind = list(folder.staging.glob("files/.unfinished-*"))
    assert len(left_behind) == 1

    days = folder.source().days()

    assert list(days) == ["2024-01-05", "2024-01-06"]
    assert not left_behind[0].exists()


def test_of_several_at_once_one_stages_and_all_read_the_same(folder, monkeypatch, stagings):
    folder.write("a.csv", HEADER + ROWS)
    find_files = file_source.find_files
    # All look before any stages: the later ones wait for the lock and then find the work done.
    monkeypatch.setattr(file_source, "find_files", lambda paths: (time.sleep(0.2), find_files(paths))[1])

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: dict(folder.source().days()), range(4)))

    assert len(stagings) == 1
    assert all(days == found[0] for days in found)


def test_the_rows_of_a_source_are_never_what_a_join_hashes(folder, monkeypatch):
    """All rows with their texts were hashed instead of the conversations, and one staging of four ran out of memory."""
    plans = []

    def explain(db: duckdb.DuckDBPyConnection, query: str, *_: object, **__: object) -> published_days._Written:
        db.execute(published_days._JOIN_AS_WRITTEN)
        plans.append(json.loads(db.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()[0][1]))
        return published_days._Written()

    monkeypatch.setattr(published_days, "_write_table", explain)
    rows = "".join(f"c{row // 4},m{row},user,hello,2024-01-05T10:00:{row % 60:02}\n" for row in range(4_000))
    folder.write(
        "a.csv", f"{HEADER}{rows}c1,m,wizard,hello,2024-01-05\nc1,m0,user,again,2024-01-05\n"
    )  # a bad row, too
    folder.source().days()
    everything = [node for plan in plans for node in nodes(plan[0])]
    joins = [node for node in everything if node["name"] == "HASH_JOIN"]
    hashed = [node for join in joins for node in nodes(join["children"][1])]
    assert len(joins) >= 3
    assert any(map(is_scan_of_rows, everything))
    assert not any(map(is_scan_of_rows, hashed))


def is_scan_of_rows(node: dict[str, Any]) -> bool:
    return node["name"] == "PARQUET_SCAN" and "conversation_id" in node["extra_info"]["Projections"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan["children"]:
        yield from nodes(child)
