"""What people see on the terminal: progress, tables of what was written."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from analytics_platform.defs.consistency.repairer import Repair
from analytics_platform.operations.redrive import Redriven
from analytics_platform.operations.reveal import Revealed
from analytics_platform.operations.run import Outcome
from analytics_platform.operations.similar import Similar
from analytics_platform.operations.status import Status
from analytics_platform.operations.unknown_outcomes import UnknownOutcomes
from analytics_platform.operations.why import Explanation
from analytics_platform.sources.base import Progress as RowsProgress
from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform.system.output import print_message, print_result
from analytics_platform.system.plain_text import on_one_line


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


class _Lines(logging.Handler):
    """Prints each record as a line above a bar.

    Args:
        screen: Where the bar is.
    """

    def __init__(self, screen: Console) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        self._screen.print(on_one_line(record.getMessage()), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _engine_heard(screen: Console, *, quiet: bool) -> Iterator[None]:
    """Print during the block what the insight engine logs: on which device it runs, and what it does without."""
    if quiet:
        yield
        return
    log, lines = logging.getLogger("analytics_platform.insights"), _Lines(screen)
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(lines)
    try:
        yield
    finally:
        log.removeHandler(lines)
        log.setLevel(before)


def _progress(screen: Console, counted: str = "", *, quiet: bool) -> Progress:
    """Return a line, gone in the end, of what is being done and for how long, with a bar where something is counted.

    Where no terminal is, there is none: it would leave an empty line in a log.
    """
    bar = [BarColumn(bar_width=None), MofNCompleteColumn(), TextColumn(counted)] if counted else []
    columns = [SpinnerColumn(), TextColumn("{task.description}"), *bar, TimeElapsedColumn()]
    return Progress(*columns, console=screen, transient=True, disable=quiet or not screen.is_terminal)


@contextmanager
def stage_progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show during the block what is being done, and for how long already.

    Args:
        quiet: Show nothing; it can be told of stages all the same.
    """
    with (
        _progress(Console(stderr=True), quiet=quiet) as bar,
        _engine_heard(bar.console, quiet=quiet),
    ):
        task = bar.add_task("starting", total=None)
        yield lambda stage: bar.update(task, description=stage)


@contextmanager
def partition_progress(*, quiet: bool) -> Iterator[PartitionProgress]:
    """Show a bar during the block, on the terminal that is there when it begins.

    Dagster captures the standard streams of a step, so the bar writes to a copy of standard error.

    Args:
        quiet: Show none; it can be told of partitions all the same.
    """
    with (
        os.fdopen(os.dup(sys.stderr.fileno()), "w") as terminal,
        _progress(Console(file=terminal), "partitions", quiet=quiet) as bar,
        _engine_heard(bar.console, quiet=quiet),
    ):
        yield PartitionProgress(bar)


@contextmanager
def rows_progress(*, quiet: bool) -> Iterator[RowsProgress]:
    """Show a bar of rows read during the block; nothing before the first is told of.

    Args:
        quiet: Show none; it can be told of rows all the same.
    """
    with _progress(Console(stderr=True), "rows", quiet=quiet) as bar:
        task = bar.add_task("reading the source", total=None, visible=False)
        yield lambda rows, expected: bar.update(task, completed=rows, total=expected, visible=True)


def status_lines(status: Status) -> Iterator[tuple[str, str]]:
    """Yield what and how much of a status, for people; what is not known is left out."""
    source = status.source
    read = "all read" if source.complete else "not all read yet; `analytics run` reads it"
    facts = {
        "source": f"{status.name}, {read}" + (f", {source.rows:,} rows" if source.rows is not None else ""),
        "read until": source.cursor,
        "last looked": source.refreshed_at,
        "compared": source.reconciled_at,
        "speed": f"{source.rows_per_second:,.0f} rows/s" if source.rows_per_second else None,
        "columns": "; ".join(source.drift) or None,
        "days": f"{status.days:,} with rows, {len(status.waiting):,} not in the lake as the source has them",
        "waiting": f"{', '.join(status.waiting[:5])}{', …' if len(status.waiting) > 5 else ''}"
        if status.waiting
        else None,
        "time left": f"about {status.seconds_left:,.0f} s" if status.seconds_left is not None else None,
        "quarantined": f"{status.quarantined:,} rows",
    }
    return ((what, says) for what, says in facts.items() if says is not None)


def redriven_lines(found: Redriven) -> Iterator[str]:
    """Yield what became of what had failed, for people."""
    if not found.days:
        yield "Nothing failed on these days, and no row is in quarantine."
        return
    for entry in found.mended:
        yield f"mended         {entry.date} {entry.conversation_id}: {entry.table_name}"
    for entry in found.still_failing:
        yield f"still failing  {entry.date} {entry.conversation_id}: {entry.table_name}: {entry.error}"
    yield (
        f"{len(found.days):,} days tried again: {len(found.mended):,} mended, {len(found.still_failing):,} still "
        f"failing; {found.quarantined_after:,} rows in quarantine, {found.quarantined_before:,} before"
    )


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


def repair_lines(outcome: Repair) -> Iterator[tuple[str, str]]:
    """Yield what a repair found, did and left, as (style, line)."""
    for found in outcome.found:
        yield "yellow", f"wrong:  {found}"
    for mended in outcome.mended:
        if mended.store != "warehouse":
            yield "green", f"mended: {mended.day or 'all days'}: {mended.store} {mended.table}"
    yield from (("green", f"mended: {line}") for line in _rebuilt(outcome))
    for left in outcome.left:
        yield "red", f"left:   {left}"
    if not outcome.found:
        yield "green", "Lake, MongoDB and warehouse agree; nothing was written."


