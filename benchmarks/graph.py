"""What a run of the graph costs beside its own functions: without MongoDB, marts and reports.

Run: ``python benchmarks/graph.py [--messages 100000] [--days 365] [--few-days 30] [--runs 3]``. The chats are
resampled from the sample (``common/chats.py``). ``graph`` is ``analytics run`` of the groups raw, clean, insights and
analytics on a fresh home; ``bare`` is one script that stages the same file, calls the same functions on blocks of days
and writes each day's tables as Parquet, without checks, event history and provenance. ``again`` is a second
``analytics run``, which finds nothing to do; ``one_day`` computes one day again, in a run of its own as Dagster does
by default, with all steps in one process. Each measurement runs in processes of its own. Prints one JSON object, and
a table of ratios: by the clock, and by processor time, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import atexit
import collections
import datetime as dt
import functools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from common.chats import FIRST_DAY, write_chats

if TYPE_CHECKING:
    from analytics_platform.defs.resources.platform import Platform

GROUPS = ("raw", "clean", "insights", "analytics")
COMMAND = [
    str(Path(sys.executable).with_name("analytics")),
    *("run", "--select", " or ".join(f"group:{group}" for group in GROUPS)),
]


def environment(home: Path, chats: Path) -> dict[str, str]:
    """Return the environment of a command over a file, without settings of whoever runs the benchmark."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANALYTICS_", "DAGSTER_"))}
    own = {"HOME": home, "SOURCE": "files", "SOURCE_PATH": chats, "START_DATE": FIRST_DAY, "MONGO_URI": "off"}
    return {**kept, **{f"ANALYTICS_{name}": str(value) for name, value in own.items()}}


def timed(command: list[str], variables: dict[str, str]) -> dict[str, float]:
    """Run a command, and return its seconds, processor seconds and peak memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2),
    }


@functools.cache
def _platform() -> Platform:
    """Return the platform of this process, opened once."""
    from analytics_platform.defs.resources.platform import Platform  # noqa: PLC0415  # only these processes pay for it
    from analytics_platform.settings.loader import load_settings  # noqa: PLC0415

    platform = Platform(load_settings())
    atexit.register(platform.close)
    return platform


def _write_block(days: list[str], home: Path) -> None:
    """Compute all daily tables of a block of days by their functions alone, and write them."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    from analytics_platform.analytics.daily import daily_metrics  # noqa: PLC0415
    from analytics_platform.defs.assets.everyday import TABLES  # noqa: PLC0415
    from analytics_platform.model.tables.analytics_tables import DAILY_METRICS  # noqa: PLC0415
    from analytics_platform.storage.work.blocks import split  # noqa: PLC0415

    resources, source = _platform().recipe_resources(), _platform().source
    recipes = [asset.recipe for asset in TABLES if asset.recipe.spans_days and asset.place.group in GROUPS]
    tables = {"raw_messages": pa.concat_tables([source.read_day(day).messages for day in days])}
    for recipe in recipes:
        given = {name: tables[name] for name in recipe.inputs if name in tables}
        held = {name: resources[name] for name in recipe.resources}
        if recipe.table.name == DAILY_METRICS.name:  # it reads counts of the rows that a run could not use
            none = [0] * len(days)
            dates = [dt.date.fromisoformat(day) for day in days]
            found = daily_metrics(dates, **given, failed_conversations=none, quarantined_rows=none)
        else:
            found = recipe.compute(**given, **held)
        tables[recipe.table.name] = recipe.table.conform(found)
    for name, table in tables.items():
        for day, part in split(table, days).items():
            folder = home / "bare" / name / f"date={day}"
            folder.mkdir(parents=True)
            pq.write_table(part, folder / "data.parquet", compression="zstd")


def run_bare(home: Path) -> None:
    """Stage a file, and write the tables of its days; processes share the blocks where a run would do so."""
    from analytics_platform.defs.executors.process_pool import LEAST_ROWS  # noqa: PLC0415
    from analytics_platform.storage.work.blocks import BLOCK_ROWS  # noqa: PLC0415

    rows = _platform().fresh_source().rows_by_day()
    blocks: list[list[str]] = [[]]
    for day in sorted(rows):
        if sum(rows[one] for one in blocks[-1]) >= BLOCK_ROWS:
            blocks.append([])
        blocks[-1].append(day)
    write = functools.partial(_write_block, home=home)
    if sum(rows.values()) < LEAST_ROWS:
        collections.deque(map(write, blocks), maxlen=0)
        return
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        collections.deque(pool.map(write, blocks), maxlen=0)


def measure(chats: Path) -> dict[str, dict[str, float]]:
    """Return the figures of one graph, one repeated and one bare run over a file."""
    with tempfile.TemporaryDirectory() as name:
        home, other = Path(name) / "home", Path(name) / "bare"
        variables, day = environment(home, chats), str(FIRST_DAY)
        return {
            "graph": timed(COMMAND, variables),
            "again": timed(COMMAND, variables),
            "one_day": timed([*COMMAND, "--from", day, "--to", day, "--force"], variables),
            "bare": timed([sys.executable, __file__, "--bare", str(other)], environment(other, chats)),
        }


def medians(runs: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return the median of each figure of several runs."""
    return {
        task: {name: round(statistics.median(run[task][name] for run in runs), 2) for name in figures}
        for task, figures in runs[0].items()
    }


def _ratio(one: dict[str, float], other: dict[str, float], times: int = 1) -> tuple[float, float]:
    return times * one["seconds"] / other["seconds"], times * one["cpu_seconds"] / other["cpu_seconds"]


def main() -> None:
    """Measure many days and few days with the same number of messages, and print figures and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--few-days", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--bare", type=Path, metavar="HOME", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        run_bare(options.bare)
        return
    report: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for days in (options.days, options.few_days):
            chats = Path(folder) / f"chats-{days}.parquet"
            write_chats(chats, messages=options.messages, days=days)
            report[f"{days} days"] = medians([measure(chats) for _ in range(options.runs)])
    many, few = report.values()
    ratios = {
        "graph by bare, many days": _ratio(many["graph"], many["bare"]),
        "graph by bare, few days": _ratio(few["graph"], few["bare"]),
        "many days by few days": _ratio(many["graph"], few["graph"]),
        "nothing to do by everything, many days": _ratio(many["again"], many["graph"]),
        "a run per day by one run, many days": _ratio(many["one_day"], many["graph"], options.days),
    }
    print(json.dumps({"messages": options.messages, **report}, indent=2))
    print("\n| ratio | clock | processor |\n|---|---|---|")
    for name, (clock, processor) in ratios.items():
        print(f"| {name} | {clock:.2f} | {processor:.2f} |")


if __name__ == "__main__":
    main()
