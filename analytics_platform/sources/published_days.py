"""The days of a source as Parquet files, and the manifest that describes them.

The module writes deduplicated rows (``deduplication``) by day, and reads them back.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from analytics_platform.model import Table
from analytics_platform.model.tables.raw_tables import QUARANTINED_ROWS, RAW_MESSAGES, UNPLACED_ROWS
from analytics_platform.sources.base import NO_ROWS, SourceDay, SourceError, UnplacedRows
from analytics_platform.sources.day_files import DayFiles, DayPlace, day_path, read_rows, stored_rows
from analytics_platform.sources.row_rules.deduplication import UNPLACED_DAY
from analytics_platform.system.file_stamps import FileCache
from analytics_platform.system.plain_text import counted

MANIFEST = "manifest.json"
_UNPLACED = str(UNPLACED_DAY)
_BATCH_ROWS = 20_000
_TABLES = (RAW_MESSAGES, QUARANTINED_ROWS)

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


_NO_PLACES: Mapping[str, DayPlace] = MappingProxyType({})


@dataclass(frozen=True)
class StagedDay:
    """The manifest's entry of one day.

    Attributes:
        version: Hash of the day's staged rows and counts.
        rows_read: Number of rows read.
        duplicates: Number of rows dropped as duplicates.
        part: Folder of the day's files, below the manifest's folder.
        places: Where the day's rows are in files that days share, by table; empty for a day with files of its own.
            An entry's hash leaves them out, because a mapping has no hash.
    """

    version: str
    rows_read: int
    duplicates: int
    part: str = ""
    places: Mapping[str, DayPlace] = field(default_factory=lambda: _NO_PLACES, hash=False)


def write_days(
    db: duckdb.DuckDBPyConnection, folder: Path, part: str = "", only: Collection[str] | None = None
) -> dict[str, StagedDay]:
    """Write the deduplicated rows by day: all days into few files, or chosen days into a file per table and day.

    Args:
        db: Contains ``judged``, ``originals`` (``position``, ``names`` and ``cells`` of at least every refused row),
            ``read_rows`` (conversation_id of every row read), ``files``, the tables of ``deduplication`` and of its
            ``find_refusals``, and the variable of ``use_outcome_range``.
        folder: Folder of the manifest.
        part: Folder of the files, below ``folder``.
        only: Days to write, as ``YYYY-MM-DD``, each of which may be replaced alone; all when None.

    Returns:
        The manifest's entry of each day that has rows.
    """
    which = "true"
    if only is not None:
        db.execute("SET VARIABLE only_days = $days::DATE[]", {"days": sorted(only)})
        which = "list_contains(getvariable('only_days'), coalesce(day, getvariable('other_day')))"
    shared = only is None
    messages = _write_table(db, _MESSAGES.format(which=which), RAW_MESSAGES, folder / part, shared=shared)
    quarantined = _Written()
    if db.execute("SELECT count(*) FROM refused").fetchall() != [(0,)]:
        statement = _QUARANTINED.format(which=which)
        quarantined = _write_table(db, statement, QUARANTINED_ROWS, folder / part, shared=shared)
    counts = db.execute(_COUNTS.format(which=which.replace("coalesce(day, getvariable('other_day'))", "date")))
    written = {RAW_MESSAGES.name: messages, QUARANTINED_ROWS.name: quarantined}
    return {
        day: StagedDay(
            _version(messages.hashes[day], quarantined.hashes[day], rows, duplicates),
            rows,
            duplicates,
            part,
            {name: table.places[day] for name, table in written.items() if day in table.places},
        )
        for day, rows, duplicates in counts.fetchall()
    }


def manifest_text(days: Mapping[str, StagedDay]) -> str:
    """Return the text of a manifest with these days, ascending."""
    return json.dumps({day: vars(days[day]) | {"places": dict(days[day].places)} for day in sorted(days)})


@lru_cache(maxsize=4)
def parse_manifest(text: str) -> Mapping[str, StagedDay]:
    """Return the days of a manifest, ascending; equal texts share one result, which nobody can change."""
    return MappingProxyType({day: _parse_day(**staged) for day, staged in json.loads(text).items()})


def _parse_day(places: Mapping[str, Iterable[Any]] = _NO_PLACES, **staged: Any) -> StagedDay:
    named = {name: DayPlace(*place) for name, place in places.items()}
    return StagedDay(**staged, places=MappingProxyType(named) if named else _NO_PLACES)


def read_manifest(folder: Path) -> Mapping[str, StagedDay]:
    """Return the days of the manifest in a folder, ascending; it is read again when the file is another one.

    Raises:
        FileNotFoundError: If there is no manifest.
    """
    return _manifests.get(folder / MANIFEST)


def read_versions(folder: Path) -> Mapping[str, str]:
    """Return the versions of the days of ``placed_days``, ascending, of the manifest in a folder.

    Raises:
        FileNotFoundError: If there is no manifest.
    """
    return _versions.get(folder / MANIFEST)


def _read_manifest(path: Path) -> Mapping[str, StagedDay]:
    return parse_manifest(path.read_text(encoding="utf-8"))


def _read_versions(path: Path) -> Mapping[str, str]:
    days = placed_days(_read_manifest(path))
    return MappingProxyType({day: staged.version for day, staged in days.items()})


_manifests = FileCache(_read_manifest, most=2)
_versions = FileCache(_read_versions, most=2)


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
        SourceError: If the files cannot be read, or have another number of rows than the manifest states, because files
            were removed or truncated.
    """
    staged = days.get(day, StagedDay(version="", rows_read=0, duplicates=0))
    messages, quarantined = (_stored_rows(folder, staged, declared, day) for declared in _TABLES)
    found = messages + quarantined + staged.duplicates
    if found != staged.rows_read:
        tables = [declared for declared in _TABLES if not staged.places or declared.name in staged.places]
        paths = [_day_path(folder, staged, declared, day) for declared in tables]
        suspects = [path for path in paths if not path.exists()] or paths
        raise SourceError(
            f"{' and '.join(map(str, suspects))}: {day} has {counted(staged.rows_read, 'row')}, and its files hold "
            f"{found}: {_removed(folder)}"
        )
    return SourceDay(
        partial(_read_table, folder, staged, RAW_MESSAGES, day, messages),
        partial(_read_table, folder, staged, QUARANTINED_ROWS, day, quarantined),
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
    named = {_day_path(folder, staged, declared, day) for day, staged in days.items() for declared in _TABLES}
    return [path for path in (folder / parts).glob("*/*/*.parquet") if path not in named]


def _stored_rows(folder: Path, staged: StagedDay, declared: Table, day: str) -> int:
    with _named(folder, _day_path(folder, staged, declared, day)):
        return stored_rows(folder / staged.part / declared.name, day, staged.places.get(declared.name))


def _read_table(folder: Path, staged: StagedDay, declared: Table, day: str, rows: int) -> pa.Table:
    """Read the rows of a day.

    Raises:
        SourceError: If the file cannot be read, or does not have ``rows`` rows, because it was removed.
    """
    path = _day_path(folder, staged, declared, day)
    with _named(folder, path):
        found = read_rows(folder / staged.part / declared.name, day, staged.places.get(declared.name))
    table = declared.empty() if found is None else declared.conform(found)
    if table.num_rows != rows:
        raise SourceError(
            f"{path}: {day} has {counted(rows, 'row')}, and the file holds {table.num_rows}: {_removed(folder)}"
        )
    return table


@contextmanager
def _named(folder: Path, path: Path) -> Iterator[None]:
    """Raise an error of a file of a manifest's folder as one that names the file and a remedy.

    Raises:
        SourceError: If the block raises an error of Arrow's or the operating system's.
    """
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{path}: the file cannot be read ({error}). {_remedy(folder)}") from error


def _removed(folder: Path) -> str:
    return f"files were removed while they were read. {_remedy(folder)}"


def _remedy(folder: Path) -> str:
    return f"Run again; if that says the same, delete {folder} and run again"


@dataclass(frozen=True)
class _Written:
    """The days of a table that were written.

    Attributes:
        hashes: A hash of each day's rows, 0 for a day without rows. The hash is the XOR of the row hashes, which does
            not depend on the order of rows; rows are distinct, so no two hashes cancel each other out.
        places: Where the rows of days are that share files.
    """

    hashes: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    places: Mapping[str, DayPlace] = field(default_factory=dict)


def _write_table(db: duckdb.DuckDBPyConnection, query: str, declared: Table, folder: Path, *, shared: bool) -> _Written:
    """Write the rows of a query, which are sorted by day.

    Args:
        db: Database of the query.
        query: The rows, each with its ``row_hash``.
        declared: Declaration of the table.
        folder: Folder that gets a folder named after the table.
        shared: Whether days share files.
    """
    db.execute(_JOIN_AS_WRITTEN)
    with DayFiles(folder / declared.name, declared.arrow_schema, shared=shared) as files:
        written = _Written(places=files.places)
        for batch in db.sql(query).to_arrow_reader(_BATCH_ROWS):
            if not batch.num_rows:
                continue
            rows = pa.Table.from_batches([batch])
            dates, row_hashes = rows.column("date").to_numpy(), rows.column("row_hash").to_numpy()
            starts = np.flatnonzero(np.concatenate([[True], dates[1:] != dates[:-1]]))
            days = dates[starts].astype(str).tolist()
            for day, one in zip(days, np.bitwise_xor.reduceat(row_hashes, starts).tolist(), strict=True):
                written.hashes[day] ^= one
            content = rows.select(declared.column_names).cast(declared.arrow_schema)
            files.write(content, days, [*starts.tolist(), len(dates)])
    db.execute("RESET disabled_optimizers")
    return written


def _day_path(folder: Path, staged: StagedDay, declared: Table, day: str) -> Path:
    return day_path(folder / staged.part / declared.name, day, staged.places.get(declared.name))


def _version(*parts: int) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:32]
