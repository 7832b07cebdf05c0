"""Records: the objects of a file that are not yet rows, and how they become rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analytics_platform.sources.rows import Problem, Rows, repair_undecodable, text_array

Record = dict[str, Any]

_STEP = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True)
class Records:
    """A batch of records of one file, in the file's order.

    Attributes:
        values: The objects; empty at the place of a record with a problem.
        problems: Problem by index of the record within the batch.
    """

    values: list[Record]
    problems: Mapping[int, Problem] = field(default_factory=dict)


def rows_of(records: Records, first: int, paths: Collection[str] = ()) -> Rows:
    """Return records as rows: a column per key, and one per dotted path.

    Args:
        records: The records.
        first: Row number of the first record.
        paths: Dotted paths into nested objects, such as ``author.type``, that become columns of their own.
    """
    values = records.values
    # Sorted, because a set has no order of its own and columns should have one.
    names = sorted(set().union(*values))
    columns = {name: text_array([row.get(name) for row in values]) for name in names}
    for path in paths:
        if path not in columns and is_path(path):
            found = [value_at(row, path) for row in values]
            if any(value is not None for value in found):
                columns[path] = text_array(found)
    numbers = np.arange(first, first + len(values), dtype=np.int64)
    return Rows(numbers, columns, {first + index: problem for index, problem in records.problems.items()})


def is_path(name: str) -> bool:
    """Tell whether a column's name in a mapping can be a path into nested objects."""
    return "." in name or "[" in name


def value_at(value: Any, path: str) -> Any:
    """Return the value at a dotted path; None if there is none. ``[]`` and numbers take an item of a list.

    Args:
        value: A record, with objects or JSON texts of objects within.
        path: Keys separated by dots: ``author.type``, ``parts[0].body``. A key with a dot in it is found, too.
    """
    if isinstance(value, dict) and path in value:
        return value[path]
    for step in _STEP.findall(path):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def repaired(value: Any) -> tuple[Any, bool]:
    """Return a JSON value with U+FFFD for what UTF-8 cannot encode, and whether a whole text was damaged."""
    if isinstance(value, str):
        text = repair_undecodable(value)
        return (value.encode("utf-8", "backslashreplace").decode("utf-8"), True) if text is None else (text, False)
    if isinstance(value, dict):
        items = {repaired(name)[0]: repaired(item) for name, item in value.items()}
        return {name: item for name, (item, _) in items.items()}, any(damaged for _, damaged in items.values())
    if isinstance(value, list):
        pairs = [repaired(item) for item in value]
        return [item for item, _ in pairs], any(damaged for _, damaged in pairs)
    return value, False
