"""Rows in groups: the aggregations that every summary shares.

Belongs here: counting, adding and ranking within groups, whatever the rows mean. Does not belong here: which
columns a summary has (``analytics.summary``). Sums run in the order of the rows, so they are the same every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.analytics_tables import SHARES_TYPE

HOURS = 24


@dataclass(frozen=True)
class Groups:
    """Which group each row belongs to. Every method takes one value per row and returns one per group.

    Args:
        codes: Group of each row, from 0 to ``size - 1``.
        size: Number of groups; some may have no row.
    """

    codes: npt.NDArray[np.int64]
    size: int

    def count(self, flags: pa.ChunkedArray | None = None) -> npt.NDArray[np.int64]:
        """Count the rows, or those whose flag is true; null counts as false."""
        if flags is None:
            return np.bincount(self.codes, minlength=self.size)
        chosen: npt.NDArray[np.bool_] = flags.fill_null(False).to_numpy()
        return np.bincount(self.codes[chosen], minlength=self.size)

    def total(self, values: pa.ChunkedArray) -> pa.Array:
        """Add the values that are not null; null where there is none. Integers stay integers."""
        known = values.is_valid().to_numpy()
        sums = np.zeros(self.size, values.type.to_pandas_dtype())
        np.add.at(sums, self.codes[known], values.drop_null().to_numpy())
        return pa.array(sums, mask=np.bincount(self.codes[known], minlength=self.size) == 0)

    def mean(self, values: pa.ChunkedArray) -> pa.Array:
        """Average the values that are not null; null where there is none."""
        return ratio(self.total(values), self.count(values.is_valid()))

    def quantile(self, values: pa.ChunkedArray, q: float) -> pa.Array:
        """Return the quantile of the values that are not null, interpolated linearly between the two nearest."""
        known = values.is_valid().to_numpy()
        grouped = pd.Series(values.drop_null().to_numpy()).groupby(self.codes[known])
        return pa.array(grouped.quantile(q).reindex(range(self.size)), from_pandas=True)

    def distinct(self, labels: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """Count the different labels that are not null."""
        groups = pa.table({"code": self.codes, "label": labels}).filter(labels.is_valid()).group_by(["code", "label"])
        return np.bincount(groups.aggregate([])["code"].to_numpy(), minlength=self.size)

    def shares(self, labels: pa.ChunkedArray) -> pa.Array:
        """Return the labels with their number of rows, most frequent first, ties by label."""
        rows = pa.table({"code": self.codes, "label": labels, "row": labels})
        return share_lists(rows.group_by(["code", "label"]).aggregate([("row", "count")]), self.size)

    def hourly(self, timestamps: pa.ChunkedArray) -> pa.Array:
        """Count the rows of each UTC hour, from 0 to 23."""
        hours = pc.hour(timestamps).to_numpy()
        counts = np.bincount(self.codes * HOURS + hours, minlength=self.size * HOURS)
        return count_lists(counts.reshape(self.size, HOURS))


def ratio(part: Any, whole: npt.NDArray[np.int64]) -> pa.Array:
    """Divide numbers by counts; null where the count is 0.

    Args:
        part: Numbers, one per group; what stands where the count is 0 does not matter.
        whole: Counts, one per group.
    """
    numbers = np.asarray(part, np.float64)
    return pa.array(np.divide(numbers, whole, out=np.zeros(len(whole)), where=whole > 0), mask=whole == 0)


def share_lists(counted: pa.Table, size: int) -> pa.Array:
    """Gather rows of (code, label, row_count) into one list per code, most frequent first, ties by label."""
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
