"""Split a source's files by day: read each file once, spill to disk, and write the rows by day to Parquet files.

`file_source` decides when to stage and where the folder is; `row_validation` and `deduplication` contain the rules.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics_platform.sources.base import NoMessagesError
from analytics_platform.sources.file_reading.date_orders import DateOrders
from analytics_platform.sources.file_reading.file_rows import date_orders, read_rows
from analytics_platform.sources.file_reading.originals import Originals
from analytics_platform.sources.file_reading.recognised import Recognised
from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.mapped_rows import Batch
from analytics_platform.sources.mapping import LEFT_OUT, FieldMapping
from analytics_platform.sources.published_days import MANIFEST, manifest_text, write_days
from analytics_platform.sources.row_rules.deduplication import (
    SETTLED_TABLES,
    deduplicate_all,
    find_refusals,
    use_other_day,
    use_outcome_range,
    use_window,
)
from analytics_platform.sources.row_rules.row_summary import SUMMARY, summarise
from analytics_platform.sources.row_rules.row_validation import JUDGED, judge, prepare_judging
from analytics_platform.sources.rows import Rows, merge_rows
from analytics_platform.system.read_ahead import read_ahead

MEMORY_LIMIT = "512MB"
_REPEATING = [
    "user_id", "agent_id", "model", "channel", "role", "time_source", "language", "outcome", "variant", "cost_source",
    "reason",
]  # fmt: skip
"""Columns of judged rows whose values repeat; a dictionary of the others' values costs time and saves nothing."""
_AS_READ = pa.schema([("conversation_id", pa.string())])
_ROWS_PER_FILE = 1 << 40
"""Positions reserved per file: ``file * _ROWS_PER_FILE + row`` orders the rows of a whole source."""


def stage(
    folder: Path, files: list[SourceFile], mapping: FieldMapping, *, name: str, first_day: dt.date, last_day: dt.date
) -> None:
    """Read all files and write their days to ``folder``; the manifest is written last.

    Memory is a few batches plus ``MEMORY_LIMIT``, independent of the size of the files.

    Args:
        folder: An empty folder, also used to spill data that does not fit into memory.
        files: The files; of two rows of one message, the row of the file that changed last is kept, and of files that
            changed at the same time, the row of the later one in the list.
        mapping: Field mapping.
        name: Name of the source.
        first_day: First day on which a conversation may start.
        last_day: Last day on which a conversation may start, inclusive.

    Raises:
        SourceError: If a file cannot be read or lacks a column.
        duckdb.Error: If memory or disk do not suffice.
    """
    work = folder / "work"
    work.mkdir()
    with staging_database(work / "spill", mapping) as db, closing(Originals(work / "originals")) as originals:
        by_age = sorted(files, key=lambda file: file.modified_ns)  # stable: the list decides between equal times
        refused, unfolded, guesses = _read_files(db, by_age, mapping, work, originals)
        db.execute(SETTLED_TABLES)
        use_window(db, name, first_day, last_day)
        deduplicate_all(db, unfolded)
        find_refusals(db)
        use_other_day(db)
        use_outcome_range(db)
        originals.create_view(db)
        days = write_days(db, folder)
        summary = summarise(db)
        summary = replace(summary, files_without_messages=refused, warnings=(*summary.warnings, *guesses))
    shutil.rmtree(work)
    (folder / SUMMARY).write_text(summary.as_text(), encoding="utf-8")
    (folder / MANIFEST).write_text(manifest_text(days), encoding="utf-8")


