"""Keeps failing conversations from failing the whole day.

The whole day is computed at once. If it fails, its conversations are halved until the ones that fail alone are found,
and the rest is computed at once again. The result equals that of a day without the failing conversations.
``storage.failures`` keeps the failures.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.errors import UserError
from analytics_platform.storage.partitions import PartitionError
from analytics_platform.system.disk_full import find_disk_full

CONVERSATION_ID = "conversation_id"
SYSTEMIC = (UserError, OSError, MemoryError)
"""Errors of the machine or the settings, which no single conversation causes."""
MOST_FAILURES, MOST_SHARE, FEW_FAILURES = 100, 0.1, 3
"""Limits on the failing conversations of a day, beyond which the whole day fails: at most MOST_FAILURES, and at most
the share MOST_SHARE of all conversations, or FEW_FAILURES if the share gives fewer."""

_TEXT_COLUMNS = ("text", "code", "quoted_text", "extra")
_PACKAGE = Path(__file__).parents[2]
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_WORD = re.compile(r"\w+")
_LONGEST_ERROR = 300

Inputs = Mapping[str, Any]


def isolate(
    inputs: Inputs, compute: Callable[[Inputs], pa.Table], error: Exception
) -> tuple[pa.Table, dict[str, Exception]]:
    """Compute the result without the conversations that fail alone, after ``compute(inputs)`` raised ``error``.

    Args:
        inputs: Arguments of the computation. Tables with conversation ids are filtered to the tried conversations.
        compute: Computes, checks and returns the result. It is called a few times per failing conversation for each
            time that the day can be halved.
        error: The error for all conversations at once.

    Returns:
        The result without the failing conversations, and the error of each failing conversation.

    Raises:
        Exception: ``error`` itself, if it is systemic, if no conversation, all or too many fail alone, or if the rest
            cannot be computed together.
    """
    ids = conversation_ids(inputs)
    if _is_systemic(error):
        raise error
    at_most = most_failures(len(ids))

    def attempt(some: Sequence[str]) -> pa.Table:
        return compute(only(inputs, some))

    failed = find_failing(ids, attempt, at_most)
    if not failed or len(failed) > at_most or len(failed) == len(ids):
        raise error
    try:
        return attempt([name for name in ids if name not in failed]), failed
    except Exception as last:  # any computation may raise anything; only a systemic error replaces the first one
        if _is_systemic(last):
            raise
        raise error from None  # the first error is reported


def find_failing(ids: Sequence[str], attempt: Callable[[Sequence[str]], object], at_most: int) -> dict[str, Exception]:
    """Return each id for which ``attempt`` raises alone, with its error. ``attempt`` fails for all ids together.

    The search stops when more than ``at_most`` ids are found. For k failing ids of n it makes at most 2·k·⌈log₂ n⌉
    attempts, and one for a single id.

    Raises:
        Exception: The error of an attempt, if it is systemic.
    """
    found: dict[str, Exception] = {}
    waiting: list[Sequence[str]] = list(_halves(ids)) if len(ids) > 1 else [ids] * bool(ids)
    while waiting and len(found) <= at_most:
        some = waiting.pop()
        try:
            attempt(some)
        except Exception as error:
            if _is_systemic(error):
                raise
            if len(some) == 1:
                found[some[0]] = error
            else:
                waiting.extend(_halves(some))
    return found


def _is_systemic(error: Exception) -> bool:
    return isinstance(error, SYSTEMIC) or find_disk_full(error, "a temporary file") is not None


def _halves(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    middle = len(ids) // 2
    yield from (ids[middle:], ids[:middle])


def most_failures(conversations: int) -> int:
    """Return how many conversations of a day may fail before the whole day fails."""
    return min(MOST_FAILURES, max(FEW_FAILURES, int(conversations * MOST_SHARE)))


def conversation_ids(inputs: Inputs) -> list[str]:
    """Return the conversations that the input tables name, ascending."""
    columns = [table[CONVERSATION_ID].unique() for table in _by_conversation(inputs).values()]
    return sorted({name for column in columns for name in column.to_pylist()})


def only(inputs: Inputs, ids: Collection[str]) -> dict[str, Any]:
    """Return the inputs with only the given conversations."""
    wanted = pa.array(sorted(ids), pa.string())
    return {
        **inputs,
        **{n: t.filter(pc.is_in(t[CONVERSATION_ID], wanted)) for n, t in _by_conversation(inputs).items()},
    }


def without(inputs: Inputs, ids: Collection[str]) -> dict[str, Any]:
    """Return the inputs without the given conversations; without any, the same tables."""
    if not ids:
        return dict(inputs)
    absent = pa.array(sorted(ids), pa.string())
    kept = {
        name: table.filter(pc.invert(pc.is_in(table[CONVERSATION_ID], absent)))
        for name, table in _by_conversation(inputs).items()
    }
    return {**inputs, **kept}


def _by_conversation(inputs: Inputs) -> dict[str, pa.Table]:
    tables = {name: value for name, value in inputs.items() if isinstance(value, pa.Table)}
    return {name: table for name, table in tables.items() if CONVERSATION_ID in table.column_names}


def describe(error: Exception, inputs: Inputs) -> str:
    """Describe an error in one line that quotes nothing from the conversation.

    The line names the class and the place of the error. In the message, each text in quotation marks becomes ``…``, and
    so does each word that occurs in the conversation, because an error may repeat any part of its input.

    Args:
        error: The error.
        inputs: The inputs of the one failing conversation.
    """
    said = {word for text in _texts(inputs) for word in _WORD.findall(text.casefold())}
    unquoted = _QUOTED.sub("…", " ".join(str(error).split()))
    message = _WORD.sub(lambda word: "…" if word[0].casefold() in said else word[0], unquoted)
    line = f"{_kind_and_place(error)}: {message}".rstrip(": ")
    return line if len(line) <= _LONGEST_ERROR else f"{line[: _LONGEST_ERROR - 1]}…"


def in_one_line(error: Exception) -> str:
    """Describe an error in one line that quotes nothing from conversations.

    A ``UserError`` or ``PartitionError`` keeps its message; any other error shows only its class and place.
    """
    if isinstance(error, (UserError, PartitionError)):
        return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    return _kind_and_place(error)


def _kind_and_place(error: Exception) -> str:
    return f"{type(error).__name__} in {_place(error)}"


def _texts(inputs: Inputs) -> Iterator[str]:
    for table in _by_conversation(inputs).values():
        for name in _TEXT_COLUMNS:
            yield from _flat(table[name].to_pylist()) if name in table.column_names else ()


def _flat(values: Iterable[str | Sequence[str] | None]) -> Iterator[str]:
    for value in values:
        yield from (value,) if isinstance(value, str) else value or ()


def _place(error: Exception) -> str:
    """Name the innermost function of this package in the error's traceback."""
    ours = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    if not ours:
        return "unknown"
    file = Path(ours[-1].filename).relative_to(_PACKAGE).as_posix()
    return f"{ours[-1].name} ({file}:{ours[-1].lineno})"
