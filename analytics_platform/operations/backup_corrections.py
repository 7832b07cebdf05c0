"""Restore of corrections into a home without MongoDB: into the file where `analytics correct` enters corrections."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from analytics_platform.storage.entered_corrections import add_entered, read_entered
from analytics_platform.storage.mongo.irreplaceable import Merge


def merge_entered(path: Path, documents: Iterable[dict[str, Any]], *, replace: bool = False) -> Merge:
    """Append documents of ``label_feedback`` that the file lacks; of two with one id, the later ``corrected_at`` wins.

    Args:
        path: The file of entered corrections; made if it does not exist and a document is written.
        documents: Documents with ``_id``. A document whose ``corrected_at`` is no time is refused, as MongoDB does.
        replace: Whether a document replaces the correction of its id even if that is newer.

    Returns:
        Counts of added, replaced and left-out documents.

    Raises:
        DiskFullError: If the disk has no space.
    """
    present = {str(row["feedback_id"]): row for row in read_entered(path)}
    merge, new = Merge(), []
    for document in documents:
        row = {"feedback_id": str(document["_id"]), **{key: value for key, value in document.items() if key != "_id"}}
        name, corrected_at = row["feedback_id"], row.get("corrected_at")
        if not isinstance(corrected_at, dt.datetime):
            merge.refused.append(name)
            continue
        mine = present.get(name)
        if mine is not None and _plain(mine) == _plain(row):
            merge.equal += 1
        elif mine is not None and not replace and corrected_at <= mine["corrected_at"]:
            merge.kept += 1
        else:
            merge.added += mine is None
            merge.replaced += mine is not None
            new.append(_plain(row))
    if new:
        add_entered(path, new)
    return merge


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a correction as its line of JSON has it, with the time in milliseconds, as a backup keeps it."""
    at = row["corrected_at"]
    milliseconds = at.replace(microsecond=at.microsecond // 1000 * 1000)
    plain: dict[str, Any] = orjson.loads(orjson.dumps({**row, "corrected_at": milliseconds}, default=str))
    return plain
