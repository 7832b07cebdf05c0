"""The work of the subcommands, after their arguments and settings are checked.

A subcommand imports this module only when it runs, because the import takes seconds.
"""

from __future__ import annotations

import datetime as dt
import logging
import socket
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from difflib import get_close_matches
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, cast

import dagster as dg

from analytics_platform.analytics.reports import key_findings
from analytics_platform.cli.console import partition_progress, rows_progress, stage_progress
from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.assets import learning_assets
from analytics_platform.defs.assets.everyday import recipes_of, tables_of
from analytics_platform.defs.automation.housekeeping import sweep, sweep_stagings
from analytics_platform.defs.consistency.repair_job import find_disagreements, run_repair
from analytics_platform.defs.consistency.repairer import Repair
from analytics_platform.defs.framework.day_ranges import days_between
from analytics_platform.defs.resources.dagster_instance import compute_logs_on_s3, open_instance, prepare_instance
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.insights.encoders.device import DeviceChoice
from analytics_platform.insights.quality.evaluate import evaluate, evaluate_taxonomy
from analytics_platform.insights.tiers.tier import Kind
from analytics_platform.model.tables.llm_tables import LLM_INSIGHTS
from analytics_platform.model.tables.operational_tables import DAILY_REPORT_PAGES
from analytics_platform.operations.redrive import Redriven, redrive
from analytics_platform.operations.required_inputs import require_inputs, require_llm, require_places
from analytics_platform.operations.run import Outcome, materialize, total_loss
from analytics_platform.operations.training import summary, train
from analytics_platform.settings.loader import PROJECT_ROOT, Settings, use_dagster_home
from analytics_platform.settings.validators import split_parts
from analytics_platform.storage.lake import LakeError
from analytics_platform.storage.partitions import PartitionStream
from analytics_platform.storage.warehouse.dbt_project import prepare_manifest
from analytics_platform.system.home import open_home
from analytics_platform.system.plain_text import counted

logger = logging.getLogger(__name__)

EMBEDDED_MONGO_ROWS = 100_000
"""Number of messages of a day from which a MongoDB server is recommended. On two cores, the embedded server takes
40 s to write them, and a whole run over a day of 300,000 messages takes 15 minutes.
"""


def prepare(settings: Settings) -> None:
    """Prepare a fresh installation: the home, the dbt manifest and the Dagster instance.

    Raises:
        UserError: If the settings name an unusable home, lake or dbt project.
    """
    require_places(settings.home, settings.lake, settings.dbt_project_dir)
    prepare_manifest(settings.dbt_project_dir)  # before open_home: other users may use the project
    open_home(settings.home, settings.home_access)
    logs = None
    if settings.compute_logs_uri:
        settings.share_aws_keys()
        logs = compute_logs_on_s3(
            settings.compute_logs_uri,
            settings.dagster_home,
            endpoint_url=settings.aws_endpoint_url,
            region=settings.aws_region,
        )
    prepare_instance(settings.dagster_home, PROJECT_ROOT, logs)
    use_dagster_home(settings.dagster_home)


def prepare_dev(settings: Settings) -> None:
    """Check the inputs of every run, and prepare the installation for the web server and the daemon.

    A source path that matches no file is accepted, because files may come while the daemon runs.

    Raises:
        UserError: Naming the file and the place in it, or the variable.
    """
    with closing(Platform(settings, stages=False)) as platform:
        require_inputs(platform, source_files=False)
    prepare(settings)


