"""Read files of corrections: which conversation has which label, by whom and when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analytics_platform.insights.learning.label_files import (
    ROW,
    distinct_names,
    read_label_file,
    require_columns,
)

COLUMNS = {
    "conversation_id": ("conversation_id",),
    "message_id": ("message_id",),
    "kind": ("kind",),
    "label": ("label",),
    "author": ("who", "author"),
    "corrected_at": ("when", "corrected_at"),
    "note": ("note",),
}
"""Names under which each field of a correction may stand in a file or a table of corrections."""


def read_corrections_files(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the rows of several files as corrections, each with a ``feedback_id`` of its own.

    Raises:
        LabelFileError: If a file cannot be read or lacks a column.
    """
    names = distinct_names(paths)
    return [row for path, name in names.items() for row in read_corrections_file(path, name)]


def read_corrections_file(path: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a file as corrections.

    A row without ``who`` is by the file, a row without ``when`` of the file's last change, a row without ``kind`` of a
    topic. A row that is no row of a table is a correction without a label, which its reader counts as unusable.

    Args:
        path: File of CSV, JSON lines or Parquet.
        name: Names the file in ``feedback_id``; no other file of corrections may have it.

    Raises:
        LabelFileError: If the file cannot be read or lacks a column.
    """
    table, bad = read_label_file(path, COLUMNS)
    require_columns(
        path, table, ["conversation_id", "label"], "corrections have conversation_id, kind, label, who and when"
    )
    changed = dt.datetime.fromtimestamp(int(path.stat().st_mtime), dt.UTC)
    usual = {"author": name, "corrected_at": changed, "kind": "topic"}
    rows = [
        {
            **row,
            **{field: row.get(field) or value for field, value in usual.items()},
            "feedback_id": f"{name}:{row[ROW]}",
        }
        for row in table.to_pylist()
    ]
    return [*rows, *({**usual, "feedback_id": f"{name}:{number}"} for number in bad.reasons)]
