"""The work of `redrive`, `train` and `repair`, which always open the graph or the event history.

A subcommand imports this module when it runs, because the import takes seconds.
"""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from typing import Any

from analytics_platform.cli.commands import open_graph, warn_of_unanswered
from analytics_platform.cli.console import partition_progress, rows_progress
from analytics_platform.cli.preparing import prepare
from analytics_platform.cli.requested_days import requested_days
from analytics_platform.definitions import build_definitions
from analytics_platform.defs.assets.everyday import recipes_of
from analytics_platform.defs.consistency.repair_job import find_disagreements, run_repair
from analytics_platform.defs.consistency.repairer import Repair
from analytics_platform.defs.resources.instance_folder import open_instance
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.operations.redrive import Redriven, redrive
from analytics_platform.operations.required_inputs import require_inputs
from analytics_platform.operations.training import summary, train
from analytics_platform.settings.loader import Settings


def redrive_days(
    platform: Platform, first: dt.date | None = None, last: dt.date | None = None, *, quiet: bool = False
) -> Redriven:
    """Retry the failures in a range of days; see ``operations.redrive``.

    Args:
        platform: The platform of the assets.
        first: First day; by default the first day with source rows or stored data.
        last: Last day, inclusive; by default the last day with source rows or stored data.
        quiet: Show no progress.

    Raises:
        UserError: If the source has no rows and no days are given.
    """
    require_inputs(platform)
    prepare(platform.settings)
    with rows_progress(quiet=quiet) as on_progress:
        platform.fresh_source(on_progress)
    days = requested_days(platform, first, last)
    with partition_progress(quiet=quiet) as progress, closing(open_graph(platform, progress.advance)) as graph:
        redriven = redrive(platform, graph, days)
    warn_of_unanswered(platform, redriven.outcome)
    return redriven


def train_model(platform: Platform) -> dict[str, Any]:
    """Fit a model on the corrections, evaluate it, and promote it if it is no worse.

    Returns:
        ``promoted``: whether the candidate labels from now on; ``changed``: whether it differs from the model before;
        ``corrections``: number of corrections it learnt from; ``left_out``: a sentence for each use whose
        corrections were sampled; ``failures``: one line each; ``kinds``: by kind of label, number of items and
        accuracy of the model before and of the candidate; ``feedback``: number of corrections by status.

    Raises:
        UserError: If no messages are stored.
    """
    require_inputs(platform)
    if not platform.lake.keys("messages"):
        raise UserError("no messages are stored; run `analytics run` first")
    prepare(platform.settings)
    before = platform.insights.promoted or platform.insights.default_model
    with open_instance(platform.settings.dagster_home) as instance:
        failures = train(build_definitions(platform), instance)
    return {"failures": failures, **summary(platform.lake, before.model_id, reads=platform.insights.reads)}


def repair_stores(settings: Settings, first: dt.date | None, last: dt.date | None, *, dry_run: bool) -> Repair:
    """Compare lake, MongoDB and warehouse, and repair what disagrees; without days, over all stored days."""
    platform = Platform(settings)
    try:
        require_inputs(platform)
        prepare(settings)
        days = requested_days(platform, first, last) if first or last else None
        if dry_run:
            return find_disagreements(platform, recipes_of(settings), days)
        with open_instance(settings.dagster_home) as instance:
            return run_repair(platform, recipes_of(settings), days, instance)
    finally:
        platform.close()
