"""Terminal output of the subcommands: progress bars, tables, and lines for results."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from analytics_platform.system.output import print_message, print_result
from analytics_platform.system.plain_text import agreeing, counted, on_one_line

if TYPE_CHECKING:  # the subcommand that prints a result has imported its class
    from analytics_platform.defs.consistency.repairer import Repair
    from analytics_platform.operations.backup import Backup, Restored
    from analytics_platform.operations.discovering.topic_list import ListedTopic
    from analytics_platform.operations.redrive import Redriven
    from analytics_platform.operations.reveal import Revealed
    from analytics_platform.operations.runs.outcome import Outcome
    from analytics_platform.operations.runs.unknown_outcomes import UnknownOutcomes
    from analytics_platform.operations.similar import Similar
    from analytics_platform.operations.status import Status
    from analytics_platform.operations.translation import TranslatedConversation
    from analytics_platform.operations.why import Explanation
    from analytics_platform.sources.base import Progress as RowsProgress
    from analytics_platform.storage.partitions import PartitionInfo

_FIRST_CHARACTERS = 100
"""Most characters of a conversation that a list of topics shows."""


class PartitionProgress:
    """A progress bar that counts stored partitions.

    Args:
        bar: The bar, already shown.
    """

    def __init__(self, bar: Progress) -> None:
        self._progress = bar
        self._task = bar.add_task("starting", total=None)

    def expect(self, partitions: int) -> None:
        """Add a number of partitions to the expected total."""
        total = self._progress.tasks[0].total or 0
        self._progress.update(self._task, total=total + partitions)

    def advance(self, table: str, info: PartitionInfo) -> None:
        """Count one stored partition."""
        self._progress.update(self._task, advance=1, description=f"{table} {info.key}")


class _Lines(logging.Handler):
    """Prints each log record as a line above a progress bar.

    Args:
        screen: The console of the bar.
    """

    def __init__(self, screen: Console) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        self._screen.print(on_one_line(record.getMessage()), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _engine_heard(screen: Console, *, quiet: bool) -> Iterator[None]:
    """Print the log of the insight engine during the block: its device, and missing optional parts."""
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
    """Return a transient line with the current task and its duration, and with a bar if ``counted`` names a unit.

    Without a terminal the line is disabled, because it would leave an empty line in a log.
    """
    bar = [BarColumn(bar_width=None), MofNCompleteColumn(), TextColumn(counted)] if counted else []
    columns = [SpinnerColumn(), TextColumn("{task.description}"), *bar, TimeElapsedColumn()]
    return Progress(*columns, console=screen, transient=True, disable=quiet or not screen.is_terminal)


@contextmanager
def stage_progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show the current stage and its duration during the block; the yielded function sets the stage.

    Args:
        quiet: Show nothing; the function still accepts stages.
    """
    with (
        _progress(Console(stderr=True), quiet=quiet) as bar,
        _engine_heard(bar.console, quiet=quiet),
    ):
        task = bar.add_task("starting", total=None)
        yield lambda stage: bar.update(task, description=stage)


@contextmanager
def partition_progress(*, quiet: bool) -> Iterator[PartitionProgress]:
    """Show a bar of partitions during the block, on the standard error of its beginning.

    Dagster captures the standard streams of a step, so the bar writes to a copy of standard error.

    Args:
        quiet: Show nothing; the bar still accepts partitions.
    """
    with (
        os.fdopen(os.dup(sys.stderr.fileno()), "w") as terminal,
        _progress(Console(file=terminal), "partitions", quiet=quiet) as bar,
        _engine_heard(bar.console, quiet=quiet),
    ):
        yield PartitionProgress(bar)


@contextmanager
def rows_progress(*, quiet: bool) -> Iterator[RowsProgress]:
    """Show a bar of source rows during the block, from the first reported rows on.

    Args:
        quiet: Show nothing; the yielded function still accepts rows.
    """
    with _progress(Console(stderr=True), "rows", quiet=quiet) as bar:
        task = bar.add_task("reading the source", total=None, visible=False)
        yield lambda rows, expected: bar.update(task, completed=rows, total=expected, visible=True)


