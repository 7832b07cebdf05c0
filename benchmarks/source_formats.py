"""How fast and in how much memory files of each format are read as rows, against a bare read of them into Arrow.

Run: ``python benchmarks/source_formats.py [--rows 600000]``. Each measurement runs in a process of its own, so that its
peak memory is its own. The ratio is the CPU time of the bare read by that of reading rows: 1 is as fast as Arrow. An
array and chats nested in records have no bare reader in Arrow; they are compared with the same rows as JSON lines.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from source_memory import write_csv

MESSAGES_PER_CHAT = 8
WARM_UP = "warm_up"
"""Folder of small files of the same names."""


def write_formats(folder: Path, rows: int) -> None:
    """Write the same messages as CSV, Parquet, JSON lines, one array, and chats of eight messages a line."""
    import pyarrow as pa  # noqa: PLC0415  # only the first process pays for it
    import pyarrow.csv  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    write_csv(folder / "messages.csv", rows)
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    table = pa.csv.read_csv(folder / "messages.csv", parse_options=parse)
    pq.write_table(table, folder / "messages.parquet")
    with (
        (folder / "messages.jsonl").open("w") as lines,
        (folder / "messages.json").open("w") as array,
        (folder / "chats.jsonl").open("w") as chats,
    ):
        array.write("[")
        chat: list[dict[str, str]] = []
        for number, row in enumerate(row for batch in table.to_batches() for row in batch.to_pylist()):
            text = json.dumps(row, default=str)
            lines.write(f"{text}\n")
            array.write(f"{',' if number else ''}{text}")
            chat.append({"role": row["role"], "content": row["text"]})
            if len(chat) == MESSAGES_PER_CHAT:
                chats.write(json.dumps({"id": row["conversation_id"], "messages": chat}) + "\n")
                chat = []
        array.write("]")


def read_bare(path: Path) -> int:
    """Read a file into Arrow; returns its rows."""
    import pyarrow.csv  # noqa: PLC0415
    import pyarrow.json  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    if path.suffix == ".csv":
        options = pyarrow.csv.ReadOptions(use_threads=False)
        parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
        return sum(batch.num_rows for batch in pyarrow.csv.open_csv(path, read_options=options, parse_options=parse))
    if path.suffix == ".parquet":
        return sum(batch.num_rows for batch in pq.ParquetFile(path).iter_batches())
    lines = path.with_name("messages.jsonl")
    return sum(batch.num_rows for batch in pyarrow.json.open_json(lines))


def read_source(path: Path) -> int:
    """Read a file as rows; returns their number."""
    from analytics_platform.sources.file_rows import read_rows  # noqa: PLC0415
    from analytics_platform.sources.locating import find_files  # noqa: PLC0415
    from analytics_platform.sources.mapping import FieldMapping  # noqa: PLC0415

    (file,) = find_files(str(path))
    return sum(len(rows.numbers) for _, rows in read_rows(file, FieldMapping()))


def _measure(read: Callable[[Path], int], path: Path, results: multiprocessing.Queue) -> None:
    read(path.parent / WARM_UP / path.name)  # imports count for neither
    start = time.process_time()
    rows = read(path)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    results.put({"rows": rows, "cpu_seconds": round(seconds, 2), "peak_mb": round(peak)})


def measure(read: Callable[[Path], int], path: Path) -> dict[str, float]:
    """Run one reader in a fresh process; returns rows, CPU seconds, and peak memory in MB."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_measure, args=(read, path, results))
    process.start()
    found = results.get()
    process.join()
    return found


def main() -> None:
    """Write the files, measure both readers on each, print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=600_000)
    rows = parser.parse_args().rows
    report = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / WARM_UP).mkdir()
        # In a process of its own: a child's peak memory begins with that of its parent.
        for target, count in ((folder, rows), (folder / WARM_UP, MESSAGES_PER_CHAT)):
            process = multiprocessing.get_context("spawn").Process(target=write_formats, args=(target, count))
            process.start()
            process.join()
        for path in sorted(folder.glob("*.*")):
            bare, source = measure(read_bare, path), measure(read_source, path)
            report[path.name] = {
                "file_mb": round(path.stat().st_size / 1e6),
                "bare_arrow": bare,
                "rows": source,
                "ratio": round(bare["cpu_seconds"] / source["cpu_seconds"], 2),
            }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
