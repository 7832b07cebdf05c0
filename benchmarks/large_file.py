"""How much memory a large file of JSON lines takes, and whether that grows with the file.

Run: ``python benchmarks/large_file.py [--gigabytes 0.2 1]``. For each size the script writes a file of as many bytes
into a temporary folder, stages it and reads every day in a process of its own, and deletes the file. It prints a JSON
object per size, and the ratio of the peaks of memory of the last size and the first. The folder, of ``TMPDIR``, needs
about three times the size of the largest file.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import tempfile
from pathlib import Path

from common.processes import measure, medians

FIRST_DAY, DAYS = dt.date(2024, 1, 1), 365
MESSAGES_PER_CONVERSATION = 8
_TEXTS = 5_000
_WORDS = ("hello", "the printer", "is broken", "again", "please", "thanks", "naïve", "order", "refund", "account")


def write_json_lines(path: Path, size: int) -> None:
    """Write messages of about 350 bytes, eight to a conversation, over a year; the same file every time.

    Args:
        path: The file.
        size: Size in bytes from which on no further conversation is written.
    """
    generator = random.Random(0)
    texts = [json.dumps(" ".join(generator.choices(_WORDS, k=generator.randint(5, 60)))) for _ in range(_TEXTS)]
    midnight = dt.datetime.combine(FIRST_DAY, dt.time(9), dt.UTC)
    starts = [midnight + dt.timedelta(days=day) for day in range(DAYS)]
    written = conversation = 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            start = starts[conversation * 7919 % DAYS] + dt.timedelta(seconds=conversation % 20_000)
            lines = []
            for turn in range(MESSAGES_PER_CONVERSATION):
                role = "assistant" if turn % 2 else "user"
                time = (start + dt.timedelta(seconds=30 * turn)).isoformat()
                text = texts[(conversation * 31 + turn * 7) % _TEXTS]
                lines.append(
                    f'{{"conversation_id":"c{conversation}","message_id":"m{turn}","user_id":"u{conversation % 5000}",'
                    f'"agent_id":"a{conversation % 40}","role":"{role}","text":{text},"timestamp":"{time}",'
                    f'"tokens":{len(text) // 4},"campaign":"spring-{conversation % 3}"}}\n'
                )
            block = "".join(lines)
            written += len(block.encode())
            file.write(block)
            conversation += 1


def read_source(path: Path, folder: Path) -> int:
    """Stage the file and read every day; returns the rows read."""
    from analytics_platform.sources.file_reading.file_source import FileSource  # noqa: PLC0415  # only this process pays for it

    last_day = FIRST_DAY + dt.timedelta(days=DAYS - 1)
    source = FileSource(str(path), staging_dir=folder, first_day=FIRST_DAY, last_day=last_day)
    with source.held():
        return sum(source.read_day(day).messages.num_rows for day in source.days())


def main() -> None:
    """Measure each size, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.2, 1.0])
    peaks = []
    for gigabytes in parser.parse_args().gigabytes:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "messages.jsonl"
            write_json_lines(path, int(gigabytes * 1e9))
            figures = medians([measure(read_source, path, Path(name) / "staging")])
            print(json.dumps({"file_mb": round(path.stat().st_size / 1e6), **figures}), flush=True)
        peaks.append(figures["peak_mb"])
    print(json.dumps({"ratio_of_peaks": round(peaks[-1] / peaks[0], 2)}))


if __name__ == "__main__":
    main()
