"""Runs of the graph over a range of days in this process: planning, execution, and a summary."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

import dagster as dg

from analytics_platform.defs.assets.raw_assets import quarantined_rows, raw_messages, unplaced_rows
from analytics_platform.defs.checks.declarations import compared_nothing
from analytics_platform.defs.consistency.left_out import (
    count_quarantined,
    count_unplaced,
    days_with_errors,
    stored_failures,
)
from analytics_platform.defs.consistency.stale_days import stale_days
from analytics_platform.defs.framework.day_ranges import days_between, ranges
from analytics_platform.defs.framework.execution import execute
from analytics_platform.defs.framework.table_asset import FORCE_TAG, NO_RETRY_TAG, TableAsset, remove_old_days
from analytics_platform.defs.resources.platform import RANGE_END_TAG, RANGE_START_TAG, Platform
from analytics_platform.errors import UserError
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.tables.clean_tables import CONVERSATIONS
from analytics_platform.model.tables.raw_tables import RAW_MESSAGES
from analytics_platform.operations.unknown_outcomes import UnknownOutcomes, find_unknown_outcomes
from analytics_platform.sources.base import NothingUsableError, require_usable
from analytics_platform.sources.row_rules.row_summary import RowSummary
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform.system.plain_text import counted

MAXIMUM_PASSES = 3
"""The most passes of a call. A restated day makes later days stale that read it, such as reports; no chain is
longer.
"""


@dataclass
class TableOutcome:
    """Counts of one asset in a run: partitions, reused partitions, rows, and bytes."""

    asset: str
    group: str
    partitions: int = 0
    reused: int = 0
    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class _Part:
    """One partition of an asset after a run."""

    rows: int
    bytes: int
    reused: bool


@dataclass
class Outcome:
    """The result of a call of ``materialize``.

    Attributes:
        tables: One entry per materialized asset.
        failures: One line per failed step or check, naming it.
        warnings: One line per check that warns, naming the check and the days of its run; a warning fails no run.
        checks_passed: Number of passed asset checks.
        checks_without_data: Number of asset checks that had nothing to compare, such as labels without earlier days.
        source: What became of all rows of the source, of whatever day; None if the run does not read the source.
        quarantined: Number of quarantined source rows over all requested days, also of days not computed in this call,
            and of the quarantined rows that belong to no day.
        is_quarantine_current: Whether the selection of the run includes the tables of quarantined rows.
        failed_conversations: Number of conversations left out because their computation failed, over the same days.
        unknown_outcomes: Stated outcomes without a known meaning, on the days whose ``conversations`` were
            materialized.
        runs: Ids of the Dagster runs.
        seconds: Wall time in seconds.
        parts: The partitions summed up in ``tables``, by asset and partition.
    """

    tables: dict[str, TableOutcome] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    checks_passed: int = 0
    checks_without_data: int = 0
    source: RowSummary | None = None
    quarantined: int = 0
    is_quarantine_current: bool = True
    failed_conversations: int = 0
    unknown_outcomes: UnknownOutcomes = field(default_factory=UnknownOutcomes)
    runs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    parts: dict[str, dict[str | None, _Part]] = field(default_factory=dict, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the result as a dictionary for JSON."""
        fields = {name: value for name, value in asdict(self).items() if name != "parts"}
        return {**fields, "tables": [asdict(table) for table in self.tables.values()]}


def left_behind(platform: Platform, days: Sequence[str]) -> list[str]:
    """Return stored days, outside the given days, with conversations that the source now has on a given day.

    A run over the given days alone would store such a conversation twice.
    """
    asked = set(days)
    outside = [day for day in platform.lake.keys(RAW_MESSAGES.name) if day not in asked]
    changed = stale_days(platform, [raw_messages], outside, marts=False) if outside else []
    if not changed:
        return []
    arriving: set[str] = set()
    for day in stale_days(platform, [raw_messages], days, marts=False):
        arriving.update(platform.source.read_day(day).messages.column("conversation_id").unique().to_pylist())
    return [day for day in changed if not arriving.isdisjoint(_stored_conversations(platform, day))]


def _stored_conversations(platform: Platform, day: str) -> list[str]:
    stored = platform.lake.read(RAW_MESSAGES.name, day, ["conversation_id"])
    ids: list[str] = stored.column("conversation_id").unique().to_pylist()
    return ids


