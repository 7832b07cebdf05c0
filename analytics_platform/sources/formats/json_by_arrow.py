"""Parse JSON objects that are rows by Arrow: where it gives the same rows as parsing the objects one by one."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from analytics_platform.sources.formats.file_records import Records
from analytics_platform.sources.rows import Rows, empty_to_null, is_utf8, text_array

_ARROW_TYPES = {str: pa.string(), int: pa.int64(), bool: pa.bool_(), float: pa.float64()}
_BETWEEN_ITEMS = re.compile(rb'\}\s*,\s*(?=\{\s*")')
"""Where two objects meet. Within a text, a quote stands after a backslash, or ends the text."""


def plain_schema(records: Records) -> pa.Schema | None:
    """Return the types of the columns if each has texts, integers, floats or booleans only; None otherwise."""
    types: dict[str, type] = {}
    for record in records.values:
        for name, value in record.items():
            if value is None:
                continue
            if types.setdefault(name, type(value)) is not type(value):
                return None
    names = sorted(set().union(*records.values))
    if not names or not set(types.values()) <= _ARROW_TYPES.keys():
        return None
    return pa.schema([(name, _ARROW_TYPES[types.get(name, str)]) for name in names])


def parse_lines(content: bytes, first: int, schema: pa.Schema, *, objects: int | None = None) -> Rows | None:
    """Return the rows of lines; None if Arrow could give other rows than parsing the objects one by one.

    Arrow cannot be trusted with a line that is broken, blank, damaged or no object, or has two objects; nor with
    numbers that it could write otherwise.

    Args:
        content: The lines.
        first: Row number of the first object.
        schema: Types of the columns.
        objects: Number of objects; None for one per line.
    """
    table = parse_objects(content, schema, objects=objects)
    if table is None:
        return None
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if pa.types.is_floating(values.type):
            # 4 and 4.0 are different texts; NaN and nan are, too.
            if pc.any(pc.or_(pc.equal(pc.floor(values), values), pc.is_nan(values))).as_py():
                return None
            columns[name] = text_array(values.to_pylist())
        else:
            columns[name] = empty_to_null(values) if pa.types.is_string(values.type) else values.cast(pa.string())
    return Rows(np.arange(first, first + table.num_rows, dtype=np.int64), columns)


def parse_objects(content: bytes, schema: pa.Schema, *, objects: int | None = None) -> pa.Table | None:
    """Return the objects of lines with the columns of a schema; None where Arrow cannot be trusted with them.

    Args:
        content: The lines.
        schema: Types of the columns, which may be nested.
        objects: Number of objects; None for one per line.
    """
    # Arrow takes null for an object without values, and a null at the beginning ends the process (SIGSEGV).
    if not content.startswith(b"{") or not is_utf8(content):
        return None
    if objects is None and (objects := _objects_by_line(content)) is None:
        return None
    try:
        table = pa.json.read_json(
            pa.BufferReader(content),
            read_options=pa.json.ReadOptions(use_threads=False, block_size=len(content) + 1),
            parse_options=pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
    except pa.ArrowInvalid:
        return None
    return table if table.num_rows == objects else None


def _objects_by_line(content: bytes) -> int | None:
    """Return the number of lines; None if one begins otherwise than an object."""
    codes = np.frombuffer(content, dtype=np.uint8)
    starts = np.flatnonzero(codes[:-1] == ord("\n")) + 1  # numpy finds all line ends in half the time of ``count``
    return len(starts) + 1 if (codes[starts] == ord("{")).all() else None


def whole_items(content: bytes) -> tuple[bytes, int]:
    """Return the whole items with which a part of a list begins, and the length with the comma after them.

    Where objects stand within an item or a text, the items may be cut in the middle of one; no parser accepts them.
    """
    for size in (1 << 16, len(content)):
        start = max(len(content) - size, 0)
        last = None
        for last in _BETWEEN_ITEMS.finditer(content, start):  # noqa: B007  (the last one)
            pass
        if last is not None:
            return content[: last.start() + 1], last.end()
    return b"", 0


def parse_items(items: bytes, first: int, schema: pa.Schema) -> Rows | None:
    """Return the rows of the items of a list; None if Arrow cannot parse all of them.

    A line end replaces each comma between two objects. Within an item or a text, it makes the item invalid: objects in
    a list need a comma, and a text has no line end.
    """
    if b"\n" in items:
        lines, count = _BETWEEN_ITEMS.subn(b"}\n", items)
    else:
        count = items.count(b'},{"') + items.count(b'}, {"')
        lines = items.replace(b'},{"', b'}\n{"').replace(b'}, {"', b'}\n{"')
    return parse_lines(lines, first, schema, objects=count + 1)
