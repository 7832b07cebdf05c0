"""Another try, on demand, for the conversations that failed and the rows in quarantine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from analytics_platform.defs.automation.retry import REDRIVE, REDRIVE_TAGS
from analytics_platform.defs.consistency.left_out import (
    FailedConversation,
    count_quarantined,
    days_with_errors,
    failed_conversations,
)
from analytics_platform.defs.framework.day_ranges import ranges
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.run import Outcome, run_range


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
        definitions: The graph over that platform, with the job ``on_demand_redrive``.
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
