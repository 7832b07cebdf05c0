"""What writing and checking MongoDB's collections costs a run, against a bare ``insert_many`` of the same documents.

Run: ``python benchmarks/mongo.py [--messages 20000] [--days 30] [--runs 5]``. The chats are resampled
from the sample (``common/chats.py``), and the lake is computed once. ``write`` and ``checks`` are the steps of one run
of the five collections into an empty database, as Dagster recorded them: reading the lake, computing the documents,
encoding, writing and the ledger; then all checks of the collections. ``insert_many`` writes the same documents, encoded
beforehand, into collections with the same indexes and validators, one call per collection; ``insert_many_unvalidated``
does so without validators. The orders alternate, each time in a fresh database of the same embedded server. Prints one
JSON object with the median and the spread of each figure, and a table. Processor seconds are those of this process and
of the server.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from common.chats import write_chats
from graph import COMMAND, environment
from pymongo import MongoClient

from analytics_platform.cli.preparing import prepare
from analytics_platform.definitions import build_definitions
from analytics_platform.defs.assets import operational_assets
from analytics_platform.defs.assets.everyday import EVERYTHING
from analytics_platform.defs.resources.instance_folder import open_instance
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.runs.graph_run import run_range
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.mongo import EmbeddedMongo
from analytics_platform.storage.mongo.migrations import migrate

RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
Documents = Mapping[str, Sequence[RawBSONDocument]]


class Clock:
    """Measures seconds, and processor seconds of this process and of the server together."""

    def __init__(self, server: psutil.Process) -> None:
        self._server = server

    def _processor(self) -> float:
        used = self._server.cpu_times()
        return used.user + used.system + time.process_time()

    def measure(self, work: Callable[[], object]) -> dict[str, float]:
        """Do work; return its seconds and processor seconds."""
        seconds, processor = time.perf_counter(), self._processor()
        work()
        return {"seconds": time.perf_counter() - seconds, "processor": self._processor() - processor}


def run_product(database: str) -> dict[str, float]:
    """Run the collections of all days into an empty database; return the seconds of its steps, and of the whole run."""
    os.environ["ANALYTICS_MONGO_DATABASE"] = database
    settings = load_settings()
    with closing(Platform(settings)) as platform, open_instance(settings.dagster_home) as instance:
        definitions = build_definitions(platform)
        platform.mongo.migrate()
        days = platform.lake.keys("conversations")
        outcome = Outcome()
        keys = sorted(asset.key for asset in operational_assets.ASSETS)
        run_range(definitions, EVERYTHING, days[0], days[-1], outcome, selection=keys, instance=instance)
        if outcome.failures:
            raise SystemExit("; ".join(outcome.failures))
        steps = instance.get_run_step_stats(outcome.runs[-1])
        taken = {step.step_key: (step.end_time or 0.0) - (step.start_time or 0.0) for step in steps}
    checks = sum(seconds for key, seconds in taken.items() if key.endswith("_checks") or "__" not in key)
    return {"write": sum(taken.values()) - checks, "checks": checks}


def stored(client: MongoClient[Any], database: str) -> dict[str, list[RawBSONDocument]]:
    """Return all documents of the collections, encoded."""
    names = sorted({asset.recipe.table.base_name for asset in operational_assets.ASSETS})
    return {name: list(client[database].get_collection(name, codec_options=RAW).find()) for name in names}


def empty_database(client: MongoClient[Any], name: str, documents: Documents, *, validates: bool) -> None:
    """Make the collections with their indexes, and with their validators if asked for."""
    migrate(client[name])
    if not validates:
        for collection in documents:
            client[name].command("collMod", collection, validator={}, validationLevel="off")


def insert_bare(client: MongoClient[Any], database: str, documents: Documents) -> None:
    """Insert the documents, one call per collection."""
    for name, rows in documents.items():
        if rows:
            client[database][name].insert_many(rows)


def measure_round(
    client: MongoClient[Any], clock: Clock, documents: Documents | None, number: int
) -> tuple[dict[str, float], Documents]:
    """Return the figures of one round, and the documents that the product wrote; it comes first in even rounds."""
    # Databases of the round's own: the embedded server drops a database key by key, and waits for the disk each time.
    names = {way: f"bench_{way}_{number}" for way in ("product", "insert_many", "insert_many_unvalidated")}
    figures: dict[str, float] = {}

    def product() -> None:
        result: dict[str, float] = {}
        taken = clock.measure(lambda: result.update(run_product(names["product"])))
        figures.update(result)
        figures.update({"product": result["write"] + result["checks"], "run_processor": taken["processor"]})

    def bare(way: str, documents: Documents) -> None:
        empty_database(client, names[way], documents, validates=way == "insert_many")
        taken = clock.measure(lambda: insert_bare(client, names[way], documents))
        figures.update({way: taken["seconds"], f"{way}_processor": taken["processor"]})

    if number % 2 == 0 or documents is None:
        product()
        documents = stored(client, names["product"])
    bare("insert_many", documents)
    bare("insert_many_unvalidated", documents)
    if "product" not in figures:
        product()
    for way in ("insert_many", "insert_many_unvalidated"):
        figures[f"product_by_{way}"] = figures["product"] / figures[way]
        figures[f"write_by_{way}"] = figures["write"] / figures[way]
    return figures, documents


def summary(rounds: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return the median, the least and the greatest value of each figure."""
    columns = {name: [one[name] for one in rounds] for name in rounds[0]}
    ways: dict[str, Callable[[list[float]], float]] = {"median": statistics.median, "least": min, "most": max}
    return {name: {way: round(of(values), 3) for way, of in ways.items()} for name, values in columns.items()}


def measure(messages: int, days: int, runs: int) -> tuple[list[dict[str, float]], Documents]:
    """Compute a lake of so many messages; return the figures of each round, and the documents."""
    with tempfile.TemporaryDirectory() as folder:
        home, chats = Path(folder) / "home", Path(folder) / "chats.parquet"
        write_chats(chats, messages=messages, days=days)
        variables = environment(home, chats)
        subprocess.run([COMMAND[0], "run"], env=variables, check=True, stdout=subprocess.DEVNULL)
        os.environ.update(variables)
        settings = load_settings()
        prepare(settings)
        embedded = EmbeddedMongo(settings.mongo_dir)
        with embedded as uri, MongoClient[dict[str, Any]](uri) as client:
            os.environ["ANALYTICS_MONGO_URI"] = uri
            server = embedded.running()
            assert server is not None
            clock = Clock(server)
            _, documents = measure_round(client, clock, None, 0)  # a warm-up: imports and caches
            return [measure_round(client, clock, documents, number)[0] for number in range(1, runs + 1)], documents


def main() -> None:
    """Measure the rounds, and print figures and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    rounds, documents = measure(options.messages, options.days, options.runs)
    figures = summary(rounds)
    count = {name: len(rows) for name, rows in documents.items()}
    load = round(os.getloadavg()[0], 1)
    print(json.dumps({"documents": count, "days": options.days, "load_average": load, **figures}, indent=2))
    print(
        f"\n| {sum(count.values()):,} documents on {options.days} days | median | least | most |\n|---|---:|---:|---:|"
    )
    for name, values in figures.items():
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values.values()) + " |")


if __name__ == "__main__":
    main()
