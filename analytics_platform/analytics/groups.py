"""Aggregations within groups of rows, shared by every summary: counts, sums, means, quantiles and rankings.

Sums run in the order of the rows, so equal input gives equal floating-point results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.tables.analytics_tables import SHARES_TYPE

HOURS = 24


@dataclass(frozen=True)
class Groups:
    """The assignment of rows to groups. Every method takes one value per row and returns one value per group.

    Args:
        codes: Group of each row, from 0 to ``size - 1``.
        size: Number of groups; a group may have no row.
    """

    codes: npt.NDArray[np.int64]
    size: int

    def count(self, flags: pa.ChunkedArray | None = None) -> npt.NDArray[np.int64]:
        """Count the rows of each group, or its rows with a true flag; null counts as false."""
        if flags is None:
            return np.bincount(self.codes, minlength=self.size)
        chosen: npt.NDArray[np.bool_] = flags.fill_null(False).to_numpy()
        return np.bincount(self.codes[chosen], minlength=self.size)

    def total(self, values: pa.ChunkedArray) -> pa.Array:
        """Sum the values of each group without nulls; null for a group without values. Integers stay integers."""
        known = values.is_valid().to_numpy()
        sums = np.zeros(self.size, values.type.to_pandas_dtype())
        np.add.at(sums, self.codes[known], values.drop_null().to_numpy())
        return pa.array(sums, mask=np.bincount(self.codes[known], minlength=self.size) == 0)

    def mean(self, values: pa.ChunkedArray) -> pa.Array:
        """Return the mean of each group's values without nulls; null for a group without values."""
        return ratio(self.total(values), self.count(values.is_valid()))

    def quantile(self, values: pa.ChunkedArray, q: float) -> pa.Array:
        """Return the quantile of each group's values without nulls, interpolated between the two nearest values."""
        known = values.is_valid().to_numpy()
        grouped = pd.Series(values.drop_null().to_numpy()).groupby(self.codes[known])
        return pa.array(grouped.quantile(q).reindex(range(self.size)), from_pandas=True)

    def distinct(self, labels: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """Count the different labels of each group, without null."""
        groups = pa.table({"code": self.codes, "label": labels}).filter(labels.is_valid()).group_by(["code", "label"])
        return np.bincount(groups.aggregate([])["code"].to_numpy(), minlength=self.size)

    def shares(self, labels: pa.ChunkedArray) -> pa.Array:
        """Return each group's labels with their number of rows, most frequent first, ties by label."""
        rows = pa.table({"code": self.codes, "label": labels, "row": labels})
        return share_lists(rows.group_by(["code", "label"]).aggregate([("row", "count")]), self.size)

    def hourly(self, timestamps: pa.ChunkedArray) -> pa.Array:
        """Count the rows of each group in each UTC hour, as lists of 24 counts from hour 0 to hour 23; null in none."""
        known = timestamps.is_valid().to_numpy()
        hours = pc.hour(timestamps.drop_null()).to_numpy()
        counts = np.bincount(self.codes[known] * HOURS + hours, minlength=self.size * HOURS)
        return count_lists(counts.reshape(self.size, HOURS))


def ratio(part: Any, whole: npt.NDArray[np.int64]) -> pa.Array:
    """Divide numbers by counts; the result is null if the count is 0.

    Args:
        part: Numbers, one per group; the number for a count of 0 is ignored.
        whole: Counts, one per group.
    """
    numbers = np.asarray(part, np.float64)
    return pa.array(np.divide(numbers, whole, out=np.zeros(len(whole)), where=whole > 0), mask=whole == 0)


def share_lists(counted: pa.Table, size: int) -> pa.Array:
    """Return for each code the list of (label, count) from rows of (code, label, row_count), most frequent first.

    Ties are ordered by label.
    """
    ranked = counted.sort_by([("code", "ascending"), ("row_count", "descending"), ("label", "ascending")])
    shares = pa.StructArray.from_arrays(
        [ranked["label"].combine_chunks(), ranked["row_count"].combine_chunks()], fields=list(SHARES_TYPE.value_type)
    )
    offsets = np.searchsorted(ranked["code"].to_numpy(), np.arange(size + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, shares, type=SHARES_TYPE)


def count_lists(counts: npt.NDArray[np.int64]) -> pa.Array:
    """Turn a matrix of counts, (groups, cells), into one list of fixed length per group."""
    cells = pa.field("item", pa.int64(), nullable=False)
    return pa.FixedSizeListArray.from_arrays(pa.array(counts.ravel()), type=pa.list_(cells, counts.shape[1]))
