"""Tables as the bytes of a Parquet file, and back."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.system.cores import DECODED_BY_THREADS

FOOTER_KEY = b"analytics_platform"
"""Key of the platform's part of a footer."""
_FEW_ROWS = 2_000
"""Rows below which no column gets a dictionary. The files of such tables are as small without dictionaries, and tables
of a few rows take a third less time to write and to read."""


def encode(table: pa.Table, footer: bytes) -> bytes:
    """Return the Parquet file of a table.

    Args:
        table: The table.
        footer: The platform's part of the footer.
    """
    described = table.replace_schema_metadata({FOOTER_KEY: footer})
    sink = pa.BufferOutputStream()  # Arrow's own: a file object of Python costs a call for each column
    pq.write_table(described, sink, compression="zstd", use_dictionary=_dictionary_columns(table))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def decode(parquet: pq.ParquetFile, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table of a file, or some of its columns."""
    names = list(columns) if columns is not None else None
    threads = parquet.metadata.num_rows >= DECODED_BY_THREADS
    return parquet.read(columns=names, use_threads=threads).replace_schema_metadata(None)


def _dictionary_columns(table: pa.Table) -> bool | list[str]:
    """Return the columns to encode with a dictionary: every column, or every flat column if the table has vectors.

    A dictionary of vector components makes the file larger, and four times slower to read.
    """
    if table.num_rows < _FEW_ROWS:
        return False
    schema = table.schema
    if any(pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type) for kind in schema.types):
        return [field.name for field in schema if not pa.types.is_nested(field.type)]
    return True
