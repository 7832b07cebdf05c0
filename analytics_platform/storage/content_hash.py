"""A hash of a table's content that does not depend on the table's encoding.

Chunks, slices, bytes under nulls, dictionary encoding, compression and library versions do not change the hash;
names, types, values, nulls and the order of rows do.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def content_hash(table: pa.Table) -> str:
    """Return the SHA-256 of a table's content as 64 hexadecimal digits.

    Args:
        table: Any table of primitive, string, binary, list and struct columns, nested to any depth.

    Raises:
        TypeError: For an unsupported column type, such as a map or an extension type.
    """
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
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return f"list<{_logical_type(kind.value_type)}>"
    return str(kind)


def _update(digest: Any, array: pa.Array) -> None:
    """Add one array to the digest: the positions of its nulls, then the values that are not null."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.null_count:
        digest.update(b"nulls")
        digest.update(np.packbits(_bools(array.is_valid())).tobytes())
        array = array.drop_null()
    kind = array.type
    if pa.types.is_struct(kind):
        for field, child in zip(kind, array.flatten(), strict=True):
            digest.update(field.name.encode())
            _update(digest, child)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        digest.update(pc.list_value_length(array).cast(pa.int64()).to_numpy(zero_copy_only=False).tobytes())
        _update(digest, array.flatten())
    else:
        _update_values(digest, array)


def _update_values(digest: Any, array: pa.Array) -> None:
    """Add an array of scalars without nulls to the digest."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        _, starts, content = array.buffers()
        if len(array) and starts is not None:
            width = np.int64 if pa.types.is_large_string(kind) else np.int32
            offsets = np.frombuffer(starts, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
            digest.update(np.diff(offsets).tobytes())
            if content is not None:
                digest.update(memoryview(content)[offsets[0] : offsets[-1]])
    elif pa.types.is_boolean(kind):
        digest.update(np.packbits(_bools(array)).tobytes())
    elif pa.types.is_temporal(kind):
        digest.update(array.view(pa.int32() if kind.bit_width == 32 else pa.int64()).to_numpy().tobytes())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = array.to_numpy(zero_copy_only=False)
        digest.update((values + 0 if pa.types.is_floating(kind) else values).tobytes())  # -0.0 and 0.0 are equal
    elif not pa.types.is_null(kind):
        raise TypeError(f"cannot hash a column of type {kind}")


def _bools(array: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.bool_)
