"""Nesting that a mapping describes: ``messages[].content`` makes a row of each item of a list."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.file_records import Record, value_at
from analytics_platform.sources.shapes.shape import Context, Shape

MARK = "[]"


def dotted_shape(paths: Collection[str], variable: str) -> Shape | None:
    """Return the shape that the paths of a mapping describe; None if no path names the items of a list.

    Args:
        paths: The mapping's columns of the file.
        variable: The setting to name in messages.

    Raises:
        SourceError: If the paths name the items of two lists.
    """
    lists = sorted({path.partition(MARK)[0] for path in paths if MARK in path})
    if not lists:
        return None
    if len(lists) > 1:
        raise SourceError(f"{variable}: columns name the items of two lists, {' and '.join(lists)}; name those of one")
    (name,) = lists

    def unfold(record: Record, context: Context) -> Iterator[Record]:
        items = value_at(record, name)
        if not isinstance(items, list):
            raise KeyError(name)
        for position, item in enumerate(items):
            row: Record = {"message_id": None}
            for path in paths:
                rest = path.removeprefix(f"{name}{MARK}").removeprefix(".")
                row[path] = value_at(item, rest) if path.startswith(f"{name}{MARK}") else value_at(record, path)
            row["message_id"] = f"{context.file.label}:{context.number}:{position}"
            yield row

    return Shape("mapping", f"records with a list {name}", lambda record: name.split(".")[0] in record, unfold)
