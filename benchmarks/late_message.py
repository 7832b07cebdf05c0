"""What one late message costs in a long history, against a short one: without MongoDB, marts and reports.

Run: ``python benchmarks/late_message.py [--messages 30000] [--days 3650] [--few-days 30]``. Both homes hold the same
number of messages (``common/chats.py``), in one file. After a first run the last day's first message is said again
under another id, and two runs compute what changed: one of that day alone, as the sensor of the source starts it, and
one over the whole range. Then the UI is asked for the state of all partitions of all assets, and ``analytics status``
is run. Prints one JSON object, with the size of Dagster's history and of the lake, and the ratios of the long history
to the short one.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import requests
from common.chats import write_chats
from graph import COMMAND, environment, timed

START_SECONDS = 300
"""Longest wait for the web server to start, and to answer."""
STATES = "{assetNodes {assetKey {path} partitionStats {numMaterialized numFailed numPartitions}}}"


def add_late_message(chats: Path, number: int) -> str:
    """Add a message to the last conversation of a file, and return its day, ``YYYY-MM-DD``."""
    table = pq.read_table(chats)
    newest = int(pc.index(table["timestamp"], pc.max(table["timestamp"])).as_py())
    row = table.slice(newest, 1)
    place = table.column_names.index("message_id")
    row = row.set_column(place, "message_id", pa.array([f"late-{number}"]))
    pq.write_table(pa.concat_tables([table, row]), chats, compression="zstd")
    return str(row["timestamp"][0].as_py())[:10]


def ask_ui(home: Path, variables: dict[str, str]) -> float:
    """Return the seconds in which the UI tells the state of every partition of every asset, asked a second time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [
        *(str(Path(sys.executable).with_name("dagster-webserver")), "-h", "127.0.0.1", "-p", port),
        *("-w", str(Path(__file__).parents[1] / "workspace.yaml")),
    ]
    server = subprocess.Popen(
        command,
        env=variables | {"DAGSTER_HOME": str(home / "dagster")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                _query(port)
                break
            except requests.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
        started = time.perf_counter()
        _query(port)
        return time.perf_counter() - started
    finally:
        server.terminate()
        server.wait()


def _query(port: str) -> None:
    answer = requests.post(f"http://127.0.0.1:{port}/graphql", json={"query": STATES}, timeout=START_SECONDS)
    answer.raise_for_status()
    if not answer.json()["data"]["assetNodes"]:
        raise RuntimeError("the UI knows no assets")


def megabytes(folder: Path) -> float:
    """Return the size of all files below a folder, in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1024**2


def measure(folder: Path, messages: int, days: int) -> dict[str, dict[str, float]]:
    """Return the figures of the first run and of both runs after a late message."""
    chats, home = folder / f"chats-{days}.parquet", folder / f"home-{days}"
    write_chats(chats, messages=messages, days=days)
    variables = environment(home, chats)
    figures = {"first": timed(COMMAND, variables)}
    for number, span in enumerate(("day", "range")):
        day = add_late_message(chats, number)
        only = ["--from", day, "--to", day] if span == "day" else []
        figures[span] = timed([*COMMAND, *only], variables)
    figures["status"] = timed([COMMAND[0], "status"], variables)
    figures["ui"] = {"seconds": ask_ui(home, variables)}
    figures["size"] = {f"{name}_mb": megabytes(home / name) for name in ("dagster", "lake")}
    return figures


def main() -> None:
    """Measure the short and the long history, and print figures and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--days", type=int, default=3_650)
    parser.add_argument("--few-days", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        few = measure(Path(name), options.messages, options.few_days)
        print(json.dumps({f"{options.few_days} days": few}), file=sys.stderr)
        many = measure(Path(name), options.messages, options.days)
    ratios = {
        f"{task}, {unit}": round(figure / few[task][unit], 2)
        for task, figures in many.items()
        for unit, figure in figures.items()
    }
    report = {f"{options.few_days} days": few, f"{options.days} days": many, "long by short": ratios}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
