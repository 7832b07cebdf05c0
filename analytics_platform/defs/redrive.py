"""Another try for what failed: on demand by the job ``redrive``, and on its own while there are tries left.

Belongs here: which days are worth another try, and what became of them. Does not belong here: how a failure is found
and kept (``computation``, ``storage.failures``).
"""

# No `from __future__ import annotations`: Dagster reads the annotations of schedules.

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from analytics_platform.defs.errors import ISOLATING
from analytics_platform.defs.learning import EVERYDAY
from analytics_platform.defs.ranges import few_ranges, ranges
from analytics_platform.defs.resources import RANGE_END_TAG, RANGE_START_TAG, Platform
from analytics_platform.defs.runs import Outcome, count_quarantined, days_with_errors, run_range, stored_failures
from analytics_platform.defs.tables import REDRIVE_TAG
from analytics_platform.model.errors import PROCESSING_ERRORS
from analytics_platform.storage.failures import MOST_TRIES

REDRIVE = "redrive"
"""The job that gives the failures of some days another try."""
REDRIVE_TAGS = {REDRIVE_TAG: "true"}

HOURLY = "47 * * * *"
RETRIED_DAYS = 31
"""How many of the last days are looked at for failures with tries left; older ones are a matter for `analytics run`."""
MAXIMUM_RUNS = 4

redrive_job = dg.define_asset_job(
    REDRIVE,
    selection=EVERYDAY,
    tags=REDRIVE_TAGS,
    description="Reads the source of the chosen days again, and gives every conversation that failed on them as many "
    "tries as at first. What did not fail and has not changed is not computed again.",
)


@dataclass(frozen=True)
class FailedConversation:
    """A conversation that one table could not be computed for.

    Attributes:
        date: Its day, ``YYYY-MM-DD``.
        conversation_id: The conversation.
        table_name: The table.
        error: What went wrong, in one line.
        attempts: How often it was tried.
    """

    date: str
    conversation_id: str
    table_name: str
    error: str
    attempts: int


@dataclass(frozen=True)
class Redriven:
    """What became of what had failed.

    Attributes:
        outcome: What the runs did.
        days: Days that had failed conversations or quarantined rows, and were tried again.
        mended: What had failed and does no longer.
        still_failing: What fails now.
        quarantined_before: Rows in quarantine on these days before.
        quarantined_after: Rows in quarantine on these days now.
    """

    outcome: Outcome
    days: Sequence[str]
    mended: Sequence[FailedConversation]
    still_failing: Sequence[FailedConversation]
    quarantined_before: int
    quarantined_after: int

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {**asdict(self), "outcome": self.outcome.as_json()}


def redrive(
    platform: Platform,
    definitions: dg.Definitions,
    days: Sequence[str],
    *,
    instance: dg.DagsterInstance,
) -> Redriven:
    """Try again what failed on some days, and bring these days up to date.

    Args:
        platform: What the assets work with.
        definitions: The graph over that platform, with the job ``redrive``.
        days: Days looked at, ascending; those without failures and quarantined rows are left alone.
        instance: Where the event history is kept.
    """
    started = time.monotonic()
    failing = days_with_errors(platform.lake, days)
    before = failed_conversations(platform, failing)
    troubled = [day for day in days if day in failing or count_quarantined(platform.lake, [day])]
    quarantined, outcome = count_quarantined(platform.lake, troubled), Outcome()
    for first, last in ranges(troubled, gap=1):
        run_range(definitions, REDRIVE, first, last, outcome, tags=REDRIVE_TAGS, instance=instance)
    after = failed_conversations(platform, troubled)
    names = {(entry.date, entry.conversation_id, entry.table_name) for entry in after}
    outcome.quarantined = count_quarantined(platform.lake, troubled)
    outcome.failed_conversations = len({(entry.date, entry.conversation_id) for entry in after})
    outcome.seconds = time.monotonic() - started
    return Redriven(
        outcome=outcome,
        days=troubled,
        mended=[entry for entry in before if (entry.date, entry.conversation_id, entry.table_name) not in names],
        still_failing=after,
        quarantined_before=quarantined,
        quarantined_after=outcome.quarantined,
    )


def failed_conversations(platform: Platform, days: Sequence[str]) -> list[FailedConversation]:
    """Return what the stored tables of some days could not be computed for."""
    return [
        FailedConversation(day, failure.conversation_id, table, failure.error, failure.attempts)
        for day, table, failure in stored_failures(platform.lake, ISOLATING, days)
    ]


def days_to_retry(platform: Platform) -> list[str]:
    """Return those of the last days that have failures with tries left, ascending."""
    lake = platform.lake
    recent = days_with_errors(lake, lake.keys(PROCESSING_ERRORS.name)[-RETRIED_DAYS:])
    left = {day for day, _, failure in stored_failures(lake, ISOLATING, recent) if failure.attempts < MOST_TRIES}
    return sorted(left)


def build_retry_schedule(platform: Platform, job_name: str) -> dg.ScheduleDefinition:
    """Define when failures with tries left are tried again on their own.

    Args:
        platform: What is looked at.
        job_name: The job that materializes the graph over a range of days.
    """

    @dg.schedule(
        name="retry_failures",
        job_name=job_name,
        cron_schedule=HOURLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Materializes the days on which conversations failed that have tries left.",
    )
    def retry_failures(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        """Ask for the days on which something failed that has tries left."""
        days = days_to_retry(platform)
        if not days:
            return dg.SkipReason("nothing failed that has tries left")
        at = f"{context.scheduled_execution_time:%Y%m%dT%H%M}"
        return [
            dg.RunRequest(run_key=f"{at}/{first}", tags={RANGE_START_TAG: first, RANGE_END_TAG: last})
            for first, last in few_ranges(days, MAXIMUM_RUNS)
        ]

    return retry_failures
