"""The ``analytics`` command.

Belongs here: commands, their arguments, and how results are printed. Does not belong here: anything that
another program would want to call (``defs.runs``, ``insights.evaluate``, ``doctor``).
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import dagster as dg
import orjson
import typer
from rich.console import Console

from analytics_platform import doctor as diagnosis
from analytics_platform.analytics.reports import key_findings
from analytics_platform.console import PartitionProgress, outcome_table, repair_lines
from analytics_platform.definitions import EVERYTHING, RECIPES, TABLES, build_definitions
from analytics_platform.defs.instance import open_instance, prepare_instance
from analytics_platform.defs.repair_job import look, run_repair
from analytics_platform.defs.reports import page_path
from analytics_platform.defs.resources import Platform
from analytics_platform.defs.runs import Outcome, days_between, materialize
from analytics_platform.insights.evaluate import EvaluationError, evaluate
from analytics_platform.settings import PROJECT_ROOT, Settings, SettingsError, load_settings, use_dagster_home
from analytics_platform.sources.base import SourceError
from analytics_platform.storage.dbt_project import DbtError, ManifestError, prepare_manifest
from analytics_platform.storage.lake import LakeError
from analytics_platform.storage.mongo import EmbeddedMongoError, MongoStoreError
from analytics_platform.storage.partitions import PartitionStream

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
screen = Console(stderr=True, highlight=False)
"""For people; standard output is for results."""


class UsageError(ValueError):
    """The arguments make no sense together; the message says why."""


EXPECTED_ERRORS = (
    SettingsError,
    SourceError,
    LakeError,
    MongoStoreError,
    EmbeddedMongoError,
    EvaluationError,
    DbtError,
    ManifestError,
    UsageError,
    OSError,
)
"""What a person can act on: printed as its message alone."""

From = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day; the source's first.")]
To = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day, inclusive; the source's last.")]
Select = Annotated[str | None, typer.Option(help="Assets, e.g. 'group:clean' or '*daily_metrics'; all of them.")]
Force = Annotated[bool, typer.Option(help="Compute also what is current.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.callback()
def analytics() -> None:
    """Conversation analytics: from raw chats to daily, user, agent and model analytics."""


@app.command()
def run(
    first: From = None, last: To = None, select: Select = None, force: Force = False, as_json: AsJson = False
) -> None:
    """Materialize the graph over a range of days in one process; only what is missing or stale."""
    settings = load_settings()
    platform = Platform(settings)
    try:
        outcome, _ = _materialize(platform, first, last, select, force=force, quiet=as_json)
    finally:
        platform.close()
    if as_json:
        print(orjson.dumps(outcome.as_json(), option=orjson.OPT_INDENT_2).decode())  # noqa: T201
    else:
        _print_outcome(outcome)
    if outcome.failures:
        raise typer.Exit(1)


@app.command()
def demo() -> None:
    """Materialize the sample through the whole graph, and say what is worth reading in it."""
    settings = load_settings()
    if settings.source != "sample":
        raise UsageError(f"the demo shows the sample, and ANALYTICS_SOURCE is {settings.source}: use `analytics run`")
    platform = Platform(settings)
    try:
        outcome, days = _materialize(platform, None, None, None, force=False, quiet=False)
        _print_outcome(outcome)
        if outcome.failures:
            raise typer.Exit(1)
        metrics, models = (PartitionStream(platform.lake, name, days) for name in ("daily_metrics", "model_daily"))
        findings = key_findings(metrics.values(), platform.lake.read("user_analytics", ""), models.values())
        busiest = max(metrics, key=lambda day: metrics[day]["conversation_count"][0].as_py())
    finally:
        platform.close()
    screen.print("\n[bold]Worth reading[/]")
    for finding in findings:
        screen.print(f"  • {finding}", markup=False)
    screen.print("\n[bold]Where to go next[/]")
    screen.print("  the Dagster UI    make dev, then open http://127.0.0.1:3000")
    screen.print(f"  a daily report    {_relative(page_path(settings.reports_dir, busiest))}")
    screen.print(f"  the warehouse     {_relative(settings.warehouse_path)} (DuckDB, open it read-only)")


@app.command()
def repair(
    first: From = None,
    last: To = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what disagrees.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare lake, MongoDB and warehouse, and compute again exactly the partitions that are wrong."""
    settings = load_settings()
    platform = Platform(settings)
    try:
        _prepare(settings)
        days = _days(platform, first, last) if first or last else None
        if dry_run:
            outcome = look(platform, RECIPES, days)
        else:
            with open_instance(settings.dagster_home) as instance:
                outcome = run_repair(platform, RECIPES, days, instance)
    finally:
        platform.close()
    if as_json:
        print(orjson.dumps(outcome, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
    else:
        for style, line in repair_lines(outcome):
            screen.print(line, style=style, markup=False, soft_wrap=True)
    if outcome.left:
        raise typer.Exit(1)


@app.command("evaluate")
def evaluate_command(
    train: Annotated[Path, typer.Option(help="Parquet file with columns text and label to fit on.")],
    test: Annotated[Path, typer.Option(help="Parquet file with columns text and label to score.")],
    tier: Annotated[str, typer.Option(help="static, cascade or transformer.")] = "static",
    as_json: AsJson = False,
) -> None:
    """Fit the label heads on one file and score another."""
    result = evaluate(train, test, tier)
    if as_json:
        print(orjson.dumps(result).decode())  # noqa: T201
        return
    for name, value in result.items():
        screen.print(f"{name:22} {value:.4f}" if isinstance(value, float) else f"{name:22} {value}")


@app.command()
def doctor() -> None:
    """Say what is configured and reachable, one line each; secrets are masked."""
    healthy = True
    for line in diagnosis.examine(load_settings()):
        healthy = healthy and line.ok
        screen.print(f"[{'green' if line.ok else 'red'}]{'ok ' if line.ok else 'no '}[/] {line.what:12}", end=" ")
        screen.print(line.says, markup=False, soft_wrap=True)
    if not healthy:
        raise typer.Exit(1)


@app.command()
def prepare() -> None:
    """Make ready what a fresh installation needs: the dbt manifest and the Dagster instance."""
    _prepare(load_settings())


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open the Dagster UI and run the daemon until interrupted."""
    _prepare(load_settings())
    command = ["-m", "dagster", "dev", "-w", str(PROJECT_ROOT / "workspace.yaml"), "-h", host, "-p", str(port)]
    screen.print(f"Dagster UI: http://{host}:{port} (Ctrl-C stops it)")
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606  (takes this process's place, and its signals)


def _prepare(settings: Settings) -> None:
    prepare_manifest(settings.dbt_project_dir)
    prepare_instance(settings.dagster_home, PROJECT_ROOT)
    use_dagster_home(settings.dagster_home)


def _materialize(
    platform: Platform, first: str | None, last: str | None, select: str | None, *, force: bool, quiet: bool
) -> tuple[Outcome, list[str]]:
    """Run the graph over the days asked for; return what came of it, and the days."""
    settings = platform.settings
    _prepare(settings)
    days = _days(platform, first, last)
    progress = PartitionProgress(quiet=quiet)
    definitions = build_definitions(platform, progress.advance)
    selection = _selection(definitions, select)
    chosen = [asset for asset in TABLES if selection is None or asset.key in selection]

    def expect(todo: Sequence[str]) -> None:
        progress.expect(sum(len(todo) if asset.recipe.daily else 1 for asset in chosen))

    with progress.running(), open_instance(settings.dagster_home) as instance:
        outcome = materialize(
            platform,
            definitions,
            days,
            job_name=EVERYTHING,
            assets=TABLES,
            selection=selection,
            force=force,
            instance=instance,
            on_plan=expect,
        )
    return outcome, days


def _days(platform: Platform, first: str | None, last: str | None) -> list[str]:
    """Return every day from ``first`` to ``last``, within the partitions.

    By default from the first to the last day that the source has rows of or that is stored: a day that the source
    no longer has must become empty.
    """
    within = days_between(platform.settings.first_day, platform.settings.last_day)
    known = sorted({*platform.source.days(), *platform.lake.keys("raw_messages")}.intersection(within))
    if not known and not (first and last):
        raise UsageError("the source has no rows; name the days with --from and --to to materialize empty ones")
    start, end = (_day("--from", first or known[0]), _day("--to", last or known[-1]))
    lowest, highest = platform.settings.first_day, platform.settings.last_day
    if not lowest <= start <= end <= highest:
        raise UsageError(
            f"--from {start} --to {end}: must be in order and within {lowest} to {highest} "
            "(ANALYTICS_START_DATE, ANALYTICS_END_DATE)"
        )
    return days_between(start, end)


def _day(option: str, text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: not a day; write it as YYYY-MM-DD") from None


def _selection(definitions: dg.Definitions, select: str | None) -> list[dg.AssetKey] | None:
    if select is None:
        return None
    graph = definitions.resolve_asset_graph()
    try:
        keys = dg.AssetSelection.from_string(select).resolve(graph)
    except dg.DagsterError as error:
        raise UsageError(f"--select {select!r}: {error}") from error
    if not keys:
        raise UsageError(f"--select {select!r}: selects no asset")
    return sorted(keys)


def _print_outcome(outcome: Outcome) -> None:
    if not outcome.runs:
        screen.print("Everything is up to date; nothing was written.")
        return
    screen.print(outcome_table(outcome))
    screen.print(f"\n{outcome.checks_passed} checks passed, {len(outcome.failures)} failures, {outcome.seconds:.1f} s")
    for failure in outcome.failures:
        screen.print(f"failed: {failure}", style="red", markup=False, soft_wrap=True)


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def main() -> None:
    """Run the command; what a person can act on is printed without a trace and exits with 2."""
    try:
        app()
    except EXPECTED_ERRORS as error:
        screen.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(2)
