"""The days of a command: those that its options name, or all days with rows or stored data."""

from __future__ import annotations

import datetime as dt

from analytics_platform.defs.framework.day_ranges import days_between
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.system.plain_text import counted


def requested_days(platform: Platform, first: dt.date | None, last: dt.date | None) -> list[str]:
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
