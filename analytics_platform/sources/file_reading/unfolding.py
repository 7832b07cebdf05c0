"""Make rows of the records of a file: take them out of their wrapping, unfold their messages, and apply the mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.formats.file_records import Record, Records, rows_of
from analytics_platform.sources.formats.json_rows import WRAPPERS, no_object
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.rows import Problem, Rows, text_array
from analytics_platform.sources.shapes.catalogue import recognise_shape
from analytics_platform.sources.shapes.nested import nested_shape
from analytics_platform.sources.shapes.shape import (
    WRITTEN_PARTS,
    Context,
    Shape,
    content_text,
    is_list_of,
    parsed,
    with_tool_calls,
)


def unwrapped(batches: Iterator[Records], mapping: FieldMapping) -> Iterator[Records]:
    """Yield the records of a file, which may stand in a list within its only object, beside a count or a link."""
    first = next(batches, None)
    if first is None:
        return
    if len(first.values) == 1 and recognise_shape(first.values) is None and not _is_conversation(first.values[0]):
        (record,) = first.values
        lists = [name for name in (*WRAPPERS, "messages") if is_list_of(record.get(name), _is_object)]
        mapped = any(path.startswith(f"{name}[]") for name in lists for path in mapping.columns.values())
        if lists and not mapped:
            items = record[lists[0]]
            problems = {index: no_object(item) for index, item in enumerate(items) if not isinstance(item, dict)}
            first = Records([item if isinstance(item, dict) else {} for item in items], problems)
    yield first
    yield from batches


def _is_conversation(record: Record) -> bool:
    """Tell whether a file's only record is a conversation with an id and its messages, and no page of an interface."""
    return any(name in record for name in ("id", "number", "uuid", "conversation_id")) and bool(nested_shape([record]))


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def records_of(rows: Rows) -> Records:
    """Return the rows of a table as records, with their problems."""
    places = {number: index for index, number in enumerate(rows.numbers.tolist())}
    problems = {places[number]: problem for number, problem in rows.problems.items()}
    return Records(pa.table(dict(rows.columns)).to_pylist(), problems)


def numbered(batches: Iterator[Records], paths: Iterable[str]) -> Iterator[Rows]:
    """Yield records as rows, numbered from 1; dotted paths become columns."""
    wanted = list(paths)
    first = 1
    for records in batches:
        rows = rows_of(records, first, wanted)
        first += len(records.values)
        yield rows


def unfolded(batches: Iterator[Records], shape: Shape, context: Context, paths: list[str]) -> Iterator[Records]:
    """Yield the messages of records; a record that has not the shape becomes an unreadable row."""
    for records in batches:
        values: list[Record] = []
        problems: dict[int, Problem] = {}
        for index, record in enumerate(records.values):
            context.number += 1
            problem = records.problems.get(index)
            messages: list[Record] = []
            if problem is None or problem.reason != "unreadable_row":
                try:
                    messages = list(shape.unfold(record, context))
                except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                    text = str(text_array([record])[0])
                    problem = Problem("unreadable_row", f"not a record of this shape: {shape.title}", text)
            if problem is not None:
                problems.update(dict.fromkeys(range(len(values), len(values) + max(len(messages), 1)), problem))
                messages = messages or [{}]
            for path in paths:
                top = record.get(path)
                if top is not None:
                    for message in messages:
                        message.setdefault(path, top)
            values += messages
        yield Records(values, problems)


def with_mapping(batches: Iterator[Rows], mapping: FieldMapping, *, whole: bool) -> Iterator[tuple[FieldMapping, Rows]]:
    """Yield rows of a shape with the part of the mapping that the shape leaves open.

    Args:
        batches: The rows, under the names of the input columns.
        mapping: The mapping of the source.
        whole: Whether the shape decides roles and texts in any case.
    """
    decided = {"role", "text"} if whole else set()
    effective: FieldMapping | None = None
    for rows in batches:
        if effective is None:
            columns = {
                name: column
                for name, column in mapping.columns.items()
                if name not in decided and (column in rows.columns or name not in rows.columns)
            }
            constants = {name: value for name, value in mapping.constants.items() if name not in {"role", "text"}}
            effective = mapping.with_auto_times().model_copy(update={"columns": columns, "constants": constants})
            ignored = [column for column in mapping.columns.values() if column not in columns.values()]
        # A column that the mapping replaces, or that the shape has unfolded, is not kept a second time.
        replaced = {name for name, column in effective.columns.items() if column != name} - {
            *effective.columns.values()
        }
        present = {name: values for name, values in rows.columns.items() if name not in replaced}
        present |= {column: pa.nulls(len(rows.numbers), pa.string()) for column in ignored}
        yield effective, replace(rows, columns=present)


def with_plain_text(rows: Rows, mapping: FieldMapping) -> Rows:
    """Return rows whose texts that are JSON of content parts are replaced by the parts' text, with the tools called."""
    name = mapping.column_of("text")
    texts = rows.columns.get(name)
    if texts is None or not len(texts):
        return rows
    written = pc.fill_null(pc.match_substring_regex(texts, WRITTEN_PARTS), False)
    calls = rows.columns.get("tool_calls")
    if calls is not None:
        written = pc.or_(written, pc.fill_null(pc.starts_with(calls, "[{"), False))
    places = np.flatnonzero(written.to_numpy(zero_copy_only=False))
    if not len(places):
        return rows
    values = texts.to_pylist()
    for place in places.tolist():
        called = None if calls is None else parsed(calls[place].as_py())
        values[place] = with_tool_calls(content_text(values[place]), called if isinstance(called, list) else None)
    return replace(rows, columns={**rows.columns, name: text_array(values)})
