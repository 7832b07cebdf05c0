"""Where commands print: what people read, and what machines read.

Belongs here: that. Does not belong here: how a result reads (``console``), which takes seconds to import.
"""

from __future__ import annotations

from rich.console import Console

screen = Console(stderr=True, highlight=False)
"""For people; standard output is for results."""


def print_json(result: dict[str, object]) -> None:
    """Print a result for machines."""
    import orjson  # noqa: PLC0415  (only who asks for JSON)

    print(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
