"""Nesting that a mapping describes: ``messages[].content`` makes a row of each item of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.file_records import Record, value_at
from analytics_platform.sources.shapes.identity import Turn, identify_rows
from analytics_platform.sources.shapes.shape import Context, Shape

MARK = "[]"


def dotted_shape(columns: Mapping[str, str], variable: str) -> Shape | None:
    """Return the shape that the paths of a mapping describe; None if no path names the items of a list.

    Args:
        columns: The mapping's columns: input column to path in the file.
        variable: The setting to name in messages.

    Raises:
        SourceError: If the paths name the items of two lists.
    """
    paths = tuple(columns.values())
    lists = sorted({path.partition(MARK)[0] for path in paths if MARK in path})
    if not lists:
        return None
    if len(lists) > 1:
        raise SourceError(f"{variable}: columns name the items of two lists, {' and '.join(lists)}; name those of one")
    (name,) = lists
    of_conversation = columns.get("conversation_id", "")
    has_shared_time = MARK in columns.get("text", "") and columns.get("timestamp", MARK).find(MARK) < 0
    # A time of the record is none of its messages' own.
    of_message = [
        path if MARK in path else "" for path in (columns.get(key, "") for key in ("role", "text", "timestamp"))
    ]

    def unfold(record: Record, context: Context) -> Iterator[Record]:
        items = value_at(record, name)
        if not isinstance(items, list):
            raise KeyError(name)
        rows: list[Record] = []
        for item in items:
            row: Record = {"message_id": None, **({"time_source": "conversation"} if has_shared_time else {})}
            for path in paths:
                rest = path.removeprefix(f"{name}{MARK}").removeprefix(".")
                row[path] = value_at(item, rest) if path.startswith(f"{name}{MARK}") else value_at(record, path)
            rows.append(row)
        places = identify_rows(context, [(row.get(of_conversation), _turn(row, of_message)) for row in rows])
        for row, place in zip(rows, places, strict=True):
            row["message_id"] = place.message_id
            yield row

    return Shape("mapping", f"records with a list {name}", lambda record: name.split(".")[0] in record, unfold)


def _turn(row: Record, paths: list[str]) -> Turn:
    role, text, time = (row.get(path) for path in paths)
    return Turn(role, text, time)
