"""Whether a file of the lake stands where it was written: a wrong restore puts whole, valid files in other places.

Only the footer is looked at, so that every reading can afford it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq

DATE = "date"
"""The column of a daily table that repeats the partition in every row."""


def place(name: str, key: str) -> Mapping[str, str]:
    """Return what a footer keeps of the place of its file: table ``name``, partition ``key``."""
    return {"table": name, "key": key}


def misplaced(footer: Mapping[str, Any], metadata: pq.FileMetaData, name: str, key: str) -> str | None:
    """Say why a file is not that of a partition; None when nothing speaks against it.

    Args:
        footer: What the platform keeps in the footer; files of earlier versions do not say their place there.
        metadata: Parquet's own footer, whose statistics say of which days the rows are.
        name: The table in whose folder the file is.
        key: The partition in whose folder the file is; empty for a table of one partition.
    """
    if "table" in footer and dict(place(name, key)) != {field: footer[field] for field in place(name, key)}:
        return f"it is the file of {footer['table']} {footer['key']}".rstrip()
    days = _days(metadata) if key else set()
    if days - {key}:
        return f"its rows are of {' and '.join(sorted(days))}, not of {key}"
    return None


def _days(metadata: pq.FileMetaData) -> set[str]:
    """Return the first and the last day of each row group that has rows and says them."""
    schema = metadata.schema
    columns = [index for index in range(len(schema)) if schema.column(index).path == DATE]
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    found = [group.column(column).statistics for group in groups for column in columns]
    known = [statistics for statistics in found if statistics is not None and statistics.has_min_max]
    return {str(day) for statistics in known for day in (statistics.min, statistics.max)}
