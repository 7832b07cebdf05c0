"""The subcommands `backup` and `restore`: save and bring back what no run can compute again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from analytics_platform.cli.arguments import AsJson
from analytics_platform.settings.loader import load_settings
from analytics_platform.system.output import print_json, print_result

app = typer.Typer()


@app.command()
def backup(
    path: Annotated[Path, typer.Argument(help="A new folder, outside the home.")], as_json: AsJson = False
) -> None:
    """Save what no run can compute again: corrections, answers of the LLM, models and their evaluations."""
    settings = load_settings()
    from analytics_platform.cli.console import backup_lines
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.backup import back_up

    with closing(Platform(settings, stages=False)) as platform:
        written = back_up(platform, path)
    if as_json:
        import dataclasses

        print_json(dataclasses.asdict(written))
        return
    for line in backup_lines(written):
        print_result(line)


@app.command()
def restore(
    path: Annotated[Path, typer.Argument(help="A folder that `analytics backup` made.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Restore also where this home has a newer document or model.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into this home; of two documents of one id the newer stays, and no other document changes."""
    settings = load_settings()
    from analytics_platform.cli.console import print_troubles, restored_lines
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.backup import restore as restore_backup

    with closing(Platform(settings, stages=False)) as platform:
        restored = restore_backup(platform, path, replace=replace)
    if as_json:
        print_json(restored.as_json())
    else:
        for line in restored_lines(restored):
            print_result(line)
        print_troubles(failures=restored.failures)
    if restored.failures:
        raise typer.Exit(1)