def reconciled_line(different: Mapping[str, int], rows_by_day: Mapping[str, int], unplaced: int = 0) -> str:
    """Return a line with the result of comparing the home with the source, and the next step.

    Args:
        different: Number of rows by kind of difference; empty for a source that is always read as a whole.
        rows_by_day: Number of source rows of each day.
        unplaced: Number of source rows that belong to no day.
    """
    days = sorted(rows_by_day)
    rows = f"{counted(sum(rows_by_day.values()), 'row')} of {counted(len(days), 'day')}"
    rows += f", {days[0]} to {days[-1]}" if days else ""
    rows += f", and {counted(unplaced, 'row')} without a day" if unplaced else ""
    if not different:
        return f"always read as a whole: {rows}; `analytics run` computes new and changed days"
    counts = ", ".join(f"{count:,} {what}" for what, count in different.items())
    if not any(different.values()):
        return f"{rows} compared with the source: {counts}; no row differs"
    return f"{rows} compared with the source: {counts}; `analytics run` restates the changed days"


def status_lines(status: Status) -> Iterator[tuple[str, str]]:
    """Yield (label, text) for each known fact of a status."""
    source = status.source
    read = "all read" if source.complete else "not all read yet; `analytics run` reads it"
    facts = {
        "source": f"{status.name}, {read}" + (f", {counted(source.rows, 'row')}" if source.rows is not None else ""),
        "read until": source.cursor,
        "refreshed": source.refreshed_at,
        "reconciled": source.reconciled_at,
        "speed": f"{source.rows_per_second:,.0f} rows/s" if source.rows_per_second else None,
        "columns": "; ".join(source.drift) or None,
        "days": f"{status.days:,} with rows, {len(status.waiting):,} missing or outdated in the lake",
        "waiting": f"{', '.join(status.waiting[:5])}{', …' if len(status.waiting) > 5 else ''}"
        if status.waiting
        else None,
        "time left": f"about {status.seconds_left:,.0f} s" if status.seconds_left is not None else None,
        "quarantined": counted(status.quarantined, "row")
        + (f", {status.unplaced:,} of them without a day (table unplaced_rows)" if status.unplaced else ""),
        "MongoDB": f"conversations from {status.mongo_from} on (ANALYTICS_MONGO_DAYS)" if status.mongo_from else None,
    }
    return ((what, says) for what, says in facts.items() if says is not None)


def redriven_lines(redriven: Redriven) -> Iterator[str]:
    """Yield the result of a redrive as lines."""
    if not redriven.days:
        yield "Nothing failed on these days, and no row is in quarantine."
        return
    for entry in redriven.mended:
        yield f"succeeded      {entry.date} {entry.conversation_id}: {entry.table_name}"
    for entry in redriven.still_failing:
        yield f"still failing  {entry.date} {entry.conversation_id}: {entry.table_name}: {entry.error}"
    yield (
        f"{counted(len(redriven.days), 'day')} tried again: {len(redriven.mended):,} succeeded, "
        f"{len(redriven.still_failing):,} still failing; "
        f"{counted(redriven.quarantined_after, 'row')} in quarantine, {redriven.quarantined_before:,} before"
    )


def outcome_table(outcome: Outcome) -> Table:
    """Return the written assets as a table, in the order of writing; names are never cut."""
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
    """Yield the disagreements that a repair found, mended and left, as (style, line)."""
    for wrong in outcome.found:
        yield "yellow", f"wrong: {wrong}"
    for repaired in outcome.mended:
        if repaired.store != "warehouse":
            yield "green", f"repaired: {repaired.day or 'all days'}: {repaired.store} {repaired.table}"
    yield from (("green", f"repaired: {line}") for line in _rebuilt(outcome))
    for left in outcome.left:
        yield "red", f"not repaired: {left}"
    if not outcome.found:
        yield "green", "Lake, MongoDB and warehouse agree; nothing was written."


def _rebuilt(outcome: Repair) -> Iterator[str]:
    """Yield one line per rebuilt mart with its range of days."""
    days: dict[str, list[str]] = {}
    for repaired in outcome.mended:
        if repaired.store == "warehouse":
            days.setdefault(repaired.table, []).append(repaired.day)
    for table, built in days.items():
        first, last = min(built), max(built)
        named = first if len(built) == 1 else f"{len(built)} days from {first} to {last}"
        yield f"{named}: warehouse {table}"


def similar_lines(similar: Similar) -> Iterator[str]:
    """Yield the conversations of a search, the most similar first, and the search's coverage."""
    rows = similar.conversations
    wide_id = max((len(row.conversation_id) for row in rows), default=0)
    wide_topic = max((len(row.primary_topic or "") for row in rows), default=0)
    for row in rows:
        topic = row.primary_topic or ""
        yield (
            f"{row.date}  {row.conversation_id:{wide_id}}  {row.similarity:6.3f}  {topic:{wide_topic}}  "
            f"{row.first_words or ''}"
        ).rstrip()
    yield f"{len(rows):,} of {counted(similar.searched, 'conversation')} of {counted(similar.days, 'day')}"
    if days := similar.days_without_vectors:
        yield (
            f"{counted(days, 'day')} with conversations {agreeing(days, 'has', 'have')} no vectors yet and "
            f"{agreeing(days, 'was', 'were')} not searched"
        )


