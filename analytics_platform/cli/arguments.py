"""Declarations and checks of the arguments that several subcommands share."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal

import typer

from analytics_platform.errors import UserError
from analytics_platform.settings.loader import Settings, load_settings

From = Annotated[
    str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day; by default the source's first.")
]
To = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day, inclusive; by default the last.")]
Select = Annotated[str | None, typer.Option(help="Assets, e.g. 'group:clean or +key:daily_metrics'; by default all.")]
Force = Annotated[bool, typer.Option(help="Compute current partitions, too.")]
OnDevice = Annotated[Literal["auto", "cpu", "gpu"] | None, typer.Option(help="Device; by default ANALYTICS_ENGINE.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def read_day(option: str, text: str | None) -> dt.date | None:
    """Parse a day written as ``YYYY-MM-DD``. Python would also accept 20060515 and 2006-W20-1.

    Raises:
        UserError: If the text is not a day in this form.
    """
    if text is None:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    raise UserError(f"{option} {text}: not a day; write it as YYYY-MM-DD")


def read_range(first: str | None, last: str | None) -> tuple[Settings, dt.date | None, dt.date | None]:
    """Return the settings and the parsed days of a command, after checking both.

    Raises:
        UserError: If the settings or the days are wrong.
    """
    settings, start, end = load_settings(), read_day("--from", first), read_day("--to", last)
    require_range(settings, start, end)
    return settings, start, end


def require_range(settings: Settings, start: dt.date | None, end: dt.date | None) -> None:
    """Refuse days that are out of order or outside the partitions.

    Raises:
        UserError: Naming the days and the partitions' range.
    """
    lowest, highest = settings.first_day, settings.last_day
    if not lowest <= (start or lowest) <= (end or highest) <= highest:
        asked = " ".join(f"{option} {day}" for option, day in (("--from", start), ("--to", end)) if day)
        raise UserError(
            f"{asked}: must be in order and within {lowest} to {highest} (from ANALYTICS_START_DATE on; the end: "
            f"{settings.last_day_reason})"
        )
