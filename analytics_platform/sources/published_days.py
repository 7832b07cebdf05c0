"""The days of a source as Parquet files, and the manifest that describes them.

The module writes deduplicated rows (``deduplication``) by day, and reads them back.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.model import Table
from analytics_platform.model.tables.raw_tables import QUARANTINED_ROWS, RAW_MESSAGES, UNPLACED_ROWS
from analytics_platform.sources.base import NO_ROWS, SourceDay, SourceError, UnplacedRows
from analytics_platform.sources.row_rules.deduplication import UNPLACED_DAY
from analytics_platform.system.plain_text import counted

MANIFEST = "manifest.json"
_UNPLACED = str(UNPLACED_DAY)
_BATCH_ROWS = 20_000
_REMOVED = "files were removed while they were read. Run again; if that says the same, delete the folder and run again"

_JOIN_AS_WRITTEN = "SET disabled_optimizers = 'join_order,build_side_probe_side'"
"""Tables are joined in their order, with hashes of the later ones. DuckDB takes three conditions on the rows for a
factor of 125: of a million rows it expected 8,000, fewer than there are conversations, and hashed all rows with their
texts, so that every fourth staging ran out of memory."""
_MESSAGES = """
SELECT md5_number_lower(CAST(to_json(staged) AS VARCHAR)) AS row_hash, staged.* FROM (
    SELECT
        conversation_days.day AS date, judged.conversation_id, message_id, user_id, agent_id, model, channel, role,
        text, timestamp AT TIME ZONE 'UTC' AS timestamp, time_source,
        -- Of messages of one time, a file that is written newest first has the last one first.
        CASE WHEN sequence IS NULL AND is_newest_first THEN -CAST(source_row AS DOUBLE) ELSE sequence END AS sequence,
        language, rating, outcome, variant, tokens, input_tokens, output_tokens, cost, cost_source,
        CASE WHEN outcome IS NOT NULL THEN getvariable('outcome_range') END AS outcome_range, extra,
        getvariable('source') AS source, files.label AS source_file, source_row
    FROM judged
    ANTI JOIN repeats USING (position)
    JOIN conversation_days ON conversation_days.conversation_id = judged.conversation_id
    JOIN files ON files.file = judged.file
    WHERE reason IS NULL AND NOT is_stray(judged.timestamp) AND {which}
    ORDER BY date, position
) AS staged
"""

_QUARANTINED = """
SELECT md5_number_lower(CAST(to_json(staged) AS VARCHAR)) AS row_hash, staged.* FROM (
    SELECT
        date,
        left(sha256(CAST(to_json([source_file, CAST(source_row AS VARCHAR), whole]) AS VARCHAR)), 32) AS quarantine_id,
        getvariable('source') AS source, source_file, source_row, conversation_id, reason,
        CASE WHEN length(whole) > getvariable('longest_text')
            THEN format('{{}} (content: the first {{}} of {{}} characters, SHA-256 {{}})',
                detail, getvariable('longest_text'), length(whole), sha256(whole))
            ELSE detail END AS detail,
        left(whole, getvariable('longest_text')) AS content
    FROM (
        SELECT
            coalesce(conversation_days.day, getvariable('other_day')) AS date, judged.position,
            files.label AS source_file, source_row, judged.conversation_id, refused.reason, refused.detail,
            coalesce(line, json_object_of(names, cells)) AS whole
        FROM judged
        JOIN refused ON refused.position = judged.position
        LEFT JOIN originals ON originals.position = refused.position
        JOIN files ON files.file = judged.file
        LEFT JOIN conversation_days ON conversation_days.conversation_id = judged.conversation_id
        WHERE {which}
    )
    ORDER BY date, position
) AS staged
"""

_COUNTS = """
SELECT CAST(date AS VARCHAR), count(*) FILTER (NOT is_duplicate), count(*) FILTER (is_duplicate) FROM (
    SELECT coalesce(day, getvariable('other_day')) AS date, false AS is_duplicate
    FROM read_rows LEFT JOIN conversation_days USING (conversation_id)
    UNION ALL
    SELECT coalesce(day, getvariable('other_day')), true
    FROM compared LEFT JOIN conversation_days USING (conversation_id) WHERE differs = ''
)
WHERE {which}
GROUP BY date ORDER BY date
"""


@dataclass(frozen=True)
class StagedDay:
    """The manifest's entry of one day.

    Attributes:
        version: Hash of the day's staged rows and counts.
        rows_read: Number of rows read.
        duplicates: Number of rows dropped as duplicates.
        part: Folder of the day's files, below the manifest's folder.
    """

    version: str
    rows_read: int
    duplicates: int
    part: str = ""


def write_days(
    db: duckdb.DuckDBPyConnection, folder: Path, part: str = "", only: Collection[str] | None = None
) -> dict[str, StagedDay]:
    """Write the deduplicated rows to one file per table and day.

    Args:
        db: Contains ``judged``, ``originals`` (``position``, ``names`` and ``cells`` of at least every refused row),
            ``read_rows`` (conversation_id of every row read), ``files``, the tables of ``deduplication`` and of its
            ``find_refusals``, and the variable of ``use_outcome_range``.
        folder: Folder of the manifest.
        part: Folder of the files, below ``folder``.
        only: Days to write, as ``YYYY-MM-DD``; all when None.

    Returns:
        The manifest's entry of each day that has rows.
    """
    which = "true"
    if only is not None:
        db.execute("SET VARIABLE only_days = $days::DATE[]", {"days": sorted(only)})
        which = "list_contains(getvariable('only_days'), coalesce(day, getvariable('other_day')))"
    messages = _write_table(db, _MESSAGES.format(which=which), RAW_MESSAGES, folder / part)
    quarantined: Mapping[str, int] = defaultdict(int)
    if db.execute("SELECT count(*) FROM refused").fetchall() != [(0,)]:
        quarantined = _write_table(db, _QUARANTINED.format(which=which), QUARANTINED_ROWS, folder / part)
    counts = db.execute(_COUNTS.format(which=which.replace("coalesce(day, getvariable('other_day'))", "date")))
    return {
        day: StagedDay(_version(messages[day], quarantined[day], rows, duplicates), rows, duplicates, part)
        for day, rows, duplicates in counts.fetchall()
    }


def manifest_text(days: Mapping[str, StagedDay]) -> str:
    """Return the text of a manifest with these days, ascending."""
    return json.dumps({day: asdict(days[day]) for day in sorted(days)})


@lru_cache(maxsize=8)
def parse_manifest(text: str) -> dict[str, StagedDay]:
    """Return the days of a manifest, ascending."""
    return {day: StagedDay(**staged) for day, staged in json.loads(text).items()}


def placed_days(days: Mapping[str, StagedDay]) -> dict[str, StagedDay]:
    """Return the days of a manifest that are partitions: all but the rows that belong to no day."""
    return {day: staged for day, staged in days.items() if day != _UNPLACED}


def unplaced_rows(folder: Path, days: Mapping[str, StagedDay]) -> UnplacedRows:
    """Return the rows of conversations that start on no day that is kept.

    Args:
        folder: Folder of the manifest.
        days: Days of the manifest.

    Raises:
        SourceError: See ``read_day``.
    """
    found = read_day(folder, days, _UNPLACED)
    return UnplacedRows(
        version=days[_UNPLACED].version if _UNPLACED in days else NO_ROWS,
        read_quarantined=lambda: UNPLACED_ROWS.conform(found.quarantined.drop(["date"])),
        rows_read=found.rows_read,
        duplicates=found.duplicates,
        quarantined_rows=found.quarantined_rows,
    )


def read_day(folder: Path, days: Mapping[str, StagedDay], day: str) -> SourceDay:
    """Return the rows of one day; empty tables for a day that is not staged.

    Args:
        folder: Folder of the manifest.
        days: Days of the manifest.
        day: ``YYYY-MM-DD``.

    Raises:
        SourceError: If the files have another number of rows than the manifest states, because files were removed.
    """
    staged = days.get(day, StagedDay(version="", rows_read=0, duplicates=0))
    place = folder / staged.part
    messages, quarantined = (_count_rows(place, declared, day) for declared in (RAW_MESSAGES, QUARANTINED_ROWS))
    found = messages + quarantined + staged.duplicates
    if found != staged.rows_read:
        raise SourceError(
            f"{folder}: {day} has {counted(staged.rows_read, 'row')}, and its files hold {found}: {_REMOVED}"
        )
    return SourceDay(
        partial(_read_table, place, RAW_MESSAGES, day, messages),
        partial(_read_table, place, QUARANTINED_ROWS, day, quarantined),
        rows_read=staged.rows_read,
        duplicates=staged.duplicates,
        quarantined_rows=quarantined,
    )


def unused_files(folder: Path, parts: str, days: Mapping[str, StagedDay]) -> list[Path]:
    """Return the files of days that a manifest does not name, because the day was replaced or never published.

    Args:
        folder: Folder of the manifest.
        parts: Folder below ``folder`` that contains the parts.
        days: Days of the manifest.
    """
    named = {
        _day_path(folder / staged.part, declared, day)
        for day, staged in days.items()
        for declared in (RAW_MESSAGES, QUARANTINED_ROWS)
    }
    return [path for path in (folder / parts).glob("*/*/*.parquet") if path not in named]


def _count_rows(folder: Path, declared: Table, day: str) -> int:
    path = _day_path(folder, declared, day)
    return int(pq.read_metadata(path).num_rows) if path.is_file() else 0


def _read_table(folder: Path, declared: Table, day: str, rows: int) -> pa.Table:
    """Read the rows of a day.

    Raises:
        SourceError: If the file does not have ``rows`` rows, because it was removed.
    """
    path = _day_path(folder, declared, day)
    table = declared.empty()
    if path.is_file():
        with pq.ParquetFile(path) as file:
            table = declared.conform(file.read())
    if table.num_rows != rows:
        raise SourceError(f"{path}: {day} has {counted(rows, 'row')}, and the file holds {table.num_rows}: {_REMOVED}")
    return table


def _write_table(db: duckdb.DuckDBPyConnection, query: str, declared: Table, folder: Path) -> defaultdict[str, int]:
    """Write the rows of a query, which are sorted by day, to one file per day.

    Returns:
        A hash of each day's rows, 0 for a day without rows. The hash is the XOR of the row hashes, which does not
        depend on the order of rows; rows are distinct, so no two hashes cancel each other out.
    """
    hashes: defaultdict[str, int] = defaultdict(int)
    (folder / declared.name).mkdir(parents=True)
    db.execute(_JOIN_AS_WRITTEN)
    slices = _split_by_day(db.sql(query).to_arrow_reader(_BATCH_ROWS))
    for day, parts in groupby(slices, key=itemgetter(0)):
        with pq.ParquetWriter(_day_path(folder, declared, day), declared.arrow_schema, compression="zstd") as writer:
            for _, rows in parts:
                hashes[day] ^= int(np.bitwise_xor.reduce(rows.column("row_hash").to_numpy()))
                writer.write_table(rows.select(declared.column_names).cast(declared.arrow_schema))
    db.execute("RESET disabled_optimizers")
    return hashes


def _split_by_day(batches: pa.RecordBatchReader) -> Iterator[tuple[str, pa.Table]]:
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        dates = rows.column("date").to_numpy()
        changes = np.flatnonzero(dates[1:] != dates[:-1]) + 1
        for start, end in pairwise(np.unique([0, *changes, len(dates)]).tolist()):
            yield str(dates[start]), rows.slice(start, end - start)


def _day_path(folder: Path, declared: Table, day: str) -> Path:
    return folder / declared.name / f"{day}.parquet"


def _version(*parts: int) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:32]
