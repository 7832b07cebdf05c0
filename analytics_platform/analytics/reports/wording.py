"""Formats single values for a report's text: counts, shares, durations, labels and lists of words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

MINUTE, HOUR, DAY = 60, 3600, 86400
_NAME_LENGTH = 60
_TIMES = 3  # from here on, a ratio reads better than a percentage
_MINUS = "\N{MINUS SIGN}"


def count(value: float, singular: str = "", plural: str = "") -> str:
    """Write a count with thousands separators and, when given, its noun: ``1,204 conversations``."""
    noun = singular if round(value) == 1 else plural or f"{singular}s"
    return f"{value:,.0f} {noun}" if singular else f"{value:,.0f}"


def mean(value: float) -> str:
    """Write a mean of counts, with one decimal below 10: ``82``, ``4.5``."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def part(some: float, of: float, noun: str = "conversation") -> str:
    """Write a part of a whole: ``12 of 163 conversations (7%)``; ``of`` must not be zero."""
    return f"{count(some)} of {count(of, noun)} ({share(some / of)})"


def share(value: float) -> str:
    """Write a share from 0 to 1 in percent. Only exactly none or all is written as 0% or 100%."""
    if 0 < value < 0.01:
        return "under 1%"
    if 0.99 < value < 1:
        return "over 99%"
    return f"{value:.0%}"


def change(value: float) -> str:
    """Write a relative change with its sign: ``+98%``, ``0%``, ``5.0 times``; a fall has a true minus sign."""
    if value + 1 >= _TIMES:
        return f"{mean(value + 1)} times"
    rounded = round(value, 2)
    return f"{rounded:+.0%}".replace("-", _MINUS) if rounded else "0%"


def compared(value: float, usual: float, more: str, less: str) -> str:
    """Write how far a value is from the usual value: ``98% more than``, ``4.6 times``; ``usual`` must not be zero."""
    ratio = value / usual
    if ratio >= _TIMES:
        return f"{mean(ratio)} times"
    return f"{share(abs(ratio - 1))} {more if ratio > 1 else less} than"


def seconds(value: float) -> str:
    """Write a duration in its two largest units: ``45 s``, ``1 min 30 s``, ``1 h 24 min``, ``2 d 3 h``."""
    whole = round(value)
    if whole < MINUTE:
        return f"{whole} s"
    for size, name, smaller, smaller_name in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name} {rest} {smaller_name}" if rest else f"{whole // size} {name}"
    raise ValueError(f"not a duration: {value}")


def signed(value: float) -> str:
    """Write a sentiment or another small signed number: ``+0.08``, ``0.00``; a negative one has a true minus sign."""
    rounded = round(value, 2) or 0.0
    return f"{rounded:+.2f}".replace("-", _MINUS) if rounded else "0.00"


def day(date: dt.date) -> str:
    """Write a day with its weekday: ``Thursday 2006-06-01``."""
    return f"{date:%A} {date.isoformat()}"


def label(name: str, at_most: int = _NAME_LENGTH) -> str:
    """Write a label of the taxonomy for people: ``package_management`` → ``package management``."""
    return named(name.replace("_", " "), at_most)


def named(text: str, at_most: int = _NAME_LENGTH) -> str:
    """Write an identifier or word of the source on one line and at most ``at_most`` characters long."""
    line = " ".join(text.split())
    return line if len(line) <= at_most else f"{line[: at_most - 1]}…"


def quoted(words: Sequence[str], at_most: int = 4) -> str:
    """Write words in quotation marks, separated by commas: ``“broken”, “useless”``."""
    return ", ".join(f"“{named(word)}”" for word in words[:at_most])
