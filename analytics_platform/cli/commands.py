"""The work of `run` and `demo`, after their arguments and settings are checked.

This module imports neither Dagster nor dbt: a run without a stale day needs none of them, and they take seconds to
import. `graph_commands` has the commands that always need them.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from analytics_platform.cli.console import partition_progress, rows_progress
from analytics_platform.cli.preparing import prepare
from analytics_platform.cli.requested_days import requested_days
from analytics_platform.defs.assets.everyday import EVERYTHING, tables_of
from analytics_platform.defs.automation.leftovers import sweep, sweep_stagings
from analytics_platform.defs.resources.instance_folder import open_instance
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.model.tables.llm_tables import LLM_INSIGHTS
from analytics_platform.model.tables.operational_tables import DAILY_REPORT_PAGES
from analytics_platform.model.tables.topic_tables import TOPIC_NAMES
from analytics_platform.model.tables.translation_tables import MESSAGE_TRANSLATIONS
from analytics_platform.operations.required_inputs import require_inputs
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.operations.runs.run import materialize, total_loss
from analytics_platform.storage.lake import LakeError
from analytics_platform.storage.partitions import PartitionInfo, PartitionStream

if TYPE_CHECKING:
    import dagster as dg

logger = logging.getLogger(__name__)

EMBEDDED_MONGO_ROWS = 100_000
"""Number of messages of a day from which a MongoDB server is recommended. On two cores, the embedded server takes
40 s to write them, and a whole run over a day of 300,000 messages takes 15 minutes.
"""


def open_graph(platform: Platform, on_partition: Callable[[str, PartitionInfo], None] | None = None) -> Graph:
    """Return the graph over a platform; whoever asks for it closes it.

    Args:
        platform: The platform of the assets.
        on_partition: Called with (table name, partition info) after each partition is stored.
    """

    def define() -> dg.Definitions:
        from analytics_platform.definitions import build_definitions  # noqa: PLC0415  (imports Dagster and dbt)

        return build_definitions(platform, on_partition)

    def open_history() -> dg.DagsterInstance:
        from analytics_platform.storage.event_history import old_runs  # noqa: PLC0415  (imports Dagster)

        home = platform.settings.dagster_home
        instance = open_instance(home)
        old_runs.remove_old_runs_daily(instance, platform.settings.history_days, home / "old_runs.tried")
        return instance

    return Graph(define, open_history)


def run_graph(
    platform: Platform,
    first: dt.date | None = None,
    last: dt.date | None = None,
    select: str | None = None,
    *,
    force: bool = False,
    quiet: bool = False,
) -> tuple[Outcome, list[str]]:
    """Materialize the graph over a range of days; return the outcome and the days.

    Args:
        platform: The platform of the assets.
        first: First day; by default the first day with source rows or stored data.
        last: Last day, inclusive; by default the last day with source rows or stored data.
        select: Assets, in Dagster's selection syntax; all when None.
        force: Compute also current partitions.
        quiet: Show no progress.

    Raises:
        UserError: If the selection is invalid, or the source has no rows and no days are given.
    """
    settings = platform.settings
    require_inputs(platform)
    prepare(settings)
    selection = None
    if select is not None:  # before reading the source, so that a wrong one is refused at once
        from analytics_platform.cli.selection import selected_assets  # noqa: PLC0415  (imports Dagster)

        selection = selected_assets(open_graph(platform).definitions, select)
    _sweep(platform)
    with rows_progress(quiet=quiet) as on_progress:
        platform.fresh_source(on_progress)
    if lost := total_loss(platform.source.summary()):
        return lost, []
    days = requested_days(platform, first, last)
    sweep_stagings(platform)  # after requested_days, which refuses days of another source
    with partition_progress(quiet=quiet) as progress, closing(open_graph(platform, progress.advance)) as graph:
        tables = tables_of(settings)
        names = None if selection is None else {key.to_user_string() for key in selection}
        chosen = [asset for asset in tables if names is None or asset.name in names]

        def expect(todo: Sequence[str]) -> None:
            _advise_real_mongodb(platform, todo)
            progress.expect(sum(len({*map(asset.recipe.cadence.partition_of, todo)}) for asset in chosen))

        outcome = materialize(
            platform,
            graph,
            days,
            job_name=EVERYTHING,
            assets=tables,
            selection=selection,
            force=force,
            on_plan=expect,
        )
    warn_of_unanswered(platform, outcome)
    return outcome, days


def worth_reading(platform: Platform, days: Sequence[str]) -> tuple[list[str], Path]:
    """Return the key findings of some materialized days, and the report page of the busiest of these days."""
    from analytics_platform.analytics.reports import key_findings  # noqa: PLC0415  (only the demo prints them)

    metrics, models = (PartitionStream(platform.lake, name, days) for name in ("daily_metrics", "model_daily"))
    findings = key_findings(metrics.values(), platform.lake.read("user_analytics", ""), models.values())
    busiest = max(metrics, key=lambda day: metrics[day]["conversation_count"][0].as_py())
    return findings, platform.pages.path(DAILY_REPORT_PAGES.name, busiest)


def busiest_page(platform: Platform, days: Sequence[str]) -> Path | None:
    """Return the report page of the day with most rows of the source; None if none of the days has a page."""
    rows = platform.source.rows_by_day()
    days_with_page = set(platform.pages.keys(DAILY_REPORT_PAGES.name)).intersection(days)
    busiest = max(sorted(days_with_page), key=lambda day: rows.get(day, 0), default=None)
    return None if busiest is None else platform.pages.path(DAILY_REPORT_PAGES.name, busiest)


def _sweep(platform: Platform) -> None:
    """Remove leftovers of killed runs; a failure is logged and does not stop the run."""
    try:
        sweep(platform, tables_of(platform.settings))
    except LakeError as error:
        logger.warning("remains of killed runs were not removed: %s", error)


def _advise_real_mongodb(platform: Platform, days: Sequence[str]) -> None:
    """Warn, before any work, if the largest of the days is too large for the embedded MongoDB."""
    if platform.settings.mongo_uri is not None or not days:  # a server, or no MongoDB
        return
    rows = platform.source.rows_by_day()
    day = max(days, key=lambda one: rows.get(one, 0))
    if rows.get(day, 0) >= EMBEDDED_MONGO_ROWS:
        logger.warning(
            "%s has %s messages: from %s a day on, the embedded MongoDB takes minutes for a day; name a MongoDB "
            "server with ANALYTICS_MONGO_URI",
            day,
            f"{rows[day]:,}",
            f"{EMBEDDED_MONGO_ROWS:,}",
        )


def warn_of_unanswered(platform: Platform, outcome: Outcome) -> None:
    """Add a warning for what the LLM left without labels, translations or names, which does not fail the run."""
    lists = {LLM_INSIGHTS.name: platform.llm.failures, MESSAGE_TRANSLATIONS.name: platform.translations.failures}
    summaries: dict[str, Callable[[], list[str]]] = {
        table: partial(failures.summary, sorted(filter(None, outcome.parts.get(table, {}))))
        for table, failures in lists.items()
        if failures.is_on
    }
    if TOPIC_NAMES.name in outcome.parts:
        summaries[TOPIC_NAMES.name] = platform.topic_naming.summary
    for table, summary in summaries.items():
        try:
            outcome.warnings += summary()
        except UserError as error:  # the database went away: finished work is reported anyway
            outcome.failures.append(f"count of questions of {table} without an answer: {error}")