def require_free(host: str, port: int) -> None:
    """Refuse an address on which no server can listen now.

    Args:
        host: Name or IP address of this machine.
        port: TCP port.

    Raises:
        UserError: Naming host, port and reason.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except (OSError, UnicodeError) as error:  # a name with an empty label is a UnicodeError
        raise UserError(f"--host {host} --port {port}: nothing can listen there ({error}); choose another") from error


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
    if select is not None:
        _selection(build_definitions(platform), select)  # refuse a wrong one before reading the source
    _sweep(platform)
    with rows_progress(quiet=quiet) as on_progress:
        platform.fresh_source(on_progress)
    if lost := total_loss(platform.source.summary()):
        return lost, []
    days = _days(platform, first, last)
    sweep_stagings(platform)  # after _days, which refuses days of another source
    with partition_progress(quiet=quiet) as progress:
        definitions = build_definitions(platform, progress.advance)
        selection = _selection(definitions, select)
        tables = tables_of(settings)
        chosen = [asset for asset in tables if selection is None or asset.key in selection]

        def expect(todo: Sequence[str]) -> None:
            _advise_real_mongodb(platform, todo)
            progress.expect(sum(len({*map(asset.recipe.cadence.partition_of, todo)}) for asset in chosen))

        with open_instance(settings.dagster_home) as instance:
            outcome = materialize(
                platform,
                definitions,
                days,
                job_name=EVERYTHING,
                assets=tables,
                selection=selection,
                force=force,
                instance=instance,
                on_plan=expect,
            )
    _warn_of_unanswered(platform, outcome)
    return outcome, days


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
    days = _days(platform, first, last)
    with partition_progress(quiet=quiet) as progress, open_instance(platform.settings.dagster_home) as instance:
        definitions = build_definitions(platform, progress.advance)
        redriven = redrive(platform, definitions, days, instance=instance)
    _warn_of_unanswered(platform, redriven.outcome)
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


def worth_reading(platform: Platform, days: Sequence[str]) -> tuple[list[str], Path]:
    """Return the key findings of some materialized days, and the report page of the busiest of these days."""
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


def score(
    train: Path, test: Path, tier: str, device: DeviceChoice, *, whole: bool = False, quiet: bool = False
) -> dict[str, object]:
    """Fit the classifier on one file and score another; see ``insights.quality.evaluate``.

    Raises:
        UserError: If a file cannot be used, or the tier or the device is not available.
    """
    with stage_progress(quiet=quiet) as on_stage:
        return evaluate(train, test, tier, device=device, whole=whole, on_stage=on_stage)


def score_taxonomy(
    settings: Settings,
    taxonomy: str | None,
    test: Path,
    tier: str,
    kind: str,
    device: DeviceChoice,
    *,
    quiet: bool = False,
) -> dict[str, object]:
    """Label the texts of a file by a taxonomy; see ``insights.quality.evaluate.evaluate_taxonomy``.

    Raises:
        UserError: If the file or the taxonomy cannot be used, the kind is unknown, or the tier is not available.
    """
    try:
        parts = settings.taxonomy_parts if taxonomy is None else split_parts(taxonomy)
    except ValueError as error:
        raise UserError(f"--taxonomy {error}") from None
    if not parts:
        raise UserError("--taxonomy names no pack and no file; give some, such as general,my.yaml")
    if kind not in ("topic", "intent", "sentiment"):
        raise UserError(f"--kind {kind} is unknown; use topic, intent or sentiment")
    with stage_progress(quiet=quiet) as on_stage:
        return evaluate_taxonomy(parts, test, tier, cast(Kind, kind), device=device, on_stage=on_stage)


def repair_stores(settings: Settings, first: dt.date | None, last: dt.date | None, *, dry_run: bool) -> Repair:
    """Compare lake, MongoDB and warehouse, and repair what disagrees; without days, over all stored days."""
    platform = Platform(settings)
    try:
        require_inputs(platform)
        prepare(settings)
        days = _days(platform, first, last) if first or last else None
        if dry_run:
            return find_disagreements(platform, recipes_of(settings), days)
        with open_instance(settings.dagster_home) as instance:
            return run_repair(platform, recipes_of(settings), days, instance)
    finally:
        platform.close()


def price_llm(settings: Settings, first: dt.date | None, last: dt.date | None) -> dict[str, Any]:
    """Return the estimated requests, tokens and cost of labelling a range of days by the LLM; the LLM is not called.

    Raises:
        UserError: If no messages are stored for these days.
    """
    platform = Platform(settings)
    try:
        require_llm(platform)
        open_home(settings.home, settings.home_access)
        messages = PartitionStream(platform.lake, "messages", _days(platform, first, last))
        plans = [platform.llm.plan(table) for table in messages.values()]
    finally:
        platform.close()
    if not plans:
        raise UserError("no messages are stored for these days; run `analytics run --select '*messages'` first")
    return asdict(reduce(add, plans))


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


def _warn_of_unanswered(platform: Platform, outcome: Outcome) -> None:
    """Add a warning for conversations that the LLM left without labels, which do not fail the run."""
    days = outcome.parts.get(LLM_INSIGHTS.name, {}) if platform.llm.is_on else {}
    try:
        outcome.warnings += platform.llm.unanswered(sorted(filter(None, days)))
    except UserError as error:  # the database went away: finished work is reported anyway
        outcome.failures.append(f"count of conversations without an answer: {error}")


def _days(platform: Platform, first: dt.date | None, last: dt.date | None) -> list[str]:
    """Return every day from ``first`` to ``last``.

    By default the range spans all days with source rows or stored data, because a day that the source no longer has
    must become empty.
    """
    within = days_between(platform.settings.first_day, platform.settings.last_day)
    stored = platform.lake.keys("raw_messages")
    if outside := sorted(set(stored).difference(within)):
        raise UserError(
            f"{platform.lake.root} holds {counted(len(outside), 'day')} outside {within[0]} to {within[-1]} (the end: "
            f"{platform.settings.last_day_reason}), first {outside[0]}: {_cause_of_days_outside(platform, outside)}"
        )
    with_data = sorted({*platform.source.days(), *stored}.intersection(within))
    if not with_data and not (first and last):
        source = f"{platform.settings.source_path}: " if platform.settings.source == "files" else ""
        raise UserError(f"{source}the source has no rows; name the days with --from and --to to materialize empty ones")
    start, end = first or dt.date.fromisoformat(with_data[0]), last or dt.date.fromisoformat(with_data[-1])
    if start > end:  # one of the two comes from the source: two given days were compared before
        named = f"--from {start} is after the last" if first else f"--to {end} is before the first"
        raise UserError(f"{named} day with rows, {end if first else start}")
    return days_between(start, end)


def _cause_of_days_outside(platform: Platform, outside: list[str]) -> str:
    settings = platform.settings
    if settings.end_date_fixed is None and outside[0] > str(settings.last_day):
        return "the clock went back, or the home is of another source. Set the clock, or name another ANALYTICS_HOME"
    names = "ANALYTICS_START_DATE or ANALYTICS_END_DATE" if settings.end_date else "ANALYTICS_START_DATE"
    return (
        f"of another source, or from before {names} changed. Name another home with ANALYTICS_HOME, or dates that "
        "include these days"
    )


def _selection(definitions: dg.Definitions, select: str | None) -> list[dg.AssetKey] | None:
    if select is None:
        return None
    graph = definitions.resolve_asset_graph()
    try:
        keys = dg.AssetSelection.from_string(select).resolve(graph)
    except dg.DagsterError as error:
        names = {key.to_user_string() for key in graph.get_all_asset_keys()}
        near = get_close_matches(select.rpartition(":")[2].strip("*+'\""), sorted(names), n=1)
        meant = f"did you mean {near[0]}?" if near else "write it like 'group:clean or +key:daily_metrics'"
        raise UserError(f"--select {select!r}: names no asset of the graph, or is no selection; {meant}") from error
    keys &= graph.materializable_asset_keys & learning_assets.EVERYDAY.resolve(graph)
    if not keys:
        raise UserError(
            f"--select {select!r}: selects no asset that `run` computes (`analytics train` runs the group learning)"
        )
    return sorted(keys)