def topic_lines(topics: Sequence[ListedTopic]) -> Iterator[str]:
    """Yield the discovered topics, each with its sentence and its examples below."""
    for topic in topics:
        status = "" if topic.status == "in use" else f"  ({topic.status})"
        yield f"{topic.conversations:6,}  {topic.topic_id}  {topic.name}  [{topic.parent}]{status}"
        if topic.sentence:
            yield f"{'':8}{' '.join(topic.sentence.split())}"
        for text in topic.examples:
            flat = " ".join(text.split())
            yield f"{'':8}“{flat if len(flat) <= _FIRST_CHARACTERS else flat[: _FIRST_CHARACTERS - 1] + '…'}”"
    yield f"{counted(len(topics), 'topic')}, with their numbers of conversations in the 28 days before the last epoch"


def why_lines(explanation: Explanation) -> Iterator[str]:
    """Yield the explanation of a partition: whether it is current, when and why it was computed, and its provenance."""
    yield _verdict(explanation)
    if explanation.not_kept:
        yield f"Reason: {explanation.not_kept}."
    if explanation.stale_because:
        yield f"Reason: {'; '.join(explanation.stale_because)}."
    if explanation.stale_inputs:
        yield f"Inputs to compute first: {', '.join(explanation.stale_inputs)}."
    if explanation.source_changed:
        yield "The source has changed since it was read, or was never read; the next run reads it first."
    if explanation.computed_at:
        yield f"It was computed last on {explanation.computed_at}. Reason: {explanation.computed_because}."
    yield from _part_lines(explanation)


def _verdict(explanation: Explanation) -> str:
    """Return a sentence that says whether a run would compute a partition."""
    name = f"{explanation.asset} {explanation.day}".rstrip() + f" ({explanation.store})"
    if explanation.not_kept:
        return f"{name} {'will be removed by the next run' if explanation.is_stored else 'is not stored, as intended'}."
    if explanation.stale_because and explanation.is_stored:
        return f"{name} is stale: a run would compute it again."
    if explanation.stale_because:
        return f"{name} is not stored; a run over this day would compute it."
    if explanation.stale_inputs:
        return f"{name} agrees with its stored inputs. A run would compute inputs again, and it too if they change."
    if explanation.source_changed:
        return f"{name} agrees with its stored inputs, but the source has changed since it was read."
    return f"{name} is current: a run would not compute it."


def _part_lines(explanation: Explanation) -> Iterator[str]:
    """Yield the named parts of a partition's provenance; a changed part with its stored and its present value."""
    wide = max((len(part.name) for part in explanation.parts), default=0)
    if explanation.parts:
        yield "Computed from:"
    for part in explanation.parts:
        if part.stored == part.now or not explanation.is_stored:
            yield f"  {part.name:{wide}}  {part.now}"
        elif part.now is None:
            yield f"  {part.name:{wide}}  {part.stored}"
        else:
            yield f"  {part.name:{wide}}  {part.stored or 'not recorded'} when it was stored, {part.now} now"


def revealed_lines(revealed: Revealed) -> Iterator[str]:
    """Yield the messages of a conversation, one line each: the text, then each piece of code.

    Inline code is also part of the text. Stored messages do not tell inline code from blocks, so every piece is
    printed.
    """
    wide = max((len(message.role) for message in revealed.messages), default=0)
    for message in revealed.messages:
        words = " ".join(" ".join([message.text, *(f"`{piece}`" for piece in message.code)]).split())
        yield f"{message.sent_at}  {message.role:{wide}}  {words}".rstrip()


