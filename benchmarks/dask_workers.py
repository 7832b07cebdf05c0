"""How much sooner a run ends with two one-core workers of a Dask cluster than with one: without MongoDB.

Run: ``python benchmarks/dask_workers.py [--messages 200000] [--days 12] [--runs 1]``. Every run has a fresh lake.
Scheduler and workers are processes of this machine, whose cores they share with the run itself. A first run of few
messages lets the workers import and fit what they need, and does not count. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.chats import write_chats
from graph import COMMAND, environment, timed


@contextmanager
def cluster(home: Path, chats: Path, workers: int) -> Iterator[dict[str, str]]:
    """Run a scheduler and workers of one thread, and give the environment of runs that use them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    variables = environment(home, chats) | {"ANALYTICS_EXECUTOR": "dask", "ANALYTICS_DASK_SCHEDULER": address}
    one = ("dask_worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--local-directory", home)
    commands = [("dask_scheduler", "--host", "127.0.0.1", "--port", port), *[one] * workers]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{name}", *map(str, arguments), "--no-dashboard"],
            env=variables, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for name, *arguments in commands
    ]  # fmt: skip
    try:
        yield variables
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure(folder: Path, chats: Path, few: Path, workers: int) -> dict[str, float]:
    """Return the figures of a run with so many workers that are warm."""
    home = folder / f"home-{workers}"
    home.mkdir()
    with cluster(home, few, workers) as variables:
        timed(COMMAND, variables)
        for part in ("lake", "dagster", "staging"):
            shutil.rmtree(home / part)
        return timed(COMMAND, variables | {"ANALYTICS_SOURCE_PATH": str(chats)})


def main() -> None:
    """Measure one and two workers, and print the figures and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=12)
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    report: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_chats(folder / "chats.parquet", messages=options.messages, days=options.days)
        write_chats(folder / "few.parquet", messages=2_000, days=options.days)
        for workers in (1, 2):
            runs = []
            for number in range(options.runs):
                place = folder / f"run-{workers}-{number}"
                place.mkdir()
                runs.append(measure(place, folder / "chats.parquet", folder / "few.parquet", workers))
            report[f"{workers} workers"] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    one, two = report.values()
    print(json.dumps({**report, "one by two, seconds": round(one["seconds"] / two["seconds"], 2)}, indent=2))


if __name__ == "__main__":
    main()
