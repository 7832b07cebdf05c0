"""Runs over many days of real conversations, each a process that can be killed, and what they leave, to compare."""

from __future__ import annotations

import datetime as dt
import hashlib
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pymongo import MongoClient

from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.settings.loader import PROJECT_ROOT
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.mongo import COLLECTIONS, EmbeddedMongo
from analytics_platform_tests.e2e.commands import ForkedCommands, environment
from analytics_platform_tests.sizes import by_day_or_night

DAYS = by_day_or_night(8, 60)  # a report compares its day with the seven before
CONVERSATIONS = 4 * DAYS
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

Content = dict[str, str]
"""A hash of each partition of the lake, each collection and each table of the warehouse, by name."""


def write_chats(path: Path) -> None:
    """Write the days, each with four real conversations."""
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
        forked: Starts commands.
        chats: The conversations.
    """

    def __init__(self, forked: ForkedCommands, chats: Path) -> None:
        self._forked = forked
        self._chats = chats

    def start(self, home: Path, *arguments: str, **variables: str) -> ForkServerProcess:
        """Start one in a home and leave it running; what it prints is in ``home/output``."""
        home.mkdir(exist_ok=True)
        printed = home / "output"
        given = self.environment(home, **variables)
        return self._forked.start(("run", *arguments), given, out=printed, err=printed)

    def environment(self, home: Path, **variables: str) -> dict[str, str]:
        """Return the environment of a process that works on all days in a home."""
        given = {
            "ANALYTICS_SOURCE": "files",
            "ANALYTICS_SOURCE_PATH": str(self._chats),
            "ANALYTICS_START_DATE": START.date().isoformat(),
            "ANALYTICS_END_DATE": (START + dt.timedelta(days=DAYS - 1)).date().isoformat(),
        }
        return environment(home, **{**given, **variables})

    def finish(self, home: Path, *arguments: str, **variables: str) -> None:
        """Run one to its end, which must be a good one."""
        process = self.start(home, *arguments, **variables)
        process.join()
        assert process.exitcode == 0, output(home)[-4000:]


def output(home: Path) -> str:
    """Return what the runs of a home have printed."""
    return (home / "output").read_text()


def in_lake(home: Path, lake: Lake | None = None) -> Content:
    """Return what a lake holds, the home's unless another is given."""
    tables = {asset.recipe.table.name for asset in TABLES if asset.recipe.store == "lake"}
    if lake is None:
        lake = Lake.open(str(home / "lake"))
        tables |= {path.name for path in (home / "lake").iterdir()}
    return {f"{name}/{key}": lake.info(name, key).content_hash for name in sorted(tables) for key in lake.keys(name)}


def stored(home: Path, *, lake: Lake | None = None, mongo_uri: str | None = None) -> Content:
    """Return what lake and MongoDB hold; they are those of the home unless others are named."""
    found = in_lake(home, lake)
    if mongo_uri is not None:
        return found | _documents(mongo_uri)
    with EmbeddedMongo(home / "mongo") as uri:
        return found | _documents(uri)


def content(home: Path, *, lake: Lake | None = None, mongo_uri: str | None = None) -> Content:
    """Return what is stored, the warehouse included."""
    found = stored(home, lake=lake, mongo_uri=mongo_uri)
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
