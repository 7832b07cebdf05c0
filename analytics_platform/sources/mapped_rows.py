"""A block of rows between mapping and validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:  # a mapping makes batches
    from analytics_platform.sources.mapping import FieldMapping


@dataclass(frozen=True)
class Batch:
    """Rows after mapping and before validation; every value is text.

    Attributes:
        rows: Shape (rows, ...): ``source_row``, the input columns, ``instant`` (the moment of ``timestamp``, null where
            validation must parse it), and ``problem``, ``problem_detail``, ``line`` (see ``rows.Problem``).
        columns: The file's columns as they were read, by name, sorted.
        extra_names: The names of ``columns`` that no input column is read from, sorted.
        mapping: The mapping that was applied.
    """

    rows: pa.Table
    columns: Mapping[str, pa.Array]
    extra_names: list[str]
    mapping: FieldMapping

    @property
    def names(self) -> list[str]:
        """The file's columns, sorted."""
        return list(self.columns)

    def extras(self) -> dict[str, pa.Array]:
        """Return the columns that no input column is read from, by name, with one spelling of truth values."""
        return {name: _plain_booleans(self.columns[name]) for name in self.extra_names}

    def take(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> Batch:
        """Return the rows at places of the batch."""
        taken = pa.array(places)
        columns = {name: values.take(taken) for name, values in self.columns.items()}
        return Batch(self.rows.take(taken), columns, self.extra_names, self.mapping)

    def cells(self) -> pa.Array:
        """Return the original values of each row as a list, an item per column; shape (rows,)."""
        return row_lists(list(self.columns.values()), self.rows.num_rows)


def row_lists(columns: list[pa.Array], count: int) -> pa.Array:
    """Return the values of each row as a list: columns of shape (count,) become ``count`` lists, an item per column."""
    width = len(columns)
    # Column after column becomes row after row: cell (row, column) of the stacked columns is at column * count + row.
    by_row = np.arange(width * count).reshape(width, count).T.ravel()
    stacked = pa.concat_arrays([pa.array([], pa.string()), *columns])
    offsets = np.arange(count + 1, dtype=np.int32) * width
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), stacked.take(pa.array(by_row)))


def _plain_booleans(values: pa.Array) -> pa.Array:
    """Convert ``True`` and ``False``, as Python's CSV writers write them, to the lower case of the other formats."""
    capitalised = pc.is_in(values, value_set=pa.array(["True", "False"]))
    if not pc.any(capitalised).as_py():
        return values
    return pc.if_else(capitalised, pc.utf8_lower(values), values)
