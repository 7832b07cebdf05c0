"""What people see on the terminal: progress, tables of what was written."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from analytics_platform.defs.repair import Repair
from analytics_platform.defs.runs import Outcome
from analytics_platform.storage.partitions import PartitionInfo


class PartitionProgress:
    """A bar that counts stored partitions; it keeps the terminal that was there when it was made.

    Dagster captures the standard streams of a step, so the bar writes to a copy of standard error.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._terminal = os.fdopen(os.dup(sys.stderr.fileno()), "w")
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("partitions"),
            TimeElapsedColumn(),
            console=Console(file=self._terminal),
            transient=True,
            disable=quiet,
        )
        self._task = self._progress.add_task("starting", total=None)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Show the bar during the block."""
        try:
            with self._progress:
                yield
        finally:
            self._terminal.close()

    def expect(self, partitions: int) -> None:
        """Add so many partitions to what is to come."""
        total = self._progress.tasks[0].total or 0
        self._progress.update(self._task, total=total + partitions)

    def advance(self, table: str, info: PartitionInfo) -> None:
        """Count one partition stored."""
        self._progress.update(self._task, advance=1, description=f"{table} {info.key}")


def outcome_table(outcome: Outcome) -> Table:
    """Return what was written as a table, in the order in which it was."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("group", "asset"):
        table.add_column(name)
    for name in ("partitions", "unchanged", "rows", "size"):
        table.add_column(name, justify="right")
    for entry in outcome.tables.values():
        size = _size(entry.bytes) if entry.bytes else ""
        table.add_row(entry.group, entry.asset, f"{entry.partitions:,}", f"{entry.reused:,}", f"{entry.rows:,}", size)
    return table


def repair_lines(outcome: Repair) -> Iterator[tuple[str, str]]:
    """Yield what a repair found, did and left, as (style, line)."""
    for found in outcome.found:
        yield "yellow", f"wrong:  {found}"
    for mended in outcome.mended:
        yield "green", f"mended: {mended.day or 'all days'}: {mended.store} {mended.table}"
    for left in outcome.left:
        yield "red", f"left:   {left}"
    if not outcome.found:
        yield "green", "Lake, MongoDB and warehouse agree; nothing was written."


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
