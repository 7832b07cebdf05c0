"""Where commands print: what people read, and what machines read.

Belongs here: that. Does not belong here: how a result reads (``console``), which takes seconds to import.
"""

from __future__ import annotations

from rich.console import Console

from analytics_platform.plain_text import without_controls

screen = Console(stderr=True, highlight=False, emoji=False)
"""For people; standard output is for results. What stands between colons in it is data, and no emoji."""


def say(text: str, style: str | None = None) -> None:
    """Print for people what may hold data: as it is, but for control characters."""
    screen.print(without_controls(text), style=style, markup=False, soft_wrap=True)


def print_text(line: str) -> None:
    """Print a line of a result: as it is, but for control characters; an id with a line end in it stays in its line."""
    print(without_controls(line).replace("\n", "\\n"))  # noqa: T201


def print_json(result: dict[str, object]) -> None:
    """Print a result for machines."""
    import orjson  # noqa: PLC0415  (only who asks for JSON)

    print(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
