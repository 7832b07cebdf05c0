"""How fast, and in how much memory, files are read and judged, against a bare read of them into Arrow.

Run: ``python benchmarks/source_formats.py [--rows 600000] [--runs 3]``. Each measurement runs in a process of its own,
so that its peak memory is its own; the runs of one format alternate, and their medians are printed. A file is read
bare by pyarrow (in one thread for CSV, its streaming reader otherwise) and by DuckDB (its own threads). ``rows`` reads
the rows as text, ``judged`` also maps and validates them, block by block and read ahead, as staging does. Each ratio is
the time of a bare read by the time of the source: 1 is as fast, 0.5 takes twice the time. Pyarrow reads no JSON array
and no chats nested in records; there it reads the same rows as JSON lines.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from pathlib import Path

from common.processes import measure, medians
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


def read_pyarrow(path: Path) -> int:
    """Read a file into Arrow with pyarrow; returns its rows."""
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


def read_duckdb(path: Path) -> int:
    """Read a file into Arrow with DuckDB; returns its rows."""
    import duckdb  # noqa: PLC0415

    function = {".csv": "read_csv", ".parquet": "read_parquet"}.get(path.suffix, "read_json")
    with duckdb.connect() as db:
        query = db.sql(f"SELECT * FROM {function}($path)", params={"path": str(path)})
        return sum(batch.num_rows for batch in query.to_arrow_reader(100_000))


def read_as_rows(path: Path) -> int:
    """Read a file as rows of text; returns their number."""
    from analytics_platform.sources.file_reading.file_rows import read_rows  # noqa: PLC0415
    from analytics_platform.sources.file_reading.locating import find_files  # noqa: PLC0415
    from analytics_platform.sources.mapping import FieldMapping  # noqa: PLC0415

    (file,) = find_files(str(path))
    return sum(len(rows.numbers) for _, rows in read_rows(file, FieldMapping()))


def read_and_judge(path: Path) -> int:
    """Read a file, map its rows and judge them, as staging does; returns their number."""
    from analytics_platform.sources.file_reading.locating import find_files  # noqa: PLC0415
    from analytics_platform.sources.file_reading.staging import judged_blocks, staging_database  # noqa: PLC0415
    from analytics_platform.sources.mapping import FieldMapping  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as spill, staging_database(Path(spill), FieldMapping()) as db:
        blocks = judged_blocks(db, find_files(str(path)), FieldMapping())
        return sum(judged.num_rows for _, judged in blocks)


TASKS = {"pyarrow": read_pyarrow, "duckdb": read_duckdb, "rows": read_as_rows, "judged": read_and_judge}


def ratios(figures: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the rates of both steps of the source by those of both bare readers, by wall and by CPU time."""
    return {
        f"{step}_by_{bare}_{clock}": round(figures[bare][name] / figures[step][name], 2)
        for step in ("rows", "judged")
        for bare in ("pyarrow", "duckdb")
        for clock, name in (("wall", "seconds"), ("cpu", "cpu_seconds"))
    }


def main() -> None:
    """Write the files, run every reader on each, print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=600_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    report = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / WARM_UP).mkdir()
        # In a process of its own: a child's peak memory begins with that of its parent.
        for target, count in ((folder, options.rows), (folder / WARM_UP, MESSAGES_PER_CHAT)):
            process = multiprocessing.get_context("spawn").Process(target=write_formats, args=(target, count))
            process.start()
            process.join()
        for path in sorted(folder.glob("*.*")):
            runs: dict[str, list[dict[str, float]]] = {task: [] for task in TASKS}
            for _ in range(options.runs):
                for task, read in TASKS.items():
                    runs[task].append(measure(read, path, warm_up=(folder / WARM_UP / path.name,)))
            figures = {task: medians(of_task) for task, of_task in runs.items()}
            report[path.name] = {"file_mb": round(path.stat().st_size / 1e6), **figures, **ratios(figures)}
            print(json.dumps({path.name: report[path.name]}), flush=True)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
