"""Printing of commands: results on standard output, messages on standard error.

A result is the output that the user asked for. A message is progress, a warning, an error or a hint.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from analytics_platform.system.plain_text import on_one_line, with_json_escapes

PIPE_CLOSED = 128 + 13
"""Exit status when the reader closes the pipe, as in ``analytics status | head -1``: that of a SIGPIPE in shells."""


class _Stream(Console):
    """A console for lines that may contain data: markup and emoji codes in a line are printed literally.

    Args:
        to_stderr: Print to standard error.
    """

    def __init__(self, *, to_stderr: bool) -> None:
        super().__init__(stderr=to_stderr, highlight=False, emoji=False, markup=False, soft_wrap=True)

    def on_broken_pipe(self) -> NoReturn:
        """End the process silently."""
        _end_quietly()


_results = _Stream(to_stderr=False)
_messages = _Stream(to_stderr=True)


def print_result(result: str | Table, style: str | None = None) -> None:
    """Print a line or a table of a command's result.

    Args:
        result: The line or the table. A line may contain data: its line ends and control characters are escaped.
        style: Colour of the line on a terminal.
    """
    if isinstance(result, Table):
        _results.print(result, crop=False, soft_wrap=False)
    else:
        _results.print(on_one_line(result), style=style)


def print_message(text: str, style: str | None = None) -> None:
    """Print a message as one line.

    Args:
        text: The message. It may contain data: its line ends and control characters are escaped.
        style: Colour of the message on a terminal.
    """
    _messages.print(on_one_line(text), style=style)


def print_figures(result: Mapping[str, object]) -> None:
    """Print figures of a result, one line each; fractions with four digits."""
    for name, value in result.items():
        print_result(f"{name:22} {value:.4f}" if isinstance(value, float) else f"{name:22} {value}")


def print_json(result: dict[str, object]) -> None:
    """Print a result as JSON."""
    import orjson  # noqa: PLC0415  (only who asks for JSON)

    document = with_json_escapes(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())
    try:
        print(document, flush=True)  # noqa: T201
    except BrokenPipeError:
        _end_quietly()


def print_warnings_of_logs() -> None:
    """Print log records of level WARNING and above that no handler takes as messages, escaped like all messages."""
    logging.lastResort = _Messages(logging.WARNING)


class _Messages(logging.StreamHandler):  # type: ignore[type-arg]
    """Prints log records as messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record, and the traceback of its exception if it has one."""
        print_message(record.getMessage())
        if record.exc_info and record.exc_info[0] is not None:
            for line in logging.Formatter().formatException(record.exc_info).splitlines():
                print_message(line)


def _end_quietly() -> NoReturn:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())  # later output must not fail again
    raise SystemExit(PIPE_CLOSED)
