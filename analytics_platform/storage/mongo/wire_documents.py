"""Convert Arrow tables to BSON documents and back.

A document is ``_id`` (the values of the table's key, joined by ``:``), then the columns as declared; a missing value is
null, a date is midnight UTC. BSON times have milliseconds: finer parts of a timestamp are cut off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import bson
import pyarrow as pa
import pyarrow.compute as pc
from bson.raw_bson import RawBSONDocument

from analytics_platform.model import Table
from analytics_platform.model.table import SchemaError

BATCH_ROWS = 500
"""Documents converted, sent or received at once: about 1 MB, which takes seconds on a small, busy machine."""

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""MongoDB's size limit of one document, in bytes."""

_TIME = pa.timestamp("ms", tz="UTC")


class DocumentError(ValueError):
    """A row cannot become a document; the message names the table and the ``_id``."""


def document_ids(declared: Table, table: pa.Table) -> pa.ChunkedArray:
    """Return the ``_id`` of each row.

    Raises:
        DocumentError: If two rows share an ``_id``, because one of them would be lost silently.
    """
    parts = [pc.cast(table.column(name), pa.string()) for name in declared.key]
    if len(parts) == 1:
        ids = parts[0]
    else:  # without the escapes, ("a:b", "c") and ("a", "b:c") would share an _id
        ids = pc.binary_join_element_wise(*map(_without_colons, parts[:-1]), parts[-1], ":")
    if pc.count_distinct(ids).as_py() != len(ids):
        counts = pc.value_counts(ids)
        repeated = counts.filter(pc.greater(counts.field("counts"), 1))[0]["values"].as_py()
        raise DocumentError(f"{declared.name}: several rows have the _id {repeated!r}")
    return ids


def _without_colons(values: pa.ChunkedArray) -> pa.ChunkedArray:
    escaped = pc.replace_substring(values, "%", "%25")
    return pc.replace_substring(escaped, ":", "%3A")


def to_documents(declared: Table, table: pa.Table) -> Iterator[list[tuple[str, RawBSONDocument]]]:
    """Yield the rows as (``_id``, encoded document), in order, ``BATCH_ROWS`` at a time.

    Args:
        declared: The declaration of the table.
        table: Its content, of exactly ``declared.arrow_schema``.

    Raises:
        SchemaError: If the table has another schema, or a number is not finite.
        DocumentError: If two rows share an ``_id``, or a document is larger than MongoDB takes.
    """
    yield from encoded(declared, wire_table(declared, table))


def encoded(declared: Table, rows: pa.Table) -> Iterator[list[tuple[str, RawBSONDocument]]]:
    """Yield rows of ``wire_table`` as (``_id``, encoded document), in order, ``BATCH_ROWS`` at a time.

    Raises:
        DocumentError: If a document is larger than MongoDB takes.
    """
    for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
        yield [(row["_id"], _encode(declared, row)) for row in batch.to_pylist()]


def wire_table(declared: Table, table: pa.Table) -> pa.Table:
    """Return the rows as documents hold them: ``_id`` first, times in milliseconds, dates as times; in order.

    Args:
        declared: The declaration of the table.
        table: Its content, of exactly ``declared.arrow_schema``.

    Raises:
        SchemaError: If the table has another schema, or a number is not finite.
        DocumentError: If two rows share an ``_id``.
    """
    if table.schema.remove_metadata() != declared.arrow_schema:
        raise SchemaError(f"table {declared.name}: not of the declared schema; use Table.conform")
    for column in declared.columns:
        if not _is_finite(table.column(column.name).combine_chunks()):
            raise SchemaError(f"table {declared.name}, column {column.name}: a number is not finite")
    ids = document_ids(declared, table)
    columns = [table.column(c.name).cast(_wire_type(c.type), safe=False) for c in declared.columns]
    return pa.table([ids, *columns], schema=wire_schema(declared))


def wire_schema(declared: Table) -> pa.Schema:
    """Return the schema of ``wire_table``."""
    return pa.schema([("_id", pa.string()), *((column.name, _wire_type(column.type)) for column in declared.columns)])


def to_table(declared: Table, documents: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> pa.Table:
    """Return documents as the declared table, in its order of rows.

    Args:
        declared: The declaration of the table.
        documents: Documents in any order, with at least the fields of ``fields_needed(declared, columns)``.
        columns: Columns to return, in this order; all when None.

    Raises:
        SchemaError: If the documents do not fit the declaration.
    """
    needed = fields_needed(declared, columns)
    partial = replace(declared, columns=tuple(column for column in declared.columns if column.name in needed))
    schema = pa.schema([(column.name, _wire_type(column.type)) for column in partial.columns])
    rows = iter(documents)
    batches = []
    while batch := list(islice(rows, BATCH_ROWS)):
        batches.append(pa.RecordBatch.from_pylist(batch, schema=schema))
    table = partial.conform(pa.Table.from_batches(batches, schema=schema))
    return table if columns is None else table.select(list(columns))


def fields_needed(declared: Table, columns: Sequence[str] | None) -> set[str]:
    """Return the fields to read for ``columns``: the columns themselves, the table's key and its sort columns.

    Raises:
        KeyError: If the table has no such column.
    """
    wanted = declared.column_names if columns is None else [declared.column(name).name for name in columns]
    return {*wanted, *declared.key, *declared.order}


def _encode(declared: Table, row: dict[str, Any]) -> RawBSONDocument:
    encoded = bson.encode(row)
    if len(encoded) > MAX_DOCUMENT_BYTES:
        raise DocumentError(
            f"{declared.name}: document {row['_id']!r} has {len(encoded):,} bytes; MongoDB takes {MAX_DOCUMENT_BYTES:,}"
        )
    return RawBSONDocument(encoded)


def _wire_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column in documents: BSON has one type for dates and times."""
    return _TIME if pa.types.is_date32(kind) or pa.types.is_timestamp(kind) else kind


def _is_finite(values: pa.Array) -> bool:
    """Tell whether all numbers are finite, including numbers nested in lists and structs."""
    if pa.types.is_floating(values.type):
        return pc.all(pc.is_finite(values), min_count=0).as_py()  # type: ignore[no-any-return]
    if pa.types.is_struct(values.type):
        return all(_is_finite(child) for child in values.flatten())
    if pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        return _is_finite(values.flatten())
    return True
