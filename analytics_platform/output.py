"""Where commands print: what people read, and what machines read.

Belongs here: that. Does not belong here: how a result reads (``console``), which takes seconds to import.
"""

from __future__ import annotations

import re

from rich.console import Console

screen = Console(stderr=True, highlight=False, emoji=False)
"""For people; standard output is for results. What stands between colons in it is data, and no emoji."""

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"  # but for tabs and line ends
)


def say(text: str, style: str | None = None) -> None:
    """Print for people what may hold data: as it is, but for control characters."""
    screen.print(without_controls(text), style=style, markup=False, soft_wrap=True)


def print_text(line: str) -> None:
    """Print a line of a result: as it is, but for control characters."""
    print(without_controls(line))  # noqa: T201


def without_controls(text: str) -> str:
    """Write characters that would command the terminal, or turn the direction of a line, out as their code."""
    return _CONTROL.sub(
        lambda found: f"\\x{ord(found[0]):02x}" if found[0] < "\u0100" else f"\\u{ord(found[0]):04x}", text
    )


def print_json(result: dict[str, object]) -> None:
    """Print a result for machines."""
    import orjson  # noqa: PLC0415  (only who asks for JSON)

    print(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
