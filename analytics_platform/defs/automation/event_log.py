"""Reads failed and warning checks and failed runs from Dagster's event history, each once, from a cursor.

Dagster's only call that reads events across runs is deprecated, and with SQLite it opens the database of every run. So
this module asks for the changed runs, and reads of each run only the events after its own cursor.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import dagster as dg
import orjson

from analytics_platform.defs.checks.declarations import compared_nothing

OVERLAP_SECONDS = 60.0
"""Time in seconds by which two reads overlap. A run's time of change is set before it is stored, so a change may
become visible late.
"""
_ACTIVE = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_TELLING = [*_ACTIVE, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_WANTED = {dg.DagsterEventType.ASSET_CHECK_EVALUATION, dg.DagsterEventType.RUN_FAILURE}


@dataclass(frozen=True)
class EventPosition:
    """The position up to which the event history was read.

    Attributes:
        since: The latest change of a run that was seen, in seconds since the epoch.
        runs: Run id to the cursor in the run's events, for recently changed and active runs.
    """

    since: float
    runs: Mapping[str, str] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the position as JSON, the form in which Dagster stores the sensor's cursor."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str) -> "EventPosition":
        """Parse the JSON of ``to_text``."""
        return cls(**orjson.loads(text))


@dataclass(frozen=True)
class FailedCheck:
    """A check that failed or warns. A check that compared nothing is not reported.

    Attributes:
        run: The run that evaluated the check.
        evaluation: The result of the check.
    """

    run: dg.DagsterRun
    evaluation: dg.AssetCheckEvaluation

    @property
    def warns(self) -> bool:
        """Whether the check only warns, so that the run does not fail."""
        return self.evaluation.severity is dg.AssetCheckSeverity.WARN


@dataclass(frozen=True)
class FailedRun:
    """A run that failed.

    Attributes:
        run: The run.
        step: The first step that failed; empty when the run failed outside of its steps, for example because it was
            killed.
        errors: Class names of the error and its causes, the outermost first. Messages are left out, because they may
            quote data.
    """

    run: dg.DagsterRun
    step: str
    errors: list[str]


def read_failures(
    instance: dg.DagsterInstance, cursor: EventPosition
) -> tuple[list[FailedCheck | FailedRun], EventPosition]:
    """Return the failures and warnings since the cursor, and the next cursor.

    Of an active run, the events so far are read.
    """
    changed_after = dt.datetime.fromtimestamp(cursor.since - OVERLAP_SECONDS, dt.UTC)
    changed = instance.get_run_records(dg.RunsFilter(statuses=_TELLING, updated_after=changed_after))
    active = instance.get_run_records(dg.RunsFilter(statuses=_ACTIVE))
    runs = {record.dagster_run.run_id: record for record in (*changed, *active)}
    failures: list[FailedCheck | FailedRun] = []
    positions: dict[str, str] = {}
    for run_id, record in sorted(runs.items(), key=lambda item: item[1].update_timestamp):
        events = instance.get_records_for_run(run_id, cursor=cursor.runs.get(run_id), of_type=_WANTED)
        positions[run_id] = events.cursor
        failures += _failures(record.dagster_run, (event.event_log_entry.dagster_event for event in events.records))
    latest = max((record.update_timestamp.timestamp() for record in changed), default=cursor.since)
    return failures, EventPosition(max(latest, cursor.since), positions)


def _failures(run: dg.DagsterRun, events: Iterable[Any]) -> Iterable[FailedCheck | FailedRun]:
    for event in events:
        if event.event_type is dg.DagsterEventType.RUN_FAILURE:
            yield _failed_run(run, event.job_failure_data)
        elif not (event.asset_check_evaluation_data.passed or compared_nothing(event.asset_check_evaluation_data)):
            yield FailedCheck(run, event.asset_check_evaluation_data)


def _failed_run(run: dg.DagsterRun, failure: Any) -> FailedRun:
    step = failure.first_step_failure_event
    error, names = (step.step_failure_data.error if step else failure.error), []
    while error is not None:
        names.append(error.cls_name)
        error = error.cause
    return FailedRun(run, step.step_key if step else "", [name for name in names if name])
