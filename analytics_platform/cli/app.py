"""The `analytics` command: its subcommands and their arguments.

A subcommand imports its dependencies when it runs, so that `--help` and usage errors are quick.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analytics_platform.cli import backups, label_commands, lookups
from analytics_platform.cli.arguments import AsJson, Force, From, Select, To, read_range
from analytics_platform.errors import UserError
from analytics_platform.settings.loader import PROJECT_ROOT, InspectSettings, Settings, load_settings
from analytics_platform.system import interruption
from analytics_platform.system.disk_full import find_disk_full
from analytics_platform.system.home import find_removed, open_home
from analytics_platform.system.output import (
    print_figures,
    print_json,
    print_message,
    print_result,
    print_warnings_of_logs,
)
from analytics_platform.system.permissions import explain_refusal

if TYPE_CHECKING:
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.sources.mapping import FieldMapping

_ANSWER_SECONDS, _SHORT_ANSWER_SECONDS = 30.0, 10.0
"""Seconds that ``analytics inspect``, and the begin of a run, wait for one answer of NocoDB, with all tries."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for _part in (lookups, label_commands, backups):
    app.add_typer(_part.app)


@app.callback()
def analytics() -> None:
    """Conversation analytics: from raw chats to daily, user, agent and model analytics."""


@app.command()
def run(
    first: From = None, last: To = None, select: Select = None, force: Force = False, as_json: AsJson = False
) -> None:
    """Compute the missing and stale partitions of a range of days in one process."""
    settings, start, end = read_range(first, last)
    from analytics_platform.cli.commands import busiest_page, run_graph
    from analytics_platform.cli.console import print_outcome
    from analytics_platform.defs.resources.platform import Platform

    with closing(Platform(settings)) as platform:
        if not as_json:
            _print_new_source(settings, platform)
        outcome, days = run_graph(platform, start, end, select, force=force, quiet=as_json)
        page = None if as_json else busiest_page(platform, days)
    if as_json:
        print_json(outcome.as_json())
    else:
        print_outcome(outcome)
        if not outcome.failures:
            _print_next_places(settings, page)
    if outcome.failures:
        raise typer.Exit(1)


@app.command()
def redrive(first: From = None, last: To = None, as_json: AsJson = False) -> None:
    """Try failed conversations and quarantined rows of a range of days again, and list the results."""
    settings, start, end = read_range(first, last)
    from analytics_platform.cli.console import print_troubles, redriven_lines
    from analytics_platform.cli.graph_commands import redrive_days
    from analytics_platform.defs.resources.platform import Platform

    with closing(Platform(settings)) as platform:
        redriven = redrive_days(platform, start, end, quiet=as_json)
    if as_json:
        print_json(redriven.as_json())
    else:
        for line in redriven_lines(redriven):
            print_result(line)
        print_troubles(redriven.outcome.warnings, redriven.outcome.failures)
    if redriven.outcome.failures:
        raise typer.Exit(1)


@app.command()
def demo() -> None:
    """Compute the sample through the whole graph, and print its key findings."""
    settings = load_settings()
    if settings.source != "sample":
        raise UserError(f"the demo shows the sample, and ANALYTICS_SOURCE is {settings.source}: use `analytics run`")
    from analytics_platform.cli.commands import run_graph, worth_reading
    from analytics_platform.cli.console import print_outcome
    from analytics_platform.defs.resources.platform import Platform

    with closing(Platform(settings)) as platform:
        outcome, days = run_graph(platform)
        print_outcome(outcome)
        if outcome.failures:
            raise typer.Exit(1)
        findings, page = worth_reading(platform, days)
    print_result("")
    print_result("Worth reading", "bold")
    for finding in findings:
        print_result(f"  • {finding}")
    _print_next_places(settings, page)


