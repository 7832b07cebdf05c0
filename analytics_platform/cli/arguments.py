"""The arguments that commands share, and what they must look like.

Belongs here: their declarations and checks. Does not belong here: the commands (``cli``).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal

import typer

from analytics_platform.errors import UserError
from analytics_platform.settings.loader import Settings, load_settings

From = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day; the source's first.")]
To = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day, inclusive; the source's last.")]
Select = Annotated[str | None, typer.Option(help="Assets, e.g. 'group:clean or +key:daily_metrics'; all of them.")]
Force = Annotated[bool, typer.Option(help="Compute also what is current.")]
OnDevice = Annotated[Literal["auto", "cpu", "gpu"] | None, typer.Option(help="Where to compute; ANALYTICS_ENGINE.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def read_day(option: str, text: str | None) -> dt.date | None:
    """Read a day as it is written everywhere else; Python would take 20060515 and 2006-W20-1 too."""
    if text is None:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    raise UserError(f"{option} {text}: not a day; write it as YYYY-MM-DD")


def read_range(first: str | None, last: str | None) -> tuple[Settings, dt.date | None, dt.date | None]:
    """Return the settings, and the days that a command was given, once all of these are known to be right."""
    settings, start, end = load_settings(), read_day("--from", first), read_day("--to", last)
    require_range(settings, start, end)
    return settings, start, end


def require_range(settings: Settings, start: dt.date | None, end: dt.date | None) -> None:
    """Refuse days out of order, or outside the partitions."""
    lowest, highest = settings.first_day, settings.last_day
    if not lowest <= (start or lowest) <= (end or highest) <= highest:
        asked = " ".join(f"{option} {day}" for option, day in (("--from", start), ("--to", end)) if day)
        raise UserError(
            f"{asked}: must be in order and within {lowest} to {highest} (ANALYTICS_START_DATE, ANALYTICS_END_DATE)"
        )
