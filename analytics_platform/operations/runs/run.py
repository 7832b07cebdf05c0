"""Runs of the graph over a range of days in this process: which days are stale, their runs, and a summary."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from analytics_platform.defs.assets.raw_assets import quarantined_rows, raw_messages, unplaced_rows
from analytics_platform.defs.consistency.left_out import (
    count_quarantined,
    count_unplaced,
    days_with_errors,
    stored_failures,
)
from analytics_platform.defs.consistency.stale_days import stale_days
from analytics_platform.defs.framework.day_ranges import days_between, ranges
from analytics_platform.defs.framework.table_asset import FORCE_TAG, NO_RETRY_TAG, TableAsset, remove_old_days
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.tables.clean_tables import CONVERSATIONS
from analytics_platform.model.tables.raw_tables import RAW_MESSAGES
from analytics_platform.operations.discovering.unknown_topics import tell_unknown_topics
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.operations.runs.unknown_outcomes import find_unknown_outcomes
from analytics_platform.sources.base import NothingUsableError, require_usable
from analytics_platform.sources.row_rules.row_summary import RowSummary
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform.system.plain_text import counted

if TYPE_CHECKING:
    import dagster as dg

MAXIMUM_PASSES = 3
"""The most passes of a call. A restated day makes later days stale that read it, such as reports; no chain is
longer.
"""


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
    graph: Graph,
    days: Sequence[str],
    *,
    job_name: str,
    assets: Sequence[TableAsset],
    selection: Sequence[dg.AssetKey] | None,
    force: bool,
    on_plan: Callable[[Sequence[str]], None] = lambda _: None,
) -> Outcome:
    """Bring the graph up to date over some days. Only missing or stale partitions are computed, unless forced.

    Which days are stale is decided from what is stored; the graph is opened only for a stale day.

    Args:
        platform: The platform of the assets.
        graph: The graph over that platform.
        days: Requested days, ascending, without gaps.
        job_name: The job to run.
        assets: All table assets.
        selection: Keys of the assets to materialize; all when None.
        force: Compute also current partitions.
        on_plan: Called with the days of each pass before it starts.
    """
    started = time.monotonic()
    outcome = total_loss(platform.source.summary())
    if outcome is not None:
        return outcome
    names = None if selection is None else {key.to_user_string() for key in selection}
    of_quarantine = {quarantined_rows.name, unplaced_rows.name}
    outcome = Outcome(is_quarantine_current=names is None or of_quarantine <= names)
    chosen = [asset for asset in assets if names is None or asset.name in names]
    marts = names is None or not names.issubset(asset.name for asset in assets)
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
            graph.run(job_name, first, last, outcome, selection=selection, tags=tags)
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
        curation = platform.topics.curation
        outcome.warnings.extend(filter(None, [tell_unknown_topics(platform.lake, curation), *curation.problems]))
    except UserError as error:  # the lake went away: finished work is reported anyway
        outcome.failures.append(f"count of rows in quarantine, failed conversations and unknown outcomes: {error}")
    outcome.seconds = time.monotonic() - started
    return outcome
