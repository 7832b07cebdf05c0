"""Runs over sixty days of real conversations, each a process that can be killed, and what they leave, to compare."""

from __future__ import annotations

import datetime as dt
import hashlib
import multiprocessing
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pymongo import MongoClient

from analytics_platform.definitions import TABLES
from analytics_platform.settings.loader import PROJECT_ROOT
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.mongo import COLLECTIONS, EmbeddedMongo

DAYS = 60
CONVERSATIONS = 240
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
from analytics_platform.cli.app import main
main()
"""

Content = dict[str, str]
"""A hash of each partition of the lake, each collection and each table of the warehouse, by name."""


def write_chats(path: Path) -> None:
    """Write sixty days of real conversations, four a day."""
    sample = pq.read_table(PROJECT_ROOT / "analytics_platform" / "sample" / "conversations.parquet")
    names = sample["conversation_id"].unique().slice(0, CONVERSATIONS)
    sample = sample.filter(pc.is_in(sample["conversation_id"], names))
    number = pc.index_in(sample["conversation_id"], names).cast(pa.int64())
    first = sample.group_by("conversation_id").aggregate([("timestamp", "min")])
    begun = first["timestamp_min"].take(pc.index_in(sample["conversation_id"], first["conversation_id"]))
    seconds = pc.min_element_wise(pc.seconds_between(begun, sample["timestamp"]), 3600)
    day = pc.multiply(pc.subtract(number, pc.multiply(pc.divide(number, DAYS), DAYS)), 86_400)
    times = pc.add(pc.add(day, seconds), int(START.timestamp())).cast(pa.timestamp("s", "UTC"))
    pq.write_table(sample.set_column(sample.column_names.index("timestamp"), "timestamp", times), path)


class Runs:
    """Starts `analytics run` over all days.

    Args:
        chats: The conversations.
        elsewhere: Working directory of the runs.
    """

    def __init__(self, chats: Path, elsewhere: Path) -> None:
        self._chats = chats
        self._elsewhere = elsewhere
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["analytics_platform.cli.app", "analytics_platform.definitions"])
        self._running: list[ForkServerProcess] = []

    def start(self, home: Path, *arguments: str, **variables: str) -> ForkServerProcess:
        """Start one in a home and leave it running; what it prints is in ``home/output``."""
        given = {
            "ANALYTICS_HOME": str(home),
            "ANALYTICS_SOURCE": "files",
            "ANALYTICS_SOURCE_PATH": str(self._chats),
            "ANALYTICS_START_DATE": START.date().isoformat(),
            "ANALYTICS_END_DATE": (START + dt.timedelta(days=DAYS - 1)).date().isoformat(),
            **variables,
        }
        home.mkdir(exist_ok=True)
        code = RUN.format(
            output=str(home / "output"), folder=str(self._elsewhere), variables=given, arguments=arguments
        )
        process = self._context.Process(target=exec, args=(code,))
        process.start()
        self._running.append(process)
        return process

    def finish(self, home: Path, *arguments: str, **variables: str) -> None:
        """Run one to its end, which must be a good one."""
        process = self.start(home, *arguments, **variables)
        process.join()
        assert process.exitcode == 0, output(home)[-4000:]

    def close(self) -> None:
        """Kill those that still run."""
        for process in self._running:
            process.kill()
            process.join()


def output(home: Path) -> str:
    """Return what the runs of a home have printed."""
    return (home / "output").read_text()


def content(home: Path, *, lake: Lake | None = None, mongo_uri: str | None = None) -> Content:
    """Return what is stored; the lake and MongoDB are those of the home unless others are named."""
    lake = lake or Lake.open(str(home / "lake"))
    tables = sorted(asset.recipe.table.name for asset in TABLES if asset.recipe.store == "lake")
    found = {f"{name}/{key}": lake.info(name, key).content_hash for name in tables for key in lake.keys(name)}
    if mongo_uri is not None:
        found |= _documents(mongo_uri)
    else:
        with EmbeddedMongo(home / "mongo") as uri:
            found |= _documents(uri)
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as warehouse:
        for (name,) in warehouse.execute("select table_name from duckdb_tables()").fetchall():
            rows = warehouse.execute(f"select * from {name} order by all").fetchall()
            found[f"warehouse/{name}"] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def _documents(uri: str) -> Content:
    found = {}
    with MongoClient(uri) as client:
        for name in [*(collection.name for collection in COLLECTIONS), "_partitions"]:
            batches = client["analytics"][name].find_raw_batches(sort=[("_id", 1)])
            found[f"mongo/{name}"] = hashlib.sha256(b"".join(batches)).hexdigest()
    return found
