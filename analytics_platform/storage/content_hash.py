"""A hash of a table's content that does not depend on the table's encoding.

Chunks, slices, bytes under nulls, dictionary encoding, compression and library versions do not change the hash;
names, types, values, nulls and the order of rows do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa


def content_hash(table: pa.Table) -> str:
    """Return the SHA-256 of a table's content as 64 hexadecimal digits.

    Args:
        table: Any table of primitive, string, binary, list and struct columns, nested to any depth.

    Raises:
        TypeError: For an unsupported column type, such as a map or an extension type.
    """
    return _hash_of_rows(table) if table.num_rows else _hash_of_no_rows(table.schema)


@cache
def _hash_of_no_rows(schema: pa.Schema) -> str:
    return _hash_of_rows(schema.empty_table())


def _hash_of_rows(table: pa.Table) -> str:
    digest = hashlib.sha256(str(table.num_rows).encode())
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"\x1f{name}\x1f{_logical_type(column.type)}".encode())
        _update(digest, _joined(column))
    return digest.hexdigest()


def _joined(column: pa.ChunkedArray) -> pa.Array:
    match column.num_chunks:
        case 0:
            return pa.array([], column.type)
        case 1:
            return column.chunk(0)
        case _:
            return pa.concat_arrays(column.chunks)


@cache
def _logical_type(kind: pa.DataType) -> str:
    """Return a type's name without the parts that encodings change: dictionaries, names of list items, nullability."""
    if pa.types.is_dictionary(kind):
        return _logical_type(kind.value_type)
    if pa.types.is_struct(kind):
        return f"struct<{','.join(f'{field.name}:{_logical_type(field.type)}' for field in kind)}>"
    if _is_list(kind):
        return f"list<{_logical_type(kind.value_type)}>"
    return str(kind)


def _update(digest: Any, array: pa.Array) -> None:
    """Add one array to the digest: the positions of its nulls, then the values that are not null."""
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    if nulls := array.null_count:
        digest.update(b"nulls")
        digest.update(np.packbits(_is_valid(array)).tobytes())
        array = array.slice(0, 0) if nulls == len(array) else array.drop_null()
    _adding(array.type)(digest, array)


def _is_valid(array: pa.Array) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return 1 for each value and 0 for each null; read from the bitmap, because Arrow's function costs more."""
    if pa.types.is_null(array.type):  # without a bitmap
        return np.asarray(array.is_valid()).astype(np.uint8)
    bitmap = array.buffers()[0]
    end = array.offset + len(array)
    return np.unpackbits(np.frombuffer(bitmap, np.uint8), count=end, bitorder="little")[array.offset :]


@cache
def _adding(kind: pa.DataType) -> Callable[[Any, pa.Array], None]:
    """Return the function that adds an array of a type, without nulls, to a digest."""
    if pa.types.is_struct(kind):
        return _add_structs
    if _is_list(kind):
        return _add_lists
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _add_short_texts
    if pa.types.is_large_string(kind):
        return _add_long_texts
    if pa.types.is_boolean(kind):
        return _add_booleans
    if pa.types.is_temporal(kind):
        return _add_short_times if kind.bit_width == 32 else _add_long_times
    if pa.types.is_integer(kind):
        return _add_integers
    if pa.types.is_floating(kind):
        return _add_floats
    if pa.types.is_null(kind):
        return _add_nothing
    raise TypeError(f"cannot hash a column of type {kind}")


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _add_structs(digest: Any, array: pa.StructArray) -> None:
    for field, child in zip(array.type, array.flatten(), strict=True):
        digest.update(field.name.encode())
        _update(digest, child)


def _add_lists(digest: Any, array: pa.Array) -> None:
    digest.update(array.value_lengths().cast(pa.int64()).to_numpy(zero_copy_only=False).tobytes())
    _update(digest, array.flatten())


def _add_short_texts(digest: Any, array: pa.Array) -> None:
    _add_texts(digest, array, np.int32)


def _add_long_texts(digest: Any, array: pa.Array) -> None:
    _add_texts(digest, array, np.int64)


def _add_texts(digest: Any, array: pa.Array, width: type[np.int32 | np.int64]) -> None:
    _, starts, content = array.buffers()
    if len(array) and starts is not None:
        offsets = np.frombuffer(starts, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
        digest.update(np.diff(offsets).tobytes())
        if content is not None:
            digest.update(memoryview(content)[offsets[0] : offsets[-1]])


def _add_booleans(digest: Any, array: pa.Array) -> None:
    values = np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.bool_)
    digest.update(np.packbits(values).tobytes())


def _add_short_times(digest: Any, array: pa.Array) -> None:
    digest.update(array.view(pa.int32()).to_numpy().tobytes())


def _add_long_times(digest: Any, array: pa.Array) -> None:
    digest.update(array.view(pa.int64()).to_numpy().tobytes())


def _add_integers(digest: Any, array: pa.Array) -> None:
    digest.update(array.to_numpy().tobytes())


def _add_floats(digest: Any, array: pa.Array) -> None:
    digest.update((array.to_numpy() + 0).tobytes())  # -0.0 and 0.0 are equal


def _add_nothing(_digest: Any, _array: pa.Array) -> None:
    """Add nothing: an array of the type null has no values."""
