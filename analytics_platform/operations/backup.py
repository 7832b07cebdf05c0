"""Backup and restore of data that no run can compute again: corrections, paid LLM answers, models, evaluations.

All other data follows from the source. A backup contains no keys, because the holder of both could read encrypted
personal data.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from analytics_platform.defs.resources.platform import Platform
from analytics_platform.model import Table
from analytics_platform.model.tables.learning_tables import MODEL_EVALUATION, PROMOTED_MODEL
from analytics_platform.operations.backup_archive import (
    Archive,
    BackupError,
    open_archive,
    read_lines,
    seal,
    staged_folder,
    write_lines,
)
from analytics_platform.operations.backup_corrections import merge_entered
from analytics_platform.operations.backup_verification import verify_documents, verify_table
from analytics_platform.storage.content_hash import content_hash
from analytics_platform.storage.entered_corrections import read_entered
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.mongo.collections import LABEL_FEEDBACK
from analytics_platform.storage.mongo.irreplaceable import (
    IRREPLACEABLE,
    Merge,
    as_lines,
    export_lines,
    merge_lines,
    read_line,
)
from analytics_platform.storage.mongo.mongo_store import MongoStore
from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform.system.home import open_home
from analytics_platform.system.plain_text import counted

TABLES: tuple[Table, ...] = (MODEL_EVALUATION, PROMOTED_MODEL)
KEYS = ("ANALYTICS_PSEUDONYM_KEY", "ANALYTICS_PII_SPANS_KEY")
"""Settings without which users get other pseudonyms and personal data stays encrypted. A backup contains only
their names.
"""
_DOCUMENTS = {collection.name: f"mongo/{collection.name}.jsonl.gz" for collection in IRREPLACEABLE}
_FILES = {**_DOCUMENTS, **{table.name: f"lake/{table.name}/data.parquet" for table in TABLES}}
NAMES = {file: name for name, file in _FILES.items()}
"""Name of the collection or table of each file of a backup, by the file's path within the folder."""


@dataclass(frozen=True)
class Backup:
    """A completed backup.

    Attributes:
        path: The folder.
        bytes: Size of its files.
        rows: Number of documents or rows by collection or table.
        keys: Names of the settings to keep beside the backup.
    """

    path: str
    bytes: int
    rows: Mapping[str, int]
    keys: Sequence[str] = KEYS


@dataclass(frozen=True)
class Restored:
    """The result of a restore.

    Attributes:
        path: The folder of the backup.
        created_at: When the backup was made, ISO 8601, UTC.
        parts: Counts of merged documents or rows, by collection or table.
        keys: Names of the settings whose values must be equal in the restored home and in the home of the backup.
        without_mongo: Number of documents that are not restored because the platform has no MongoDB, by collection.
    """

    path: str
    created_at: str
    parts: Mapping[str, Merge]
    keys: Sequence[str] = KEYS
    without_mongo: Mapping[str, int] = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """One line for each collection that refused documents or could not be restored."""
        refused = [
            f"{name}: the validator refuses {len(part.refused):,} documents of the backup, first {part.refused[0]!r}"
            for name, part in self.parts.items()
            if part.refused
        ]
        left_out = [
            f"{name}: {counted(count, 'document')} of the backup not restored, because ANALYTICS_MONGO_URI is off; "
            "unset it or name a server, and restore again"
            for name, count in self.without_mongo.items()
        ]
        return [*refused, *left_out]

    def as_json(self) -> dict[str, Any]:
        """Return the result as a dictionary for JSON."""
        return asdict(self)


def back_up(platform: Platform, path: Path) -> Backup:
    """Write a backup as a new folder, which appears as a whole or not at all.

    Args:
        platform: The platform to back up; its stores are only read.
        path: The new folder; it must not exist.

    Raises:
        BackupError: If the folder exists, lies inside the home, or there is nothing to back up.
    """
    settings = platform.settings
    path, home = path.absolute(), settings.home.resolve()
    if path.resolve().is_relative_to(home):
        raise BackupError(f"{path}: lies in the home {home}, and would be lost with it; name a folder outside")
    if settings.home.exists():
        open_home(settings.home, settings.home_access)  # an embedded server must make private files
    begun = dt.datetime.now(dt.UTC).replace(microsecond=0)
    with staged_folder(path) as staged:
        files = {_FILES[name]: about for name, about in (*_documents(platform, staged), *_tables(platform, staged))}
        rows = {str(about["name"]): int(about["rows"]) for about in files.values()}
        if not any(rows.values()):
            raise BackupError(
                f"ANALYTICS_HOME {home}: no corrections, LLM answers or models to back up; is it the right home?"
            )
        facts = {
            "created_at": begun.isoformat(),
            "platform_version": version("analytics-platform"),
            "keys_to_keep_elsewhere": KEYS,
        }
        size = seal(staged, facts, files)
    return Backup(str(path), size, rows)


def _documents(platform: Platform, staged: Path) -> list[tuple[str, dict[str, Any]]]:
    settings = platform.settings
    is_empty = not settings.has_mongo or (settings.mongo_uri is None and not settings.mongo_dir.exists())
    exported = []
    for name, file in _DOCUMENTS.items():
        lines = () if is_empty else export_lines(platform.mongo, name)
        if name == LABEL_FEEDBACK.name:  # a restore puts them into MongoDB, and no correction counts twice
            lines = chain(lines, as_lines(_entered_only(platform, None if is_empty else platform.mongo)))
        exported.append((name, {"name": name, "kind": "collection", "rows": write_lines(staged / file, lines)}))
    return exported


