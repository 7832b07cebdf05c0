"""Where commands print: what people read, and what machines read.

Belongs here: that. Does not belong here: how a result reads (``console``), which takes seconds to import.
"""

from __future__ import annotations

import re

from rich.console import Console

screen = Console(stderr=True, highlight=False, emoji=False)
"""For people; standard output is for results. What stands between colons in it is data, and no emoji."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def print_text(line: str) -> None:
    """Print a line of a result as it is, but for control characters, which would command the terminal."""
    print(without_controls(line))  # noqa: T201


def without_controls(text: str) -> str:
    """Return a text of one line with its control characters written out as their code."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def print_json(result: dict[str, object]) -> None:
    """Print a result for machines."""
    import orjson  # noqa: PLC0415  (only who asks for JSON)

    print(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