@app.command()
def repair(
    first: From = None,
    last: To = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the partitions that are wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare lake, MongoDB and warehouse, and compute again exactly the partitions that are wrong."""
    settings, start, end = read_range(first, last)
    from analytics_platform.cli.console import repair_lines
    from analytics_platform.cli.graph_commands import repair_stores

    outcome = repair_stores(settings, start, end, dry_run=dry_run)
    if as_json:
        import dataclasses

        print_json(dataclasses.asdict(outcome))
    else:
        for style, line in repair_lines(outcome):
            print_result(line, style)
    if outcome.left:
        raise typer.Exit(1)


@app.command("llm-cost")
def llm_cost(first: From = None, last: To = None, as_json: AsJson = False) -> None:
    """Estimate the cost of labels, translations and names of topics by the LLM, without a request to it."""
    settings, start, end = read_range(first, last)
    from analytics_platform.cli.graphless import price_llm

    total = price_llm(settings, start, end)
    if as_json:
        print_json(total)
    else:
        print_figures(total)


@app.command()
def doctor() -> None:
    """Say what is configured and reachable, one line each; secrets are masked. Exits 1 when a part does not work.

    If `analytics run` would refuse to begin, this command ends with the error and exit status 2 of `run`.
    """
    settings = load_settings()
    from analytics_platform.cli.doctor import examine

    lines = []
    for line in examine(settings):
        print_result(f"{'ok ' if line.ok else 'no '} {line.what:12} {line.says}", None if line.ok else "red")
        lines.append(line)
    if refusal := next((line.refusal for line in lines if line.refusal), None):
        raise refusal
    if not all(line.ok for line in lines):
        raise typer.Exit(1)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say how far the source has been read, and which days wait."""
    settings = load_settings()
    from analytics_platform.cli.console import status_lines
    from analytics_platform.cli.preparing import prepare as prepare_home
    from analytics_platform.defs.resources.instance_folder import open_instance
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.status import examine

    prepare_home(settings)
    with closing(Platform(settings, stages=False)) as platform:
        examined = examine(platform, lambda: open_instance(settings.dagster_home))
    if as_json:
        print_json(examined.as_json())
        return
    for what, says in status_lines(examined):
        print_result(f"{what:12} {says}")


@app.command()
def reconcile(
    accept_loss: Annotated[
        bool, typer.Option(help="Accept deletions even when more than half of a table is gone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare all rows with the source, deletions included; `analytics run` then restates the changed days."""
    settings = load_settings()
    from analytics_platform.cli.console import reconciled_line, rows_progress
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.required_inputs import require_source

    with closing(Platform(settings)) as platform, rows_progress(quiet=as_json) as on_progress:
        require_source(platform)
        open_home(settings.home, settings.home_access)
        different = platform.source.reconcile(accept_loss=accept_loss, on_progress=on_progress)
        rows_by_day, unplaced = platform.source.rows_by_day(), platform.source.unplaced().rows_read
    if as_json:
        print_json({**different, "rows": sum(rows_by_day.values()) + unplaced, "days": len(rows_by_day)})
    else:
        print_result(reconciled_line(different, rows_by_day, unplaced))


@app.command("inspect")
def inspect_command(
    path: Annotated[
        str | None,
        typer.Argument(
            help="Files, folders, zips or globs, separated by commas; or the word nocodb for the server of NOCODB_URL. "
            "Without it, the source of the settings."
        ),
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="Field mapping; ANALYTICS_SOURCE_MAPPING.")] = None,
    source_format: Annotated[str | None, typer.Option("--format", help="Shape; ANALYTICS_SOURCE_FORMAT.")] = None,
    write: Annotated[Path | None, typer.Option(help="Write a commented mapping of the first file here.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Look at all rows, however many there are.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what files or NocoDB tables are, what each column is taken for, and which rows could be used.

    Nothing is stored.
    """
    settings = load_settings(InspectSettings)
    from analytics_platform.cli.inspect_lines import inspect_lines
    from analytics_platform.operations.inspecting.inspection import inspect_files
    from analytics_platform.operations.inspecting.mapping_file import write_mapping
    from analytics_platform.sources.mapping import load_mapping

    given = load_mapping(mapping or settings.source_mapping)
    if path == "nocodb" or (path is None and settings.source == "nocodb"):
        _inspect_nocodb(settings, given, write, whole=whole, as_json=as_json)
        return
    files = path or (settings.source_path if settings.source == "files" else None)
    if files is None:
        raise UserError("PATH: name files or folders, or nocodb for the server that NOCODB_URL names")
    views = inspect_files(
        files, given, shape=source_format or settings.source_format, encoding=settings.source_encoding, whole=whole
    )
    if write:
        write_mapping(write, views[0], given)
    if as_json:
        print_json({"files": [view.as_json() for view in views]})
    else:
        for style, line in inspect_lines(views):
            print_result(line, style)
        if write:
            print_result(f"Mapping written to {write}; use it with ANALYTICS_SOURCE_MAPPING={write}")
    if any(view.fault or not view.kept for view in views if not view.skipped):
        raise typer.Exit(1)


def _inspect_nocodb(settings: Settings, given: FieldMapping, write: Path | None, *, whole: bool, as_json: bool) -> None:
    """Say what the NocoDB server of the settings holds; see ``inspect_command``."""
    needed = {"NOCODB_URL": settings.nocodb_url, "NOCODB_TOKEN": settings.nocodb_token}
    if missing := [name for name, value in needed.items() if not value]:
        raise UserError(f"{', '.join(missing)}: needed by `analytics inspect nocodb`")
    from analytics_platform.cli.console import stage_progress
    from analytics_platform.cli.inspect_lines import server_lines
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.inspecting.mapping_file import write_mapping
    from analytics_platform.operations.inspecting.nocodb_inspection import inspect_server

    with (
        closing(Platform(settings, stages=False)) as platform,
        platform.nocodb_client(deadline_seconds=_ANSWER_SECONDS) as client,
        stage_progress(quiet=as_json) as on_stage,
    ):
        view = inspect_server(
            client,
            given,
            messages=settings.nocodb_messages_table,
            conversations=settings.nocodb_conversations_table,
            whole=whole,
            on_progress=lambda number, of: on_stage(f"table {number} of {of}"),
        )
    written = write if view.messages else None
    if written and view.messages:
        write_mapping(written, view.messages, view.mapping)
    if as_json:
        print_json(view.as_json())
    else:
        for style, line in server_lines(view, written):
            print_result(line, style)
    if view.messages is None or view.messages.fault or not view.messages.kept:
        raise typer.Exit(1)


@app.command()
def prepare() -> None:
    """Prepare a fresh installation: the dbt manifest and the Dagster instance."""
    settings = load_settings()
    from analytics_platform.cli.preparing import prepare as prepare_home

    prepare_home(settings)


@app.command()
def dev(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open the Dagster UI and run the daemon until interrupted."""
    settings = load_settings()
    from analytics_platform.cli.preparing import prepare_dev, require_free

    require_free(host, port)
    prepare_dev(settings)
    command = ["-m", "dagster", "dev", "-w", str(PROJECT_ROOT / "workspace.yaml"), "-h", host, "-p", str(port)]
    print_message(f"Dagster UI: http://{host}:{port} (Ctrl-C stops it)")
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606  (takes this process's place, and its signals)


def _print_next_places(settings: Settings, page: Path | None) -> None:
    """Say where the results are: the UI, and the report and the warehouse that exist."""
    print_result("")
    print_result("Where to go next", "bold")
    print_result("  the Dagster UI    make dev, then open http://127.0.0.1:3000")
    if page is not None:
        print_result(f"  a daily report    {_relative(page)}")
    if settings.warehouse_path.exists():
        print_result(f"  the warehouse     {_relative(settings.warehouse_path)} (DuckDB, open it read-only)")


def _print_new_source(settings: Settings, platform: Platform) -> None:
    """Say what the files or tables are, if this home has not read them yet."""
    if settings.source == "sample":
        return
    from analytics_platform.cli.source_lines import short_lines
    from analytics_platform.operations.inspecting.inspection import inspect_files
    from analytics_platform.operations.inspecting.nocodb_inspection import inspect_tables
    from analytics_platform.sources.mapping import load_mapping

    try:
        if platform.source.status().rows is not None:
            if settings.source == "files":
                _print_left_out(settings.source_path or "")
            return
        given = load_mapping(settings.source_mapping)
        if settings.source == "files":
            views = inspect_files(
                settings.source_path or "", given, shape=settings.source_format, encoding=settings.source_encoding
            )
        else:
            with platform.nocodb_client(deadline_seconds=_SHORT_ANSWER_SECONDS) as client:
                messages, conversations = settings.nocodb_messages_table or "", settings.nocodb_conversations_table
                seen = inspect_tables(client, messages, conversations, given)
            views = [
                view for view in seen if view and view.columns
            ]  # of a server that does not answer, the run says it
    except (UserError, ValueError):  # the run says it, after it has checked the other settings
        return
    for line in short_lines(views):
        print_message(line)
    if settings.source == "nocodb" and any(view.fault for view in views):
        print_message("`analytics inspect nocodb --write mapping.yaml` guesses the columns and writes a mapping")


def _print_left_out(paths: str) -> None:
    """Say how many files of the source's folders and zips are not read, if any."""
    from analytics_platform.sources.file_reading.locating import locate_files
    from analytics_platform.system.plain_text import counted

    if count := sum(files.count for files in locate_files(paths).left_out):
        print_message(f"{counted(count, 'file')} of the source left out; `analytics inspect` says which, and why")


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def main() -> None:
    """Run the command. An error that a person can act on is printed without a trace, and the exit status is 2."""
    print_warnings_of_logs()
    with interruption.heeded():
        try:
            app()
        except Exception as error:  # any library may report a full disk or a removed home
            reported = _cause(error) or error
            if not isinstance(reported, UserError | OSError):
                raise
            for fault in reported.faults if isinstance(reported, UserError) else (_fault(reported),):
                print_message(fault, "red")
            sys.exit(2)


def _fault(error: OSError) -> str:
    """Return an error of the system in one line; a missing permission with the setting, the owner and the mode."""
    explained = explain_refusal(error)
    if explained is None:
        return str(error)
    try:
        home = load_settings().home
    except (UserError, OSError):
        return explained
    is_of_home = Path(os.fsdecode(error.filename)).absolute().is_relative_to(home)
    return f"ANALYTICS_HOME: {explained}" if is_of_home else explained


def _cause(error: Exception) -> Exception | None:
    """Return the error for a full disk or a removed home if it is the cause of ``error``; None otherwise."""
    try:
        home = load_settings().home
    except (UserError, OSError):  # nothing was written
        return None
    return find_disk_full(error, home) or find_removed(home)
