"""Runs that are killed at random moments, and runs that meet: what they leave equals what an undisturbed run leaves."""

from __future__ import annotations

import datetime as dt
import hashlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pymongo import MongoClient

from analytics_platform.settings import PROJECT_ROOT
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.mongo import COLLECTIONS, EmbeddedMongo

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

DAYS = 60
CONVERSATIONS = 240
KILLS = 30
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

# A run in a process that is forked from one which has imported everything already: killed like any other, started in
# no time.
RUN = """
import os, sys
output = os.open({output!r}, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
os.dup2(output, 1), os.dup2(output, 2)
os.chdir({folder!r})
os.environ.update({variables!r})
sys.argv = ["analytics", "run", *{arguments!r}]
from analytics_platform.cli import main
main()
"""

Content = dict[str, str]


@pytest.fixture(scope="module")
def chats(tmp_path_factory) -> Path:
    """Sixty days of real conversations, four a day."""
    sample = pq.read_table(PROJECT_ROOT / "analytics_platform" / "sample" / "conversations.parquet")
    names = sample["conversation_id"].unique().slice(0, CONVERSATIONS)
    sample = sample.filter(pc.is_in(sample["conversation_id"], names))
    number = pc.index_in(sample["conversation_id"], names).cast(pa.int64())
    first = sample.group_by("conversation_id").aggregate([("timestamp", "min")])
    begun = first["timestamp_min"].take(pc.index_in(sample["conversation_id"], first["conversation_id"]))
    seconds = pc.min_element_wise(pc.seconds_between(begun, sample["timestamp"]), 3600)
    day = pc.multiply(pc.subtract(number, pc.multiply(pc.divide(number, DAYS), DAYS)), 86_400)
    times = pc.add(pc.add(day, seconds), int(START.timestamp())).cast(pa.timestamp("s", "UTC"))
    path = tmp_path_factory.mktemp("chats") / "chats.parquet"
    pq.write_table(sample.set_column(sample.column_names.index("timestamp"), "timestamp", times), path)
    return path


@pytest.fixture(scope="module")
def start(chats, tmp_path_factory) -> Iterator[Callable[..., ForkServerProcess]]:
    """Start `analytics run` over all days in a home and leave it running."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["analytics_platform.cli", "analytics_platform.definitions"])
    running: list[ForkServerProcess] = []
    elsewhere = tmp_path_factory.mktemp("cwd")

    def start(home: Path, *arguments: str, **variables: str) -> ForkServerProcess:
        last = (START + dt.timedelta(days=DAYS - 1)).date().isoformat()
        given = {
            "ANALYTICS_HOME": str(home),
            "ANALYTICS_SOURCE": "files",
            "ANALYTICS_SOURCE_PATH": str(chats),
            "ANALYTICS_START_DATE": "2024-01-01",
            "ANALYTICS_END_DATE": last,
            **variables,
        }
        home.mkdir(exist_ok=True)
        code = RUN.format(output=str(home / "output"), folder=str(elsewhere), variables=given, arguments=arguments)
        process = context.Process(target=exec, args=(code,))
        process.start()
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.join()


@pytest.fixture(scope="module")
def run(start) -> Callable[..., None]:
    """Run it to its end, which must be a good one."""

    def run(home: Path, *arguments: str, **variables: str) -> None:
        process = start(home, *arguments, **variables)
        process.join()
        assert process.exitcode == 0, (home / "output").read_text()[-4000:]

    return run


def content(home: Path) -> Content:
    """Return a hash of every partition of the lake, every collection and every table of the warehouse."""
    lake = Lake.open(str(home / "lake"))
    tables = sorted(path.name for path in (home / "lake").iterdir())
    found = {f"{name}/{key}": lake.info(name, key).content_hash for name in tables for key in lake.keys(name)}
    with EmbeddedMongo(home / "mongo") as uri, MongoClient(uri) as client:
        for name in [*(collection.name for collection in COLLECTIONS), "_partitions"]:
            batches = client["analytics"][name].find_raw_batches(sort=[("_id", 1)])
            found[f"mongo/{name}"] = hashlib.sha256(b"".join(batches)).hexdigest()
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as warehouse:
        for (name,) in warehouse.execute("select table_name from duckdb_tables()").fetchall():
            rows = warehouse.execute(f"select * from {name} order by all").fetchall()
            found[f"warehouse/{name}"] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


@pytest.fixture(scope="module")
def undisturbed(run, tmp_path_factory) -> tuple[Content, float]:
    """What an undisturbed run leaves, and the seconds that it takes."""
    home = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    run(home)
    return content(home), time.monotonic() - began


def test_after_kill_9_at_thirty_random_moments_everything_is_as_after_an_undisturbed_run(
    undisturbed, start, run, tmp_path
):
    expected, seconds = undisturbed
    chance, kills, homes = random.Random(), 0, 0
    while kills < KILLS:
        homes += 1
        home = tmp_path / f"home{homes}"
        while kills < KILLS:
            process = start(home)
            process.join(chance.uniform(0, seconds / 2))
            if process.exitcode is not None:
                break
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
        run(home)
        assert content(home) == expected, f"after {kills} kills"


def test_two_runs_of_the_same_days_at_once_both_end_well_and_leave_what_one_leaves(undisturbed, start, tmp_path):
    both = [start(tmp_path / "home"), start(tmp_path / "home")]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0], (tmp_path / "home" / "output").read_text()[-4000:]
    assert content(tmp_path / "home") == undisturbed[0]
