"""Detection of lake files in the wrong place: a wrong restore puts whole, valid files of other partitions there.

Only the footer is read, so that every read of a partition can afford the check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq

DATE = "date"
"""The column of a daily table that repeats the partition in every row."""


def place(name: str, key: str) -> Mapping[str, str]:
    """Return the footer entries that name a file's place: table ``name``, partition ``key``."""
    return {"table": name, "key": key}


def misplaced(footer: Mapping[str, Any], metadata: pq.FileMetaData, name: str, key: str) -> str | None:
    """Return why a file does not belong to a partition; None when nothing contradicts its place.

    Args:
        footer: The platform's part of the footer; files of earlier versions do not state their place in it.
        metadata: Parquet's own footer, whose statistics state the days of the rows.
        name: The table in whose folder the file is.
        key: The partition in whose folder the file is; empty for an unpartitioned table.
    """
    if "table" in footer and dict(place(name, key)) != {field: footer[field] for field in place(name, key)}:
        return f"it is the file of {footer['table']} {footer['key']}".rstrip()
    days = _days(metadata) if key else set()
    if days - {key}:
        return f"its rows are of {' and '.join(sorted(days))}, not of {key}"
    return None


def _days(metadata: pq.FileMetaData) -> set[str]:
    """Return the first and the last day of each row group whose statistics state them."""
    schema = metadata.schema
    columns = [index for index in range(len(schema)) if schema.column(index).path == DATE]
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    all_statistics = [group.column(column).statistics for group in groups for column in columns]
    bounded = [statistics for statistics in all_statistics if statistics is not None and statistics.has_min_max]
    return {str(day) for statistics in bounded for day in (statistics.min, statistics.max)}
