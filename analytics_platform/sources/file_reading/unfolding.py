"""Make rows of the records of a file: take them out of their wrapping, unfold their messages, and apply the mapping."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.file_reading.recognised import Recognised
from analytics_platform.sources.formats.file_records import Record, Records, rows_of, value_at
from analytics_platform.sources.formats.json_rows import WRAPPERS, no_object
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.rows import Problem, Rows, text_array
from analytics_platform.sources.shapes.catalogue import recognise_shape
from analytics_platform.sources.shapes.exports.model_chats import BARE
from analytics_platform.sources.shapes.id_keys import CONVERSATION_KEYS, RECORD_KEYS
from analytics_platform.sources.shapes.nested import nested_shape
from analytics_platform.sources.shapes.plain_records import plain_form, records_by_key
from analytics_platform.sources.shapes.shape import (
    WRITTEN_PARTS,
    Context,
    Shape,
    content_text,
    is_list_of,
    parsed,
    read_literal,
    speaker,
    with_tool_calls,
)
from analytics_platform.sources.shapes.table_parts.table_columns import usual_columns
from analytics_platform.sources.shapes.table_parts.table_times import with_date_order


def unwrapped(batches: Iterator[Records], mapping: FieldMapping) -> Iterator[Records]:
    """Yield the records of a file, which may stand in a list within its only object, beside a count or a link.

    A file may also have several such objects, as pages of an interface that were written one after another.
    """
    first = next(batches, None)
    if first is None:
        return
    if len(first.values) == 1 and recognise_shape(first.values) is None and not _is_conversation(first.values[0]):
        (record,) = first.values
        hits = record.get("hits")  # of an answer of Elasticsearch
        if isinstance(hits, dict) and is_list_of(hits.get("hits"), _is_object):
            record = hits | {"items": hits["hits"]}
            first = Records([record])
        lists = [name for name in (*WRAPPERS, "messages") if is_list_of(record.get(name), _is_object)]
        if lists and not _names_list(mapping, lists):
            first = _items_of(first, lists[0])
        elif not lists and nested_shape([record]) is None and (keyed := records_by_key(record)):
            first = Records(keyed) if _are_messages(keyed, mapping) else first
    elif holds_pages(first, mapping):
        name = _page_list(first.values[0])
        batches = (_items_of(records, name) for records in chain([first], batches))
        first = next(batches)
    yield first
    yield from batches


def _are_messages(records: list[Record], mapping: FieldMapping) -> bool:
    names = list(dict.fromkeys(name for record in records for name in record))
    usual = usual_columns(names, mapping.columns.keys())
    return bool(recognise_shape(records) or nested_shape(records)) or {"text", "role"} <= {*usual, *names}


def with_plain_records(first: Records, batches: Iterator[Records]) -> Iterator[Records] | None:
    """Return the records out of the form in which a database stores them; None where they are plain.

    Args:
        first: The first records of a file, which show the form.
        batches: All of them, in batches.
    """
    plain = plain_form(first.values)
    if plain is None:
        return None
    return (Records([plain(record) if record else record for record in one.values], one.problems) for one in batches)


def holds_pages(records: Records, mapping: FieldMapping) -> bool:
    """Tell whether records are pages of an interface: each has a list of records that say where they belong."""
    pages = [record for record in records.values if record]
    if len(pages) < _FEWEST_PAGES or recognise_shape(pages) is not None:
        return False
    name = _page_list(pages[0])
    lists = [page.get(name) for page in pages]
    if not name or not all(isinstance(items, list) for items in lists) or _names_list(mapping, [name]):
        return False
    items = [item for items in lists for item in items or [] if isinstance(item, dict)]
    of_conversation = mapping.column_of("conversation_id")
    return (
        bool(items)
        and not any(_is_conversation(page) for page in pages)
        and (
            recognise_shape(items) not in {None, BARE}  # bare messages are those of their page
            or all(value_at(item, of_conversation) is not None for item in items[:_LOOKED_AT])
            or "conversation_id" in usual_columns(list(items[0]), mapping.columns.keys())
        )
    )


_FEWEST_PAGES, _LOOKED_AT = 2, 50


def names_wrapper(mapping: FieldMapping) -> bool:
    """Tell whether a mapping names the items of a list in which exports keep their records: ``data[].text``."""
    return _names_list(mapping, WRAPPERS)


def _names_list(mapping: FieldMapping, lists: Iterable[str]) -> bool:
    return any(path.startswith(f"{name}[]") for name in lists for path in mapping.columns.values())


def _page_list(record: Record) -> str:
    """Return the key of a page's list of records; empty if it has none."""
    return next((name for name in WRAPPERS if is_list_of(record.get(name), _is_object)), "")


def _items_of(records: Records, name: str) -> Records:
    """Return the items of a list in each record; a record without the list stays as it is."""
    values: list[Record] = []
    problems: dict[int, Problem] = {}
    for index, record in enumerate(records.values):
        items = record.get(name)
        if index in records.problems or not isinstance(items, list):
            if index in records.problems:
                problems[len(values)] = records.problems[index]
            values.append(record)
            continue
        for item in items:
            if not isinstance(item, dict):
                problems[len(values)] = no_object(item)
            values.append(item if isinstance(item, dict) else {})
    return Records(values, problems)


def _is_conversation(record: Record) -> bool:
    """Tell whether a file's only record is a conversation with an id and its messages, and no page of an interface."""
    return any(name in record for name in (*RECORD_KEYS, *CONVERSATION_KEYS)) and bool(nested_shape([record]))


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
        context.neighbours = records.values
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
            context.unfolds = context.unfolds or len(messages) > 1
            values += messages
        yield Records(values, problems)


def with_mapping(
    batches: Iterator[Rows],
    mapping: FieldMapping,
    recognised: Recognised,
    *,
    whole: bool,
    known: Collection[str] | None = None,
) -> Iterator[tuple[FieldMapping, Rows]]:
    """Yield rows of a shape with the part of the mapping that the shape leaves open.

    Args:
        batches: The rows, under the names of the input columns.
        mapping: The mapping of the source.
        recognised: Gets a note about the order of dates such as 6/20/2024.
        whole: Whether the shape decides roles and texts in any case.
        known: Columns of a table with whole chats in its cells: another that the mapping names is misspelled, and no
            value that the shape has unfolded. None where the shape may have unfolded any.
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
            effective = with_date_order(rows, effective, recognised.notes, recognised.dates)
            ignored = [
                column
                for column in mapping.columns.values()
                if column not in columns.values() and (known is None or column in known or "." in column)
            ]
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
    role_column = mapping.column_of("role")
    roles = rows.columns[role_column].to_pylist() if role_column in rows.columns else None
    for place in places.tolist():
        called = None if calls is None else parsed(calls[place].as_py())
        if roles is not None and speaker({"content": read_literal(values[place]), "role": roles[place]}) == "tool":
            roles[place] = "tool"  # what a tool answered stands under the customer's role
        values[place] = with_tool_calls(content_text(values[place]), called if isinstance(called, list) else None)
    columns = {**rows.columns, name: text_array(values)}
    return replace(rows, columns=columns if roles is None else {**columns, role_column: text_array(roles)})