def translated_lines(translated: TranslatedConversation) -> Iterator[str]:
    """Yield the messages of a conversation, each followed by its translation, and how many have one."""
    messages = translated.messages
    wide = max((len(message.role) for message in messages), default=0)
    for message in messages:
        words = " ".join(message.text.split())
        yield f"{message.sent_at}  {message.role:{wide}}  {message.language:3}  {words}".rstrip()
        indent = " " * (len(message.sent_at) + wide + 4)
        if message.translation is not None:
            rated = "" if message.quality is None else f"  (quality {message.quality:.2f})"
            yield f"{indent}{message.target_language or '':3}  {' '.join(message.translation.split())}{rated}"
        elif message.failure is not None:
            yield f"{indent}not translated: {message.failure.replace('_', ' ')}"
    done = sum(message.translation is not None for message in messages)
    yield f"{done:,} of {counted(len(messages), 'message')} translated; translation is {translated.state}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def trained_lines(training: Mapping[str, Any]) -> Iterator[str]:
    """Yield the result of a training as lines."""
    for status, count in training["feedback"].items():
        yield f"corrections, {status:12} {count:,}"
    if count := training.get("llm", {}).get("lessons"):
        used = "learnt" if training["llm"]["used"] else "not learnt, as people's labels do not show that they help"
        yield f"labels of the LLM     {count:,}, {used}"
    yield from training.get("left_out", ())
    for kind, row in training["kinds"].items():
        before = "" if row["before"] is None else f"{row['before']:.3f} before, "
        yield f"{kind:10} {before}{row['after']:.3f} after, of {counted(row['items'], 'gold label')}"
    if training["promoted"] and not training["changed"]:
        corrections = counted(training["corrections"], "correction")
        yield f"{corrections}: nothing new to learn; the promoted model does not change"
    else:
        yield "promoted; `analytics run` labels again" if training["promoted"] else "not promoted"


def backup_lines(written: Backup) -> Iterator[str]:
    """Yield the contents of a backup, its folder, and the keys to keep separately, as lines."""
    for name, count in written.rows.items():
        yield f"{name:17} {count:,}"
    yield f"written to {written.path}"
    yield f"not in the backup, keep the set ones where you keep secrets: {', '.join(written.keys)}"


def restored_lines(restored: Restored) -> Iterator[str]:
    """Yield a line for each collection and table of a backup with its written, kept and refused rows."""
    yield f"backup of {restored.created_at}, every hash and row verified"
    for name, part in restored.parts.items():
        counts = {
            "written": part.added,
            "replaced an older or different one": part.replaced,
            "already stored": part.equal,
            "not restored, because the stored one is newer or different (--replace restores it)": part.kept,
            "not restored, because all its answers are stored": part.settled,
            "refused": len(part.refused),
        }
        summary = "; ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        yield f"{name:17} {summary or 'empty'}"
    yield f"not in the backup, set those that were set again: {', '.join(restored.keys)}"


def unknown_outcomes_line(unknown: UnknownOutcomes) -> str:
    """Return a line that lists stated outcomes without a known meaning, and the setting that defines their meaning."""
    listed = ", ".join(f"{word!r} {count:,}" for word, count in unknown.words.items())
    more = f" and {counted(unknown.more, 'more word')}" if unknown.more else ""
    first = next(iter(unknown.words))
    return (
        f"Outcomes that count neither as a success nor as a failure, with their numbers of conversations: "
        f"{listed}{more}. Where such a word means one of the two, say so, as in "
        f"{unknown.setting}={f'{first}=failure'!r} or =success; =neither leaves it out of this line."
    )


def print_outcome(outcome: Outcome) -> None:
    """Print the summary of a run as a result, and its warnings and failures as messages."""
    if outcome.runs:
        print_result(outcome_table(outcome))
        print_result("")
        empty = outcome.checks_without_data
        without_data = f"{counted(empty, 'check')} without data, " if empty else ""
        quarantined = f"{counted(outcome.quarantined, 'row')} in quarantine, " if outcome.is_quarantine_current else ""
        print_result(
            f"{quarantined}{counted(outcome.checks_passed, 'check')} passed, {without_data}"
            f"{counted(len(outcome.failures), 'failure')}, {counted(len(outcome.warnings), 'warning')}, "
            f"{outcome.seconds:.1f} s"
        )
        if failed := outcome.failed_conversations:
            print_message(
                f"{counted(failed, 'conversation')} could not be processed and {agreeing(failed, 'is', 'are')} left "
                f"out; the table processing_errors has {agreeing(failed, 'its', 'their')} errors",
                "yellow",
            )
        if outcome.unknown_outcomes.words:
            print_message(unknown_outcomes_line(outcome.unknown_outcomes))
    elif not outcome.failures:
        print_result("Everything is up to date; nothing was written.")
    if outcome.source is not None and (outcome.runs or outcome.source.quarantined):
        for line in outcome.source.lines():
            print_result(line)
    print_troubles(outcome.warnings, outcome.failures)


def print_troubles(warnings: Iterable[str] = (), failures: Iterable[str] = ()) -> None:
    """Print warnings and failures as messages, one line each; a failure with several faults gets several lines."""
    for warning in warnings:
        print_message(f"warning: {warning}", "yellow")
    for failure in failures:
        for line in failure.split("\n"):
            print_message(f"failed: {line}", "red")
