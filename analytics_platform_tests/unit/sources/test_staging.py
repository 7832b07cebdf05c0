"""When files are staged, when a staging is reused, and that a half-made one never is."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from analytics_platform.sources import files, staging
from analytics_platform.sources.base import SourceError

HEADER = "conversation_id,message_id,role,text,timestamp\n"
ROWS = "c1,m1,user,a,2024-01-05T10:00:00Z\nc2,m2,user,b,2024-01-06T10:00:00Z\n"


@pytest.fixture
def stagings(monkeypatch):
    calls = []

    def counted(*args, **options):
        calls.append(args[0])
        staging.stage(*args, **options)

    monkeypatch.setattr(files, "stage", counted)
    return calls


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
        assert first.read_day(day) == second.read_day(day)


def test_old_stagings_are_cleaned_but_for_the_one_before(folder):
    for text in ("a", "b", "c", "d"):
        folder.write("a.csv", HEADER + f"c1,m1,user,{text}{text},2024-01-05\n" + text * (ord(text) % 7) + "\n")
        folder.source().days()

    assert len(list(folder.staging.glob("files/*/manifest.json"))) == 2


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
from analytics_platform.sources import files, staging
def stop(*args, **options):
    print("half way", flush=True)
    time.sleep(60)
staging.write_days = stop
files.FileSource({str(folder.path / "*.csv")!r}, staging_dir=pathlib.Path({str(folder.staging)!r}),
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
    find_files = files.find_files
    # All look before any stages: the later ones wait for the lock and then find the work done.
    monkeypatch.setattr(files, "find_files", lambda paths: (time.sleep(0.2), find_files(paths))[1])

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: dict(folder.source().days()), range(4)))

    assert len(stagings) == 1
    assert all(days == found[0] for days in found)