def _entered_only(platform: Platform, mongo: MongoStore | None) -> Iterator[dict[str, Any]]:
    """Yield what `analytics correct` entered and MongoDB lacks, as documents of ``label_feedback``.

    MongoDB has an entered correction, too, if a backup was restored into the home that it was made of.
    """
    rows = {str(row.pop("feedback_id")): row for row in read_entered(platform.settings.entered_corrections)}
    stored: set[str] = set()
    if mongo is not None and rows:
        with mongo.lend(LABEL_FEEDBACK.name) as collection:
            stored = {document["_id"] for document in collection.find({"_id": {"$in": list(rows)}}, {"_id": 1})}
    for name, row in rows.items():
        if name not in stored:
            yield {"_id": name, **row}


def _tables(platform: Platform, staged: Path) -> list[tuple[str, dict[str, Any]]]:
    copy = Lake.open(str(staged / "lake"))
    exported = []
    for table in TABLES:
        info = platform.lake.info(table.name, "")
        if info is None:
            continue
        content = platform.lake.read_verified(table.name, "")
        copy.write(table.name, "", content, info.provenance, info.annotations)
        about = {"name": table.name, "kind": "table", "rows": info.rows, "content_hash": info.content_hash}
        exported.append((table.name, about))
    return exported


def restore(platform: Platform, path: Path, *, replace: bool = False) -> Restored:
    """Merge a backup into the database and the lake; restoring the same backup again changes nothing.

    Without MongoDB, corrections are merged into the home's file of entered corrections, and the LLM's documents are not
    restored, which ``Restored.failures`` says.

    Data that the backup lacks is unchanged. Of two documents with one ``_id`` the newer one wins; of two promoted
    models, the present one wins.

    Args:
        platform: The platform to restore into.
        path: The folder of the backup.
        replace: Let the backup win over present data, newer documents included.

    Raises:
        BackupError: If the folder is not a backup, or is damaged; then nothing was written.
    """
    archive = open_archive(path.absolute(), NAMES)
    tables = _verify_content(archive)
    open_home(platform.settings.home, platform.settings.home_access)
    mongo = platform.mongo_if_any
    if mongo is not None:
        mongo.migrate()
    parts: dict[str, Merge] = {}
    without_mongo: dict[str, int] = {}
    for collection in IRREPLACEABLE:
        name, file = collection.name, _DOCUMENTS[collection.name]
        if file not in archive.rows:
            continue
        lines = read_lines(archive.path / file)
        if mongo is not None:
            parts[name] = merge_lines(mongo, collection, lines, replace=replace)
        elif name == LABEL_FEEDBACK.name:
            documents = (read_line(collection, line) for line in lines)
            parts[name] = merge_entered(platform.settings.entered_corrections, documents, replace=replace)
        elif archive.rows[file]:
            without_mongo[name] = archive.rows[file]
    parts |= _restore_tables(platform.lake, tables, replace)
    return Restored(str(archive.path), archive.created_at, parts, without_mongo=without_mongo)


def _verify_content(archive: Archive) -> dict[str, tuple[pa.Table, PartitionInfo]]:
    """Read every document and table of an archive, and return the tables with their footers, by name.

    Raises:
        BackupError: If a document or table cannot be restored, or the manifest states another number of rows.
    """
    for collection in IRREPLACEABLE:
        if (file := _DOCUMENTS[collection.name]) in archive.rows:
            verify_documents(archive, file, collection)
    return {
        table.name: verify_table(archive, _FILES[table.name], table)
        for table in TABLES
        if _FILES[table.name] in archive.rows
    }


def _restore_tables(
    lake: Lake, tables: Mapping[str, tuple[pa.Table, PartitionInfo]], replace: bool
) -> dict[str, Merge]:
    parts = {}
    for table in TABLES:
        if table.name not in tables:
            continue
        theirs, source = tables[table.name]
        info = lake.info(table.name, "")
        ours = lake.read_verified(table.name, "") if info else theirs.slice(0, 0)
        merge = merge_models if table is PROMOTED_MODEL else merge_evaluations
        merged, parts[table.name] = merge(ours, theirs, replace=replace)
        if info is None or content_hash(merged) != info.content_hash:
            # Added evaluations do not change the inputs of the newest evaluation.
            origin = info if info and table is not PROMOTED_MODEL else source
            lake.write(table.name, "", merged, origin.provenance, origin.annotations)
    return parts


def merge_models(ours: pa.Table, theirs: pa.Table, *, replace: bool) -> tuple[pa.Table, Merge]:
    """Return the promoted model after a restore: the present one if there is one, unless ``replace`` is set."""
    count = theirs.num_rows
    if not ours.num_rows:
        return theirs, Merge(added=count)
    if content_hash(ours) == content_hash(theirs):
        return ours, Merge(equal=count)
    return (theirs, Merge(replaced=count)) if replace else (ours, Merge(kept=count))


def merge_evaluations(ours: pa.Table, theirs: pa.Table, *, replace: bool) -> tuple[pa.Table, Merge]:  # noqa: ARG001
    """Return the evaluations of both sides, ascending by time. Evaluations are never rewritten, so none conflict."""
    names = list(MODEL_EVALUATION.key)
    present = {tuple(row.values()) for row in ours.select(names).to_pylist()}
    new = [tuple(row.values()) not in present for row in theirs.select(names).to_pylist()]
    added = theirs.filter(pa.array(new, pa.bool_()))
    merged = pa.concat_tables([ours, added], promote_options="default")
    order = [(name, "ascending") for name in (*MODEL_EVALUATION.order, *names)]
    counts = Merge(added=added.num_rows, equal=theirs.num_rows - added.num_rows)
    return (merged.sort_by(order) if added.num_rows and ours.num_rows else merged), counts
