"""What people see on the terminal: progress, tables of what was written."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from analytics_platform.defs.runs import Outcome
from analytics_platform.storage.partitions import PartitionInfo


class PartitionProgress:
    """A bar that counts stored partitions.

    Args:
        bar: The bar, shown already.
    """

    def __init__(self, bar: Progress) -> None:
        self._progress = bar
        self._task = bar.add_task("starting", total=None)

    def expect(self, partitions: int) -> None:
        """Add so many partitions to what is to come."""
        total = self._progress.tasks[0].total or 0
        self._progress.update(self._task, total=total + partitions)

    def advance(self, table: str, info: PartitionInfo) -> None:
        """Count one partition stored."""
        self._progress.update(self._task, advance=1, description=f"{table} {info.key}")


@contextmanager
def partition_progress(*, quiet: bool) -> Iterator[PartitionProgress]:
    """Show a bar during the block, on the terminal that is there when it begins.

    Dagster captures the standard streams of a step, so the bar writes to a copy of standard error.

    Args:
        quiet: Show none; it can be told of partitions all the same.
    """
    with (
        os.fdopen(os.dup(sys.stderr.fileno()), "w") as terminal,
        Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("partitions"),
            TimeElapsedColumn(),
            console=Console(file=terminal),
            transient=True,
            disable=quiet,
        ) as bar,
    ):
        yield PartitionProgress(bar)


def outcome_table(outcome: Outcome) -> Table:
    """Return what was written as a table, in the order in which it was; names are never cut."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    entries = outcome.tables.values()
    table.add_column("group", min_width=max((len(entry.group) for entry in entries), default=0))
    table.add_column("asset", min_width=max((len(entry.asset) for entry in entries), default=0))
    for name in ("partitions", "current", "rows", "size"):
        table.add_column(name, justify="right")
    for entry in entries:
        size = _size(entry.bytes) if entry.bytes else ""
        table.add_row(entry.group, entry.asset, f"{entry.partitions:,}", f"{entry.reused:,}", f"{entry.rows:,}", size)
    return table


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
