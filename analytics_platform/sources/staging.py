"""Splitting a source's files by day: read once, out of core, and kept as one Parquet file per day.

Belongs here: what only the whole source can tell (duplicates, which day a conversation belongs to), and
writing the days. Does not belong here: when to stage and where the folder is (``files``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.model import Table
from analytics_platform.model.raw import MAX_TEXT_CHARACTERS, QUARANTINED_ROWS, RAW_MESSAGES
from analytics_platform.sources.judging import judge, prepare_judging
from analytics_platform.sources.locating import SourceFile, read_rows
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.rows import Rows

MANIFEST = "manifest.json"
MEMORY_LIMIT = "512MB"
_BATCH_ROWS = 20_000
_ROWS_PER_FILE = 1 << 40
"""Room for row numbers in a position: ``file * _ROWS_PER_FILE + row`` orders the rows of a whole source."""

_CONVERSATIONS = """
CREATE TABLE repeats AS
WITH firsts AS (
    SELECT message_id, min(position) AS position FROM judged WHERE reason IS NULL
    GROUP BY message_id HAVING count(*) > 1
)
SELECT
    again.position, again.conversation_id, again.message_id,
    files.label AS first_label, kept.source_row AS first_row,
    concat_ws(', ',
        CASE WHEN again.conversation_id IS DISTINCT FROM kept.conversation_id THEN 'conversation_id' END,
        CASE WHEN again.user_id IS DISTINCT FROM kept.user_id THEN 'user_id' END,
        CASE WHEN again.agent_id IS DISTINCT FROM kept.agent_id THEN 'agent_id' END,
        CASE WHEN again.model IS DISTINCT FROM kept.model THEN 'model' END,
        CASE WHEN again.channel IS DISTINCT FROM kept.channel THEN 'channel' END,
        CASE WHEN again.role IS DISTINCT FROM kept.role THEN 'role' END,
        CASE WHEN again.text IS DISTINCT FROM kept.text THEN 'text' END,
        CASE WHEN again.timestamp IS DISTINCT FROM kept.timestamp THEN 'timestamp' END,
        CASE WHEN again.language IS DISTINCT FROM kept.language THEN 'language' END,
        CASE WHEN again.rating IS DISTINCT FROM kept.rating THEN 'rating' END,
        CASE WHEN again.outcome IS DISTINCT FROM kept.outcome THEN 'outcome' END,
        CASE WHEN again.variant IS DISTINCT FROM kept.variant THEN 'variant' END,
        CASE WHEN again.tokens IS DISTINCT FROM kept.tokens THEN 'tokens' END,
        CASE WHEN again.cost IS DISTINCT FROM kept.cost THEN 'cost' END,
        CASE WHEN again.extra IS DISTINCT FROM kept.extra THEN 'extra' END
    ) AS differs
FROM firsts
JOIN judged AS kept ON kept.position = firsts.position
JOIN judged AS again ON again.message_id = firsts.message_id AND again.position > firsts.position
JOIN files ON files.file = kept.file
WHERE again.reason IS NULL;

CREATE TABLE starts AS
SELECT conversation_id, CAST(min(timestamp) AS DATE) AS day
FROM judged ANTI JOIN repeats USING (position)
WHERE reason IS NULL
GROUP BY conversation_id;

CREATE TABLE days AS
SELECT conversation_id, day FROM starts
WHERE day BETWEEN getvariable('first_day') AND getvariable('last_day');