def _rebuilt(outcome: Repair) -> Iterator[str]:
    """Yield one line per mart: one that was built anew has many days."""
    days: dict[str, list[str]] = {}
    for mended in outcome.mended:
        if mended.store == "warehouse":
            days.setdefault(mended.table, []).append(mended.day)
    for table, built in days.items():
        first, last = min(built), max(built)
        named = first if len(built) == 1 else f"{len(built)} days from {first} to {last}"
        yield f"{named}: warehouse {table}"


def similar_lines(found: Similar) -> Iterator[str]:
    """Yield the conversations that a search found, the most similar first, and how far it reached."""
    rows = found.conversations
    wide_id = max((len(row.conversation_id) for row in rows), default=0)
    wide_topic = max((len(row.primary_topic or "") for row in rows), default=0)
    for row in rows:
        topic = row.primary_topic or ""
        yield (
            f"{row.date}  {row.conversation_id:{wide_id}}  {row.similarity:6.3f}  {topic:{wide_topic}}  "
            f"{row.first_words or ''}"
        ).rstrip()
    yield f"{len(rows):,} of {found.searched:,} conversations of {found.days:,} days"
    if found.days_without_vectors:
        yield f"{found.days_without_vectors:,} days with conversations have no vectors yet and were not searched"


def why_lines(found: Explanation) -> Iterator[str]:
    """Yield why a partition is as it is: whether it is current, when and why it was computed, and from what."""
    name = f"{found.table} {found.day}".rstrip() + f" ({found.store})"
    if not found.stale_because:
        yield f"{name} is current: a run would not compute it."
    elif not found.is_stored:
        yield f"{name}: a run would compute it, because {'; '.join(found.stale_because)}."
    else:
        yield f"{name} is stale: a run would compute it again, because {'; '.join(found.stale_because)}."
    if found.computed_at:
        yield f"It was computed last on {found.computed_at}, because {found.computed_because}."
    wide = max((len(part.name) for part in found.parts), default=0)
    if found.parts:
        yield "Computed from:"
    for part in found.parts:
        if part.stored == part.now or not found.is_stored:
            yield f"  {part.name:{wide}}  {part.now}"
        elif part.now is None:
            yield f"  {part.name:{wide}}  {part.stored}"
        else:
            yield f"  {part.name:{wide}}  {part.stored or 'not named'} when it was stored, {part.now} now"


def revealed_lines(found: Revealed) -> Iterator[str]:
    """Yield the messages of a conversation, one line each: the text, then each piece of code.

    Inline code stands in the text as well; what is a block is not known any more, and none may be missing.
    """
    wide = max((len(message.role) for message in found.messages), default=0)
    for message in found.messages:
        words = " ".join(" ".join([message.text, *(f"`{piece}`" for piece in message.code)]).split())
        yield f"{message.sent_at}  {message.role:{wide}}  {words}".rstrip()


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def trained_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Say what training came to, one line each."""
    for status, count in found["feedback"].items():
        yield f"corrections, {status:12} {count:,}"
    yield from found.get("left_out", ())
    for kind, row in found["kinds"].items():
        before = "" if row["before"] is None else f"{row['before']:.3f} before, "
        yield f"{kind:10} {before}{row['after']:.3f} after, of {row['items']:,} gold labels"
    if found["promoted"] and not found["changed"]:
        yield f"{found['corrections']:,} corrections: nothing new to learn; the model that labels stays as it is"
    else:
        yield "promoted; `analytics run` labels again" if found["promoted"] else "not promoted"


def unknown_outcomes_line(unknown: UnknownOutcomes) -> str:
    """Say which stated outcomes count neither as success nor as failure, and which setting gives them a meaning."""
    told = ", ".join(f"{word!r} {count:,}" for word, count in unknown.words.items())
    more = f" and {unknown.more:,} more words" if unknown.more else ""
    first = next(iter(unknown.words))
    return (
        f"Outcomes known as neither success nor failure, with their conversations: {told}{more}. "
        f"{unknown.setting} says what they mean, e.g. {unknown.setting}={f'{first}=failure'!r}; =success and =neither "
        "are possible, too."
    )


def print_outcome(outcome: Outcome) -> None:
    """Print what a run did as a result, and what a person should look after as messages."""
    if outcome.runs:
        print_result(outcome_table(outcome))
        print_result("")
        without_data = f"{outcome.checks_without_data:,} checks without data, " if outcome.checks_without_data else ""
        print_result(
            f"{outcome.quarantined:,} rows in quarantine, {outcome.checks_passed:,} checks passed, {without_data}"
            f"{len(outcome.failures)} failures, {len(outcome.warnings)} warnings, {outcome.seconds:.1f} s"
        )
        if outcome.failed_conversations:
            print_message(
                f"{outcome.failed_conversations:,} conversations could not be processed and are left out; why is in "
                "the table processing_errors",
                "yellow",
            )
        if outcome.unknown_outcomes.words:
            print_message(unknown_outcomes_line(outcome.unknown_outcomes))
    elif not outcome.failures:
        print_result("Everything is up to date; nothing was written.")
    print_troubles(outcome.warnings, outcome.failures)


def print_troubles(warnings: Iterable[str] = (), failures: Iterable[str] = ()) -> None:
    """Print warnings and failures as messages: a line each, but for a failure that lists several faults in lines."""
    for warning in warnings:
        print_message(f"warning: {warning}", "yellow")
    for failure in failures:
        for line in failure.split("\n"):
            print_message(f"failed: {line}", "red")