@contextmanager
def staging_database(spill: Path, mapping: FieldMapping) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory that can judge rows, and uses at most ``MEMORY_LIMIT``.

    Args:
        spill: Folder for what does not fit into memory.
        mapping: Field mapping.
    """
    with _system_memory(), duckdb.connect() as db:
        db.execute("SET memory_limit = $limit", {"limit": MEMORY_LIMIT})
        db.execute("SET temp_directory = $folder", {"folder": str(spill)})
        db.execute("SET TimeZone = 'UTC'")
        prepare_judging(db, mapping)
        yield db


@contextmanager
def _system_memory() -> Iterator[None]:
    """Let Arrow take memory from the C library within the block.

    Arrow's own allocator gives the memory of each block of rows back to the operating system, and clears it when it
    takes it again: as much work as judging the block.
    """
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def judged_blocks(
    db: duckdb.DuckDBPyConnection,
    files: list[SourceFile],
    mapping: FieldMapping,
    refusals: list[NoMessagesError] | None = None,
    dates: DateOrders | None = None,
    unfolded: set[int] | None = None,
) -> Iterator[tuple[Batch, pa.Table]]:
    """Yield the mapped rows of all files block by block, each with the same rows as judged.

    The next block is read while the caller works on one.

    Args:
        db: From ``staging_database``.
        files: The files; their places in the list become ``file``, and decide the order of positions.
        mapping: Field mapping.
        refusals: Gets the refusal of each file that is left out, because it holds no messages.
        dates: Gets a sentence for each file whose dates show no order.
        unfolded: Gets the place of each file of which a record became several rows.

    Raises:
        SourceError: If a file cannot be read or lacks a column.
    """
    refusals = refusals if refusals is not None else []
    unfolded = unfolded if unfolded is not None else set()
    dates = dates or date_orders(files, mapping)
    for number, of_file, rows in read_ahead(_all_rows(files, mapping, refusals, dates, unfolded)):
        batch = of_file.apply(rows)
        yield batch, judge(db, batch, file=number, first_position=number * _ROWS_PER_FILE)


def require_columns(files: list[SourceFile], mapping: FieldMapping) -> None:
    """Check the columns of files as ``stage`` does, from the first batch of each.

    Raises:
        SourceError: If a file's first batch cannot be read or lacks a column.
    """
    refusals: list[NoMessagesError] = []
    for file in files:
        try:
            for of_file, rows in islice(read_rows(file, mapping), 1):
                of_file.require_columns(rows.columns, file.place)
        except NoMessagesError as refusal:
            if file.is_named:
                raise
            refusals.append(refusal)
    if refusals and len(refusals) == len(files):
        raise refusals[0]


def _read_files(
    db: duckdb.DuckDBPyConnection, files: list[SourceFile], mapping: FieldMapping, work: Path, originals: Originals
) -> tuple[int, set[int], list[str]]:
    """Read every file into two tables on disk: ``read_rows`` with each row read, ``all_rows`` as validated.

    ``originals`` gets the rows as they were read.

    Returns:
        Number of files that are left out, because they hold no messages; the files of which a record became several
        rows; and a sentence for each file whose dates show no order.
    """
    refusals: list[NoMessagesError] = []
    unfolded: set[int] = set()
    dates = date_orders(files, mapping)
    db.execute("CREATE TABLE files (file INTEGER, label VARCHAR)")
    db.executemany("INSERT INTO files VALUES (?, ?)", [[number, file.label] for number, file in enumerate(files)])
    with (
        pq.ParquetWriter(work / "judged.parquet", JUDGED, use_dictionary=_REPEATING) as judged_rows,
        pq.ParquetWriter(work / "read.parquet", _AS_READ) as ledger,
    ):
        for batch, block in judged_blocks(db, files, mapping, refusals, dates, unfolded):
            is_counted = pc.not_equal(pc.fill_null(batch.rows["problem"], ""), LEFT_OUT)
            ledger.write_table(batch.rows.filter(is_counted).select(["conversation_id"]))
            judged_rows.write_table(block)
            originals.add(block["position"], batch.columns)
    db.read_parquet(str(work / "judged.parquet")).create_view("all_rows")
    db.execute(f"CREATE VIEW validated AS FROM all_rows WHERE reason IS DISTINCT FROM '{LEFT_OUT}'")
    if not mapping.session_gap:  # sessions have no name in the rows as they were read; deduplication counts its own
        db.read_parquet(str(work / "read.parquet")).create_view("read_rows")
    return len(refusals), unfolded, dates.sentences


def _all_rows(
    files: list[SourceFile],
    mapping: FieldMapping,
    refusals: list[NoMessagesError],
    dates: DateOrders,
    unfolded: set[int],
) -> Iterator[tuple[int, FieldMapping, Rows]]:
    """Yield the rows of all files, each block with the number of its file and its mapping; refuse missing columns.

    A file of a folder or zip that has no columns of messages is left out, if another file can be used.
    """
    seen: set[str] = set()
    for number, file in enumerate(files):
        checked = False
        recognised = Recognised()
        try:
            for of_file, rows in merge_rows(read_rows(file, mapping, recognised, dates)):
                if rows.columns and not checked:
                    of_file.require_columns(rows.columns, file.place)
                    checked = True
                seen.update(rows.columns)
                yield number, of_file, rows
        except NoMessagesError as refusal:
            if file.is_named:
                raise
            refusals.append(refusal)
        if recognised.unfolds:
            unfolded.add(number)
    if refusals and not seen:
        raise refusals[0]
    if seen:
        mapping.require_mapped_columns(seen)
