"""How fast and in how much memory a large CSV file is staged, against a bare streaming read of it.

Run: ``python benchmarks/source_memory.py [--rows 1000000]``. Each measurement runs in a process of its own,
so that its peak memory is its own. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import random
import tempfile
from pathlib import Path

from common.processes import measure, medians

COLUMNS = "conversation_id message_id user_id agent_id channel role text timestamp rating tokens campaign"
WORDS = ["hello", "the", "printer", "is", "broken, again", '"quoted"', "please", "help\nme", "thanks", "naïve"]
FIRST_DAY = dt.date(2024, 1, 1)
DAYS = 365
MESSAGES_PER_CONVERSATION = 8


def write_csv(path: Path, rows: int) -> None:
    """Write ``rows`` messages spread over a year, eight to a conversation; the same file every time."""
    generator = random.Random(0)
    midnight = dt.datetime.combine(FIRST_DAY, dt.time(), dt.UTC)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS.split())
        for row in range(rows):
            conversation, turn = divmod(row, MESSAGES_PER_CONVERSATION)
            day = conversation * 7919 % DAYS
            time_sent = midnight + dt.timedelta(days=day, hours=9, seconds=conversation % 20_000 + 30 * turn)
            role = "assistant" if turn % 2 else "user"
            text = " ".join(generator.choices(WORDS, k=14))
            rating = conversation % 5 + 1 if turn == 0 else ""
            people = [f"u{conversation % 5000}", f"a{conversation % 40}"]
            place = [f"c{conversation}", f"m{row}", *people, "chat", role, text]
            writer.writerow([*place, time_sent.isoformat(), rating, len(text) // 4, f"spring-{day % 3}"])


def read_bare(path: Path, folder: Path) -> int:
    """Read the file with Arrow's streaming reader and drop the batches; returns the rows read."""
    import pyarrow.csv  # noqa: PLC0415  # only this process pays for it

    del folder
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return sum(batch.num_rows for batch in pyarrow.csv.open_csv(path, parse_options=options))


def read_source(path: Path, folder: Path) -> int:
    """Stage the file and read every day; returns the rows read."""
    from analytics_platform.sources.file_reading.file_source import FileSource  # noqa: PLC0415  # only this process pays for it

    last_day = FIRST_DAY + dt.timedelta(days=DAYS - 1)
    source = FileSource(str(path), staging_dir=folder, first_day=FIRST_DAY, last_day=last_day)
    return sum(source.read_day(day).rows_read for day in source.days())


def main() -> None:
    """Generate the file, measure both readers, print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messages.csv"
        write_csv(path, rows)
        bare = medians([measure(read_bare, path, Path(folder) / "staging")])
        staged = medians([measure(read_source, path, Path(folder) / "staging")])
        report = {
            "file_mb": round(path.stat().st_size / 1e6),
            "bare_arrow": bare,
            "source": staged,
            "speed_ratio": round(bare["seconds"] / staged["seconds"], 3),
            "cpu_ratio": round(staged["cpu_seconds"] / bare["cpu_seconds"], 1),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
