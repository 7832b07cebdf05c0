"""One Dagster run over a range of days in this process, summed up in an ``Outcome``.

`run` imports this module when a day is stale, because it imports Dagster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import dagster as dg

from analytics_platform.defs.checks.declarations import compared_nothing
from analytics_platform.defs.framework.day_ranges import RANGE_END_TAG, RANGE_START_TAG
from analytics_platform.defs.framework.execution import execute
from analytics_platform.operations.runs.outcome import Outcome, PartOutcome, TableOutcome


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
    counted: dict[dg.AssetKey, None] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            materialization = event.step_materialization_data.materialization
            _count(outcome, materialization)
            counted[materialization.asset_key] = None
        elif event.is_step_failure:
            outcome.failures.append(f"{event.step_key}: {_cause(event.step_failure_data.error)}")
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            _count_check(outcome, event.asset_check_evaluation_data, " to ".join(dict.fromkeys((first, last))))
    for key in counted:
        _sum_up(outcome, key.to_user_string(), groups.get(key, ""))
    if not result.success and not outcome.failures:
        outcome.failures.append(_failure_without_step(result))


def _count(outcome: Outcome, materialization: dg.AssetMaterialization) -> None:
    """Record one materialized partition. A partition of several passes counts once, with its last rows and bytes."""
    name = materialization.asset_key.to_user_string()
    facts = {name: value.value for name, value in materialization.metadata.items()}
    parts = outcome.parts.setdefault(name, {})
    before = parts.get(materialization.partition)
    parts[materialization.partition] = PartOutcome(
        rows=int(facts.get("dagster/partition_row_count", facts.get("dagster/row_count", 0))),  # type: ignore[arg-type]
        bytes=int(facts.get("bytes", 0)),  # type: ignore[arg-type]
        reused=facts.get("reused") is True and (before is None or before.reused),
    )


def _sum_up(outcome: Outcome, name: str, group: str) -> None:
    """Sum the partitions of an asset up, once a run: there may be thousands."""
    parts = outcome.parts[name]
    outcome.tables[name] = TableOutcome(
        name,
        group,
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