SET VARIABLE other_day = (SELECT coalesce(min(day), getvariable('first_day')) FROM days);
"""

_MESSAGES = """
SELECT md5_number_lower(CAST(to_json(staged) AS VARCHAR)) AS row_hash, staged.* FROM (
    SELECT
        days.day AS date, judged.conversation_id, message_id, user_id, agent_id, model, channel, role, text,
        timestamp AT TIME ZONE 'UTC' AS timestamp,
        language, rating, outcome, variant, tokens, cost, extra,
        getvariable('source') AS source, files.label AS source_file, source_row
    FROM judged
    ANTI JOIN repeats USING (position)
    JOIN days ON days.conversation_id = judged.conversation_id
    JOIN files ON files.file = judged.file
    WHERE reason IS NULL
    ORDER BY date, position
) AS staged
"""

_QUARANTINED = """
WITH refused AS (
    SELECT position, reason, detail FROM judged WHERE reason IS NOT NULL
    UNION ALL
    SELECT position, 'conflicting_duplicate',
        format('message_id is ''{}'', read before in {} row {} with another {}',
            left(message_id, 100), first_label, first_row, differs)
    FROM repeats WHERE differs <> ''
    UNION ALL
    SELECT position, 'outside_partitions',
        format('conversation_id ''{}'' starts on {}, outside {} to {}',
            left(conversation_id, 100), day, getvariable('first_day'), getvariable('last_day'))
    FROM judged ANTI JOIN repeats USING (position) JOIN starts USING (conversation_id)
    WHERE reason IS NULL AND day NOT BETWEEN getvariable('first_day') AND getvariable('last_day')
)
SELECT md5_number_lower(CAST(to_json(staged) AS VARCHAR)) AS row_hash, staged.* FROM (
    SELECT
        date,
        left(sha256(CAST(to_json([source_file, CAST(source_row AS VARCHAR), whole]) AS VARCHAR)), 32) AS quarantine_id,
        getvariable('source') AS source, source_file, source_row, conversation_id, reason,
        CASE WHEN length(whole) > getvariable('longest_text')
            THEN format('{} (content: the first {} of {} characters, SHA-256 {})',
                detail, getvariable('longest_text'), length(whole), sha256(whole))
            ELSE detail END AS detail,
        left(whole, getvariable('longest_text')) AS content
    FROM (
        SELECT
            coalesce(days.day, getvariable('other_day')) AS date, judged.position,
            files.label AS source_file, source_row, judged.conversation_id, refused.reason, refused.detail,
            coalesce(line, json_object_of(names, cells)) AS whole
        FROM refused
        JOIN judged ON judged.position = refused.position
        JOIN files ON files.file = judged.file
        LEFT JOIN days ON days.conversation_id = judged.conversation_id
    )
    ORDER BY date, position
) AS staged
"""

_COUNTS = """
SELECT CAST(date AS VARCHAR), sum(rows_read), sum(duplicates) FROM (
    SELECT coalesce(day, getvariable('other_day')) AS date, 1 AS rows_read, 0 AS duplicates
    FROM read_rows LEFT JOIN days USING (conversation_id)
    UNION ALL
    SELECT coalesce(day, getvariable('other_day')), 0, 1
    FROM repeats LEFT JOIN days USING (conversation_id) WHERE differs = ''
)
GROUP BY date ORDER BY date
"""


@dataclass(frozen=True)
class StagedDay:
    """What the manifest says of one day.

    Attributes:
        version: Hash of everything that is staged for the day.
        rows_read: Number of rows read.
        duplicates: Number of rows dropped as read before.
    """

    version: str
    rows_read: int
    duplicates: int


def stage(
    folder: Path, files: list[SourceFile], mapping: FieldMapping, *, name: str, first_day: dt.date, last_day: dt.date
) -> None:
    """Read all files and write their days to ``folder``; the manifest comes last.

    Memory stays at a few batches plus ``MEMORY_LIMIT``, whatever the size of the files.

    Args:
        folder: An empty folder, also used for what does not fit into memory.
        files: In the order in which the first of two rows with the same ``message_id`` wins.
        mapping: Field mapping.
        name: Name of the source.
        first_day: First day that conversations may start on.
        last_day: Last day that conversations may start on, inclusive.

    Raises:
        SourceError: If a file cannot be read or lacks a column.
        duckdb.Error: If memory or disk do not suffice.
    """
    work = folder / "work"
    work.mkdir()
    with duckdb.connect() as db:
        db.execute("SET memory_limit = $limit", {"limit": MEMORY_LIMIT})
        db.execute("SET temp_directory = $folder", {"folder": str(work / "spill")})
        db.execute("SET TimeZone = 'UTC'")
        db.execute("SET VARIABLE source = $name", {"name": name})
        db.execute("SET VARIABLE longest_text = $most", {"most": MAX_TEXT_CHARACTERS})
        db.execute("SET VARIABLE first_day = $day", {"day": first_day})
        db.execute("SET VARIABLE last_day = $day", {"day": last_day})
        _read_files(db, files, mapping, work)
        db.execute(_CONVERSATIONS)
        messages = _write_days(db, _MESSAGES, RAW_MESSAGES, folder)
        quarantined = _write_days(db, _QUARANTINED, QUARANTINED_ROWS, folder)
        counts = db.execute(_COUNTS).fetchall()
    shutil.rmtree(work)
    days = {
        day: asdict(StagedDay(_version(messages[day], quarantined[day], rows, duplicates), rows, duplicates))
        for day, rows, duplicates in counts
    }
    (folder / MANIFEST).write_text(json.dumps(days), encoding="utf-8")


@lru_cache(maxsize=8)  # a finished folder never changes
def read_manifest(folder: Path) -> dict[str, StagedDay]:
    """Return the days staged in a folder, ascending."""
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return {day: StagedDay(**staged) for day, staged in content.items()}


def read_table(folder: Path, declared: Table, day: str) -> pa.Table:
    """Return one staged table of a day, canonical; empty when the day has no such rows."""
    path = _day_path(folder, declared, day)
    if not path.is_file():
        return declared.empty()
    with pq.ParquetFile(path) as file:
        return declared.conform(file.read())


def _read_files(db: duckdb.DuckDBPyConnection, files: list[SourceFile], mapping: FieldMapping, work: Path) -> None:
    """Read every file into two tables on disk: ``read_rows`` as they were read, ``judged`` with their verdict."""
    prepare_judging(db, mapping)
    db.execute("CREATE TABLE files (file INTEGER, label VARCHAR)")
    db.executemany("INSERT INTO files VALUES (?, ?)", [[number, file.label] for number, file in enumerate(files)])
    nothing = mapping.apply(Rows(np.array([], dtype=np.int64), {}))
    judged = judge(db, nothing, file=0, first_position=0)
    as_read = nothing.rows.select(["conversation_id"])
    with (
        pq.ParquetWriter(work / "judged.parquet", judged.schema) as judged_rows,
        pq.ParquetWriter(work / "read.parquet", as_read.schema) as ledger,
    ):
        for number, rows in _all_rows(files, mapping):
            batch = mapping.apply(rows)
            ledger.write_table(batch.rows.select(["conversation_id"]))
            judged_rows.write_table(judge(db, batch, file=number, first_position=number * _ROWS_PER_FILE))
    db.read_parquet(str(work / "judged.parquet")).create_view("judged")
    db.read_parquet(str(work / "read.parquet")).create_view("read_rows")


def _all_rows(files: list[SourceFile], mapping: FieldMapping) -> Iterator[tuple[int, Rows]]:
    """Yield the rows of all files, each batch with the number of its file; check that no column is missing."""
    seen: set[str] = set()
    for number, file in enumerate(files):
        checked = False
        for rows in read_rows(file):
            if rows.columns and not checked:
                mapping.require_columns(rows.columns, str(file.path))
                checked = True
            seen.update(rows.columns)
            yield number, rows
    if seen:
        mapping.require_mapped_columns(seen)


def _write_days(db: duckdb.DuckDBPyConnection, query: str, declared: Table, folder: Path) -> defaultdict[str, int]:
    """Write the rows of a query, which come sorted by day, to one file per day.

    Returns:
        Day to a hash of its rows, 0 for a day without any; rows are distinct, so that their order does not
        matter and no two cancel each other out.
    """
    hashes: defaultdict[str, int] = defaultdict(int)
    (folder / declared.name).mkdir()
    slices = _split_by_day(db.sql(query).to_arrow_reader(_BATCH_ROWS))
    for day, parts in groupby(slices, key=itemgetter(0)):
        with pq.ParquetWriter(_day_path(folder, declared, day), declared.arrow_schema, compression="zstd") as writer:
            for _, rows in parts:
                hashes[day] ^= int(np.bitwise_xor.reduce(rows.column("row_hash").to_numpy()))
                writer.write_table(rows.select(declared.column_names).cast(declared.arrow_schema))
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