def run_range(
    definitions: dg.Definitions,
    job_name: str,
    first: str,
    last: str,
    outcome: Outcome,
    *,
    selection: Sequence[dg.AssetKey] | None = None,
    tags: Mapping[str, str] = MappingProxyType({}),
    instance: dg.DagsterInstance,
) -> None:
    """Materialize a range of days as one Dagster run in this process, and add the result to ``outcome``.

    Args:
        definitions: The graph.
        job_name: The job to run.
        first: First day.
        last: Last day, inclusive.
        outcome: The summary to extend.
        selection: Assets to materialize; all when None.
        tags: Run tags that choose what is computed again, see ``defs.framework.table_asset``.
        instance: The Dagster instance that records the run.

    Raises:
        DiskFullError: If a disk is full.
    """
    result = execute(
        definitions.resolve_job_def(job_name),
        instance,
        tags={RANGE_START_TAG: first, RANGE_END_TAG: last, **tags},
        selection=selection,
    )
    outcome.runs.append(result.run_id)
    groups = {spec.key: spec.group_name or "" for spec in definitions.resolve_all_asset_specs()}
    for event in result.all_events:
        if event.is_step_materialization:
            _count(outcome, event.step_materialization_data.materialization, groups)
        elif event.is_step_failure:
            outcome.failures.append(f"{event.step_key}: {_cause(event.step_failure_data.error)}")
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            _count_check(outcome, event.asset_check_evaluation_data, " to ".join(dict.fromkeys((first, last))))
    if not result.success and not outcome.failures:
        outcome.failures.append(_failure_without_step(result))


def _count(outcome: Outcome, materialization: dg.AssetMaterialization, groups: dict[dg.AssetKey, str]) -> None:
    """Record one materialized partition. A partition of several passes counts once, with its last rows and bytes."""
    key = materialization.asset_key
    name = key.to_user_string()
    facts = {name: value.value for name, value in materialization.metadata.items()}
    parts = outcome.parts.setdefault(name, {})
    before = parts.get(materialization.partition)
    parts[materialization.partition] = _Part(
        rows=int(facts.get("dagster/partition_row_count", facts.get("dagster/row_count", 0))),  # type: ignore[arg-type]
        bytes=int(facts.get("bytes", 0)),  # type: ignore[arg-type]
        reused=facts.get("reused") is True and (before is None or before.reused),
    )
    outcome.tables[name] = TableOutcome(
        name,
        groups.get(key, ""),
        partitions=len(parts),
        reused=sum(part.reused for part in parts.values()),
        rows=sum(part.rows for part in parts.values()),
        bytes=sum(part.bytes for part in parts.values()),
    )


def _failure_without_step(result: dg.ExecuteInProcessResult) -> str:
    """Return why a run failed before its first step, for example because its days are held by another run."""
    error = result.get_run_failure_event().job_failure_data.error
    return _cause(error) if error else f"run {result.run_id} failed; open it in the UI (`make dev`)"


def _cause(error: Any) -> str:
    """Return the message of the innermost cause, stopping at a ``PartitionError``. Dagster stores the whole trace."""
    while error.cause is not None and error.cls_name != "PartitionError":
        error = error.cause
    message = str(error.message).strip()
    if message.startswith("analytics_platform."):  # drop the class name of our own errors
        message = message.partition(f"{error.cls_name}: ")[2] or message
    return "; ".join(line.strip() for line in message.splitlines())


def _count_check(outcome: Outcome, evaluation: dg.AssetCheckEvaluation, days: str) -> None:
    if evaluation.passed:
        outcome.checks_passed += 1
        return
    if compared_nothing(evaluation):
        outcome.checks_without_data += 1
        return
    problems = evaluation.metadata.get("problems")
    detail = f": {problems.value}" if problems else ""
    check = f"check {evaluation.check_name} of {evaluation.asset_key.to_user_string()}"
    if evaluation.severity is dg.AssetCheckSeverity.WARN:
        outcome.warnings = list(dict.fromkeys([*outcome.warnings, f"{check} warns for {days}{detail}"]))
    else:
        outcome.failures.append(f"{check} failed{detail}")


def total_loss(summary: RowSummary) -> Outcome | None:
    """Return the failed outcome for a source of which no row can be used; None for any other source."""
    try:
        require_usable(summary)
    except NothingUsableError as error:
        return Outcome(source=summary, quarantined=summary.quarantined, failures=[str(error)])
    return None


