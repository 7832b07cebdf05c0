"""Blocks of partitions: neighbouring partitions are computed as one table, and stored one by one.

Most functions cost nearly the same for ten rows as for ten thousand, so days of few rows are computed together. The
unit of storage, of provenance and of failure stays the partition: a block that fails is halved down to the partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from analytics_platform.errors import UserError
from analytics_platform.storage.partitions import PartitionTask
from analytics_platform.storage.staleness import RecomputeDecision

DATE = "date"
"""The column that names the partition of each row."""
BLOCK_ROWS = 10_000
"""Rows of a block's largest input from which a block takes no further partition. Labels of messages and conversations
took 2.0 processor-milliseconds a message in blocks of 400 messages, 0.5 of 10,000 and of 20,000, and 0.53 of 33,000."""


@dataclass(frozen=True)
class Block:
    """How an asset computes several of its partitions at once.

    Attributes:
        rows: Returns the number of rows in the largest input of a partition.
        compute: Computes the table of several partitions, given their keys; the column ``date`` of each row names the
            partition. The rows of a partition are those, in the same order, that the partition's own task computes.
    """

    rows: Callable[[str], int]
    compute: Callable[[Sequence[str]], pa.Table]


@dataclass(frozen=True)
class Planned:
    """A partition of a run before it is computed.

    Attributes:
        task: The partition's task.
        decision: Whether it must be computed; an error if this could not be decided.
    """

    task: PartitionTask
    decision: RecomputeDecision | Exception

    @property
    def is_computable(self) -> bool:
        """Whether the partition must be computed, and all of its inputs are stored."""
        decision = self.decision
        return isinstance(decision, RecomputeDecision) and decision.is_stale and decision.missing is None


def units(planned: Iterable[Planned], block: Block | None, most_rows: int = BLOCK_ROWS) -> Iterator[list[Planned]]:
    """Group partitions, in their order, into units of work.

    Args:
        planned: The partitions; consumed lazily.
        block: How partitions are computed together; None for units of one partition.
        most_rows: A unit that has this many rows to compute takes no further partition.

    Yields:
        Units of at least one partition.
    """
    unit: list[Planned] = []
    rows = 0
    for one in planned:
        unit.append(one)
        if block is not None and one.is_computable:
            rows += block.rows(one.task.key)
        if block is None or rows >= most_rows:
            yield unit
            unit, rows = [], 0
    if unit:
        yield unit


def contents_of(
    unit: Sequence[Planned], block: Block | None, checked: Callable[[pa.Table], pa.Table]
) -> Mapping[str, pa.Table]:
    """Compute the stale partitions of a unit together.

    Args:
        unit: The partitions.
        block: How they are computed together; None if they are not.
        checked: Returns a table in the form in which it is stored, or raises if it is invalid.

    Returns:
        The checked tables by partition key. A partition is absent if it must be computed alone: because it fails, and
        its own task names the error, or because no other partition of the unit is stale.
    """
    keys = [one.task.key for one in unit if one.is_computable]
    return _computed(keys, block, checked) if block is not None else {}


def _computed(keys: Sequence[str], block: Block, checked: Callable[[pa.Table], pa.Table]) -> dict[str, pa.Table]:
    if len(keys) < 2:
        return {}
    try:
        return split(checked(block.compute(keys)), keys)
    except (UserError, OSError):  # a server or a setting, which halves of the block would meet again and again
        return {}
    except Exception:  # noqa: BLE001  (of any kind: the failing partition's own task raises it again)
        middle = len(keys) // 2
        return _computed(keys[:middle], block, checked) | _computed(keys[middle:], block, checked)


def split(table: pa.Table, keys: Sequence[str]) -> dict[str, pa.Table]:
    """Split a table by the column ``date``; each part keeps the order of its rows.

    Args:
        table: A table with the column ``date``.
        keys: The days, ``YYYY-MM-DD``; a day without rows gives an empty part.

    Raises:
        ValueError: If a row is of another day.
    """
    days = table[DATE].combine_chunks().cast(pa.int32()).to_numpy()
    order = np.argsort(days, kind="stable")
    ordered = table.take(pa.array(order))
    wanted = np.array(keys, "datetime64[D]").astype(np.int32)
    ordered_days = days[order]
    starts = np.searchsorted(ordered_days, wanted, side="left")
    ends = np.searchsorted(ordered_days, wanted, side="right")
    if (ends - starts).sum() != table.num_rows:
        raise ValueError("a row of the block is of a day that is not in the block")
    parts = zip(keys, starts.tolist(), ends.tolist(), strict=True)
    return {key: ordered.slice(start, end - start) for key, start, end in parts}
