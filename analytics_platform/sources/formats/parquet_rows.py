"""Read Parquet files; typed columns are converted to the text that the other formats contain."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.file_records import Records
from analytics_platform.sources.rows import Problem, Rows, empty_to_null, repair_undecodable, text_array

BATCH_ROWS = 20_000
_YEAR_1, _YEAR_10000 = -62_135_596_800_000_000, 253_402_300_800_000_000
"""First microseconds of these years, since the epoch."""
_RECORDS_PER_BATCH = 500
"""Rows with nested lists, each a whole conversation, that are read at a time."""


def read_parquet(stream: BinaryIO, place: str) -> Iterator[Rows]:
    """Yield the rows of a Parquet file; a file of zero bytes has none.

    Args:
        stream: The file, seekable.
        place: Name of the file in messages.

    Raises:
        SourceError: If the file is not Parquet or is damaged.
    """
    if not stream.seek(0, 2):
        return
    stream.seek(0)
    first = 1
    try:
        for batch in pq.ParquetFile(stream, pre_buffer=False).iter_batches(BATCH_ROWS):
            problems: dict[int, Problem] = {}
            columns = {
                name: _as_text(name, values, first, problems)
                for name, values in zip(batch.schema.names, batch.columns, strict=True)
            }
            yield Rows(np.arange(first, first + batch.num_rows, dtype=np.int64), columns, problems)
            first += batch.num_rows
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{place}: cannot be read as Parquet ({error}); write the file again") from error


def parquet_schema(stream: BinaryIO, place: str) -> pa.Schema:
    """Return the schema of a Parquet file; an empty schema for a file of zero bytes.

    Raises:
        SourceError: If the file is not Parquet or is damaged.
    """
    if not stream.seek(0, 2):
        return pa.schema([])
    stream.seek(0)
    try:
        return pq.ParquetFile(stream, pre_buffer=False).schema_arrow
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{place}: cannot be read as Parquet ({error}); write the file again") from error
    finally:
        stream.seek(0)


def read_parquet_records(stream: BinaryIO, place: str) -> Iterator[Records]:
    """Yield the rows of a Parquet file as objects, with their nested lists.

    Raises:
        SourceError: If the file is not Parquet or is damaged.
    """
    try:
        for batch in pq.ParquetFile(stream, pre_buffer=False).iter_batches(_RECORDS_PER_BATCH):
            yield Records([_plain(row) for row in batch.to_pylist()])
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{place}: cannot be read as Parquet ({error}); write the file again") from error


def _plain(value: Any) -> Any:
    """Return a value of Parquet with its times as ISO 8601; a time without a zone is UTC."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, (dt.date, dt.time, decimal.Decimal)) and not isinstance(value, dt.datetime):
        return str(value)
    if isinstance(value, dt.datetime):
        return (value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)).isoformat()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _as_text(name: str, values: pa.Array, first: int, problems: dict[int, Problem]) -> pa.Array:
    """Return a column as text; rows whose text is not UTF-8 are added to ``problems``."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if pa.types.is_timestamp(kind):
        # A time without zone is UTC; parts finer than a microsecond are cut off.
        return _time_text(values.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.timestamp("us", "UTC")))
    if _is_text(kind):
        return empty_to_null(_decode(name, values, first, problems))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind) or pa.types.is_date(kind):
        return values.cast(pa.string())
    return text_array(values.to_pylist())


def _time_text(times: pa.Array) -> pa.Array:
    """Return times in UTC as text. Arrow writes one with a zone in fifteen times the time of one without."""
    bounds = pc.min_max(times.cast(pa.int64())).as_py()
    if bounds["min"] is None or bounds["min"] < _YEAR_1 or bounds["max"] >= _YEAR_10000:
        return times.cast(pa.string())
    return pc.binary_join_element_wise(times.cast(pa.timestamp("us")).cast(pa.string()), "Z", "")


def _is_text(kind: pa.DataType) -> bool:
    checks = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return any(check(kind) for check in checks)


def _decode(name: str, values: pa.Array, first: int, problems: dict[int, Problem]) -> pa.Array:
    raw = values.cast(pa.binary())
    try:
        return raw.cast(pa.string())  # the cast validates; a string column of a file need not be valid
    except pa.ArrowInvalid:
        texts = []
        for number, value in enumerate(raw.to_pylist(), start=first):
            text = value and repair_undecodable(value.decode("utf-8", "surrogateescape"))
            if value and text is None:
                text = value.decode("utf-8", "backslashreplace")
                problems[number] = Problem("invalid_utf8", f"{name} is not UTF-8: {text[:100]!r}")
            texts.append(text)
        return pa.array(texts, pa.string())
