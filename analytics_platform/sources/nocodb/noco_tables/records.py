"""Convert records of NocoDB to rows of a source: ids, times and system columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.nocodb.mirroring.mirror import MESSAGES
from analytics_platform.sources.rows import Problem, Rows, as_text, empty_to_null, escape_undecodable, text_array

ID = "Id"
SYSTEM_COLUMNS = frozenset({ID, "CreatedAt", "UpdatedAt", "CreatedBy", "UpdatedBy", "nc_order"})
"""Columns that NocoDB adds; they are ignored unless the mapping names them."""

Record = Mapping[str, Any]


def columns_of(records: Sequence[Record]) -> list[str]:
    """Return the names of all columns of the records, sorted."""
    return sorted(set().union(*records))


def newest_stamp(records: Sequence[Record]) -> str | None:
    """Return the newest time of all records, ISO 8601 in UTC; None when no record has a time."""
    stamps = {record.get(name) for record in records for name in ("CreatedAt", "UpdatedAt")} - {None}
    times = [dt.datetime.fromisoformat(str(stamp)).astimezone(dt.UTC) for stamp in stamps]
    return max(times).isoformat() if times else None


def to_rows(
    records: Sequence[Record],
    table: int,
    mapping: FieldMapping,
    label: str,
    found_problems: Mapping[int, Problem] | None = None,
) -> Rows:
    """Return records as text columns; a message without an id gets the id ``<label>:<row id>``.

    Args:
        records: Records of one table.
        table: Number of the table.
        mapping: Field mapping; system columns in the mapping are kept.
        label: Id of the table.
        found_problems: Problems that are already known, by row id.
    """
    kept_mapping = mapping if table == MESSAGES else mapping.of_conversations()
    hidden = SYSTEM_COLUMNS - set(kept_mapping.columns.values())
    numbers = np.array([record[ID] for record in records], dtype=np.int64)
    problems: dict[int, Problem] = dict(found_problems or {})
    columns: dict[str, pa.Array] = {}
    for name in columns_of(records):
        if name in hidden:
            continue
        values = [record.get(name) for record in records]
        try:
            columns[name] = text_array(values)
        except UnicodeEncodeError:  # lone surrogates
            columns[name] = _escaped(name, values, numbers, problems)
    if table == MESSAGES and "message_id" not in mapping.constants:
        name = mapping.column_of("message_id")
        given = columns.get(name, pa.nulls(len(records), pa.string()))
        row_ids = pc.binary_join_element_wise(label, pa.array(numbers).cast(pa.string()), ":")
        columns[name] = pc.coalesce(given, row_ids)
    return Rows(numbers, columns, problems)


def _escaped(
    name: str, values: list[Any], numbers: np.ndarray[Any, np.dtype[np.int64]], problems: dict[int, Problem]
) -> pa.Array:
    """Escape characters that UTF-8 cannot encode, and add a problem for each affected row."""
    texts = [as_text(value) for value in values]
    escaped = [text and escape_undecodable(text) for text in texts]
    for number, text, safe in zip(numbers.tolist(), texts, escaped, strict=True):
        if text != safe:
            problems[number] = Problem("invalid_utf8", f"{name} holds what is not UTF-8")
    return empty_to_null(pa.array(escaped, pa.string()))