def _tell_source(platform: Platform, outcome: Outcome) -> None:
    """Add the counts over the whole source, and a warning if too many rows cannot be used."""
    summary = outcome.source = platform.source.summary()
    share = platform.settings.quarantine_warn_share
    if summary.quarantined and summary.lost_share >= share:
        outcome.warnings.append(
            f"{summary.quarantined:,} of {counted(summary.rows_read, 'row')} of the source cannot be used "
            f"({summary.lost_share:.0%}; ANALYTICS_QUARANTINE_WARN_SHARE={share:g}); the reasons are above"
        )


def _remove_old_days(platform: Platform, assets: Iterable[TableAsset]) -> None:
    """Remove the days that MongoDB no longer keeps; a run does so, too, but no run begins where no day is stale."""
    for asset in assets:
        if asset.recipe.kept_days is not None:
            remove_old_days(asset.recipe, platform.mongo)


def materialize(
    platform: Platform,
    definitions: dg.Definitions,
    days: Sequence[str],
    *,
    job_name: str,
    assets: Sequence[TableAsset],
    selection: Sequence[dg.AssetKey] | None,
    force: bool,
    instance: dg.DagsterInstance,
    on_plan: Callable[[Sequence[str]], None] = lambda _: None,
) -> Outcome:
    """Bring the graph up to date over some days. Only missing or stale partitions are computed, unless forced.

    Args:
        platform: The platform of the assets.
        definitions: The graph over that platform.
        days: Requested days, ascending, without gaps.
        job_name: The job to run.
        assets: All table assets.
        selection: Keys of the assets to materialize; all when None.
        force: Compute also current partitions.
        instance: The Dagster instance that records the runs.
        on_plan: Called with the days of each pass before it starts.
    """
    started = time.monotonic()
    outcome = total_loss(platform.source.summary())
    if outcome is not None:
        return outcome
    of_quarantine = {quarantined_rows.key, unplaced_rows.key}
    outcome = Outcome(is_quarantine_current=selection is None or of_quarantine <= {*selection})
    chosen = [asset for asset in assets if selection is None or asset.key in selection]
    marts = selection is None or any(key not in {asset.key for asset in assets} for key in selection)
    _remove_old_days(platform, chosen)
    also = left_behind(platform, days) if raw_messages in chosen else []
    tags = {FORCE_TAG: "true"} if force else {}
    worked: set[str] = set()
    for number in range(MAXIMUM_PASSES):
        if force and number:
            break
        # Failures of the first pass wait for the next call, because nothing has changed since.
        policy = RecomputePolicy.NOTHING if number else RecomputePolicy.UNFINISHED
        todo = days if force else stale_days(platform, chosen, days, marts=marts, policy=policy)
        daily = [asset for asset in chosen if asset.recipe.cadence is Cadence.DAILY]
        beside = stale_days(platform, daily, also, marts=marts, policy=policy)
        if not todo and not beside:
            break
        on_plan([*todo, *beside])
        for first, last in [*ranges(todo), *ranges(beside, gap=1)]:
            run_range(definitions, job_name, first, last, outcome, selection=selection, tags=tags, instance=instance)
            worked.update(days_between(dt.date.fromisoformat(first), dt.date.fromisoformat(last)))
        tags = {NO_RETRY_TAG: "true"}
        if outcome.failures:
            break
    if raw_messages in chosen:
        _tell_source(platform, outcome)
    try:
        outcome.quarantined = count_quarantined(platform.lake, days) + count_unplaced(platform.lake)
        listed = days_with_errors(platform.lake, days)  # a partial run may fail without listing it
        failures = stored_failures(platform.lake, assets, [day for day in days if day in worked or day in listed])
        outcome.failed_conversations = len({(day, failure.conversation_id) for day, _, failure in failures})
        computed = sorted(filter(None, outcome.parts.get(CONVERSATIONS.name, {})))
        outcome.unknown_outcomes = find_unknown_outcomes(platform.lake, computed, platform.cleaning)
    except UserError as error:  # the lake went away: finished work is reported anyway
        outcome.failures.append(f"count of rows in quarantine, failed conversations and unknown outcomes: {error}")
    outcome.seconds = time.monotonic() - started
    return outcome
