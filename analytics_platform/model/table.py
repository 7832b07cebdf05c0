"""The classes of table declarations, ``Column`` and ``Table``, with Arrow schema and canonical form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.system.plain_text import counted

TIMESTAMP = pa.timestamp("us", tz="UTC")
DATE = pa.date32()
STRING = pa.string()
INTEGER = pa.int64()
NUMBER = pa.float64()
BOOLEAN = pa.bool_()

KIND_SEPARATOR = "/"
"""Separates, in a table's name, the collection from the kind of its rows."""


class SchemaError(ValueError):
    """Data does not fit its table's declaration, or a declaration is invalid; the message names the table."""


@dataclass(frozen=True)
class Column:
    """The declaration of a column: its type, its meaning, and its valid values.

    Args:
        name: Column name, snake_case.
        type: Arrow type.
        doc: Meaning of the value, in one sentence.
        nullable: Whether a value may be missing; ``doc`` then says what null means.
        unit: Unit of measure, e.g. ``"s"``; None without a unit.
        allowed: The closed set of values of a label.
        minimum: Smallest valid value, inclusive.
        maximum: Largest valid value, inclusive.
    """

    name: str
    type: pa.DataType
    doc: str
    nullable: bool = False
    unit: str | None = None
    allowed: frozenset[str] | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Table:
    """The declaration of a table: its grain, its columns, and the key that is unique within a partition.

    Args:
        name: Table name; also the last part of the asset key and the folder in the lake. If the collection holds rows
            of several kinds, the kind follows a slash; see ``of_kind``.
        grain: Meaning of one row, e.g. ``"one row per message"``.
        columns: Columns in storage order.
        key: Columns that identify a row.
        order: Columns by which rows are sorted before the key; the key alone when empty.
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse duplicate columns, an empty key, and a key or order with a column that the table does not have."""
        names = {column.name for column in self.columns}
        if len(names) != len(self.columns):
            raise SchemaError(f"table {self.name}: a column is declared twice")
        unknown = [name for name in (*self.key, *self.order) if name not in names]
        if unknown or not self.key:
            raise SchemaError(f"table {self.name}: key and order must name its columns, not {unknown}")

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema, nullability included."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @property
    def form(self) -> str:
        """The declaration as far as it decides what is stored: columns, types, nullability, and the order of rows."""
        return f"{self.arrow_schema}\nordered by {', '.join((*self.order, *self.key))}"

    @property
    def column_names(self) -> list[str]:
        """Column names in storage order."""
        return [column.name for column in self.columns]

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: If the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name!r}")

    @property
    def base_name(self) -> str:
        """The table's name without the kind of its rows."""
        return self.name.partition(KIND_SEPARATOR)[0]

    def of_kind(self, kind: str) -> Table:
        """Return the table of the rows of one kind; stores keep the partitions of each kind apart.

        >>> Table("reports", "one row", (Column("kind", STRING, "Cadence."),), ("kind",)).of_kind("weekly").name
        'reports/weekly'
        """
        return replace(self, name=f"{self.base_name}{KIND_SEPARATOR}{kind}")

    def empty(self) -> pa.Table:
        """Return the table with zero rows."""
        return self.arrow_schema.empty_table()

    def from_rows(self, rows: list[dict[str, Any]]) -> pa.Table:
        """Build the canonical table from dictionaries; for small tables and tests."""
        return self.conform(pa.Table.from_pylist(rows, schema=self.arrow_schema))

    def conform(self, data: pa.Table | pd.DataFrame) -> pa.Table:
        """Return ``data`` in canonical form: declared columns, types and row order, one chunk per column.

        An extra column, or a value that its type cannot hold, is an error; nothing is dropped silently.

        Args:
            data: A table or frame with exactly the declared columns, in any order.

        Returns:
            A table of ``arrow_schema``, sorted by ``order`` and then the key, one chunk per column.

        Raises:
            SchemaError: If a column is missing or unknown, has another type, or contains null without being nullable.
        """
        if isinstance(data, pd.DataFrame):
            data = self._from_pandas(data)
        missing = [name for name in self.column_names if name not in data.column_names]
        extra = [name for name in data.column_names if name not in self.column_names]
        if missing or extra:
            raise SchemaError(f"table {self.name}: missing columns {missing}, unknown columns {extra}")
        arrays = [self._cast(column, data.column(column.name)) for column in self.columns]
        table = pa.Table.from_arrays(arrays, schema=self.arrow_schema)
        order = dict.fromkeys((*self.order, *self.key))  # the key breaks ties, whatever the input's order
        if not table.num_rows:
            return self.empty()
        return table.sort_by([(name, "ascending") for name in order]).combine_chunks()

    def _from_pandas(self, frame: pd.DataFrame) -> pa.Table:
        """Convert column by column, so that an error names the column."""
        arrays, names = [], []
        for name in map(str, frame.columns):
            values, declared = frame[name], self.column(name).type if name in self.column_names else None
            parses = isinstance(values.dtype, pd.StringDtype) and declared is not None and not _is_text(declared)
            if parses and values.notna().any():
                declared = None  # left as text, for the cast to refuse
            try:
                arrays.append(pa.Array.from_pandas(values, type=declared))
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
                raise SchemaError(f"table {self.name}, column {name}: {error}") from error
            names.append(name)
        return pa.table(dict(zip(names, arrays, strict=True)))

    def _cast(self, column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
        where = f"table {self.name}, column {column.name}"
        if _is_text(values.type) != _is_text(column.type) and not pa.types.is_null(values.type):
            raise SchemaError(f"{where}: {values.type} where {column.type} is declared")
        try:
            values = values if values.type == column.type else values.cast(column.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise SchemaError(f"{where}: {error}") from error
        if values.null_count and not column.nullable:
            raise SchemaError(f"{where}: {counted(values.null_count, 'missing value')}")
        if missing := _missing_items(values):
            raise SchemaError(f"{where}: {missing} missing values inside its lists")
        return values


def _is_text(kind: pa.DataType) -> bool:
    """Tell whether a type is text. A cast between text and another type would hide a mistake."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _missing_items(values: pa.ChunkedArray) -> int:
    """Count the nulls in lists whose items may not be null; Arrow's cast to such a list type does not refuse them."""
    kind = values.type
    if not (pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)) or kind.value_field.nullable:
        return 0
    return int(pc.list_flatten(values).null_count)
