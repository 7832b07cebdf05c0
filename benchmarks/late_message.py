"""What one late message costs in a long history, against a short one: without MongoDB, marts and reports.

Run: ``python benchmarks/late_message.py [--messages 30000] [--days 3650] [--few-days 30]``. Both homes hold the same
number of messages (``common/chats.py``), in one file. After a first run the last day's first message is said again
under another id, and two runs compute what changed: one of that day alone, as the sensor of the source starts it, and
one over the whole range. Prints one JSON object, and the ratios of the long history to the short one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from common.chats import write_chats
from graph import COMMAND, environment, timed


def add_late_message(chats: Path, number: int) -> str:
    """Add a message to the last conversation of a file, and return its day, ``YYYY-MM-DD``."""
    table = pq.read_table(chats)
    newest = int(pc.index(table["timestamp"], pc.max(table["timestamp"])).as_py())
    row = table.slice(newest, 1)
    place = table.column_names.index("message_id")
    row = row.set_column(place, "message_id", pa.array([f"late-{number}"]))
    pq.write_table(pa.concat_tables([table, row]), chats, compression="zstd")
    return str(row["timestamp"][0].as_py())[:10]


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
        f"{span}, {unit}": round(many[span][unit] / few[span][unit], 2)
        for span in ("day", "range")
        for unit in ("seconds", "cpu_seconds")
    }
    report = {f"{options.few_days} days": few, f"{options.days} days": many, "long by short": ratios}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
