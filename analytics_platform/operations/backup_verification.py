"""Verification of a backup's content before a restore writes: every document, and every row of every table.

A hash proves that a file is the one of the manifest. It does not prove that the file was whole when its hash was taken,
or that nobody edited both.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from analytics_platform.model import Table
from analytics_platform.model.validation import find_violations
from analytics_platform.operations.backup_archive import MANIFEST, Archive, damaged, read_lines
from analytics_platform.storage.lake import DamagedPartitionError, Lake, LakeError
from analytics_platform.storage.mongo.irreplaceable import (
    ExportedLineError,
    IrreplaceableCollection,
    id_text,
    read_line,
)
from analytics_platform.storage.partitions import PartitionInfo

_ID_BYTES = 8


def verify_documents(archive: Archive, file: str, collection: IrreplaceableCollection) -> None:
    """Read every line of a collection's file, and count the lines.

    Args:
        archive: The backup.
        file: Path of the file within the backup.
        collection: The collection of the file.

    Raises:
        BackupError: If a line is not a document that the collection can store, an ``_id`` occurs twice, or the
            manifest states another number of documents.
    """
    path, ids = archive.path / file, array("Q")
    for number, line in enumerate(read_lines(path), 1):
        try:
            document = read_line(collection, line)
        except ExportedLineError as error:
            raise damaged(path, f"line {number:,}: {error}") from None
        digest = blake2b(id_text(document).encode(), digest_size=_ID_BYTES).digest()
        ids.append(int.from_bytes(digest))
    values = np.asarray(ids)
    order = np.argsort(values, kind="stable")
    repeated = np.flatnonzero(np.diff(values[order]) == 0)
    if repeated.size:
        first, second = (int(order[repeated[0] + step]) + 1 for step in (0, 1))
        raise damaged(path, f"line {second:,} has the _id of line {first:,}")
    _require_rows(archive, file, len(ids))


def verify_table(archive: Archive, file: str, table: Table) -> tuple[pa.Table, PartitionInfo]:
    """Read a table of a backup and return it with its footer.

    Columns that the platform added after the backup was made may be missing if they are nullable.

    Args:
        archive: The backup.
        file: Path of the file within the backup.
        table: The declaration.

    Raises:
        BackupError: If the file is damaged, breaks the declaration, or is not the one of the manifest.
    """
    path, lake = archive.path / file, Lake.open(str(archive.path / "lake"))
    try:
        content, info = lake.read_verified(table.name, ""), lake.info(table.name, "")
    except DamagedPartitionError as error:
        raise damaged(path, error.reason) from None
    except LakeError:
        raise damaged(path, "no table that this platform wrote") from None
    except Exception as error:  # noqa: BLE001  # a footer of another form raises errors of any kind
        raise damaged(path, f"its footer cannot be read ({type(error).__name__})") from None
    if info is None or not _is_footer(info):
        raise damaged(path, "its footer has no provenance and annotations")
    if violations := find_violations(table, _with_newer_columns(table, content)):
        raise damaged(path, str(violations[0]))
    if archive.content_hashes[file] != info.content_hash:
        raise damaged(archive.path / MANIFEST, f"files, {file}: content_hash is not the file's, {info.content_hash}")
    _require_rows(archive, file, content.num_rows)
    return content, info


def _is_footer(info: PartitionInfo) -> bool:
    annotations = info.annotations
    is_text = isinstance(annotations, dict) and all(isinstance(value, str) for value in annotations.values())
    return isinstance(info.provenance, str) and is_text


def _with_newer_columns(table: Table, content: pa.Table) -> pa.Table:
    """Return the content with nulls in each nullable column that it lacks, in the declared order of columns."""
    for column in table.columns:
        if column.nullable and column.name not in content.column_names:
            field = pa.field(column.name, column.type)
            content = content.append_column(field, pa.nulls(content.num_rows, column.type))
    return content.select(table.column_names) if set(content.column_names) == set(table.column_names) else content


def _require_rows(archive: Archive, file: str, rows: int) -> None:
    if archive.rows[file] != rows:
        raise damaged(archive.path / MANIFEST, f"files, {file}: rows is {archive.rows[file]:,}, the file has {rows:,}")
