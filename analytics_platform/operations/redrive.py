"""Retries on demand of failed conversations and quarantined rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analytics_platform.defs.assets import raw_assets
from analytics_platform.defs.automation.retry import REDRIVE, REDRIVE_TAGS
from analytics_platform.defs.consistency.left_out import (
    FailedConversation,
    count_quarantined,
    count_unplaced,
    days_with_errors,
    failed_conversations,
)
from analytics_platform.defs.consistency.stale_days import stale_days
from analytics_platform.defs.framework.day_ranges import ranges
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.outcome import Outcome


@dataclass(frozen=True)
class Redriven:
    """The result of a redrive.

    Attributes:
        outcome: Summary of the runs.
        days: Days with failed conversations or quarantined rows, which were computed again. Where rows without a day
            are stored, also the days whose source rows have changed, since a mended row belongs to one of them.
        mended: Failures from before that no longer occur.
        still_failing: Failures after the redrive.
        quarantined_before: Number of quarantined rows on these days, and of those without a day, before the redrive.
        quarantined_after: The same number after the redrive.
    """

    outcome: Outcome
    days: Sequence[str]
    mended: Sequence[FailedConversation]
    still_failing: Sequence[FailedConversation]
    quarantined_before: int
    quarantined_after: int

    def as_json(self) -> dict[str, Any]:
        """Return the result as a dictionary for JSON."""
        return {**asdict(self), "outcome": self.outcome.as_json()}


def redrive(platform: Platform, graph: Graph, days: Sequence[str]) -> Redriven:
    """Compute the days with failures or quarantined rows again.

    Args:
        platform: The platform of the assets.
        graph: The graph over that platform, with the job ``on_demand_redrive``.
        days: Days to search, ascending; days without failures and quarantined rows are left alone.
    """
    started = time.monotonic()
    failing = days_with_errors(platform.lake, days)
    before = failed_conversations(platform, failing)
    troubled = [day for day in days if day in failing or count_quarantined(platform.lake, [day])]
    unplaced = count_unplaced(platform.lake)
    if unplaced and days:
        # A run of any day computes the rows without a day, too.
        mended = stale_days(platform, raw_assets.OF_SOURCE, days, marts=False)
        troubled = sorted({*troubled, *mended}) or [days[-1]]
    quarantined, outcome = count_quarantined(platform.lake, troubled) + unplaced, Outcome()
    for first, last in ranges(troubled, gap=1):
        graph.run(REDRIVE, first, last, outcome, tags=REDRIVE_TAGS)
    after = failed_conversations(platform, troubled)
    names = {(entry.date, entry.conversation_id, entry.table_name) for entry in after}
    outcome.quarantined = count_quarantined(platform.lake, troubled) + count_unplaced(platform.lake)
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
