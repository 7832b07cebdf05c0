"""Tables with the messages of a conversation in one column: as JSON, as Python shows a list, or line by line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import chain, product
from typing import Any

from analytics_platform.sources.file_reading.plain_tables import with_usual_columns
from analytics_platform.sources.formats.file_records import Record, Records
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.shapes.id_keys import CONVERSATION_KEYS, TIME_KEYS, USER_KEYS
from analytics_platform.sources.shapes.shape import first_of, is_list_of, is_message, read_literal
from analytics_platform.sources.shapes.table_parts.column_names import by_form, word_form
from analytics_platform.sources.shapes.table_parts.table_columns import usual_forms
from analytics_platform.sources.shapes.table_parts.table_people import people_of_chats
from analytics_platform.sources.shapes.table_parts.table_roles import says_who_speaks
from analytics_platform.sources.shapes.transcripts import read_transcript

_COLUMNS = (
    "messages", "conversation", "conversations", "comments", "turns", "dialogue", "history", "chat", "transcript",
)  # fmt: skip
_LOOKED_AT = 50
"""Records that show whether a column has chats."""
_MOST_NAMES = 40_000
"""Most speakers of a file whose chats are counted; then the half with the fewest chats is forgotten."""
_STARTS = (
    *("_".join(filter(None, words)) for words in product(
        ("", "chat", "conversation", "session", "case", "ticket", "dialog", "thread"),
        ("start_time", "started_at", "start", "started", "start_date", "begin_time", "begin", "opened_at", "opened",
         "created_at", "created"),
    )),
    "date_time_opened", "date_opened", "opened_date", "opened_on", "initiated_at", "initiated", "start_datetime",
    "start_timestamp", "begin_date", "began_at", "chat_date", "conversation_date", "session_date",
    "beginn", "chatbeginn", "chat_beginn", "gesprachsbeginn", "begonnen", "gestartet", "gestartet_am", "startzeit",
    "debut", "date_de_debut", "inicio", "fecha_de_inicio", "data_de_inicio", "inizio", "data_di_inizio", "aanvang",
    "poczatek", "начало",
)  # fmt: skip
"""Usual names of the time when a chat began; in a table with a message per row they say nothing of the message."""
_DATED = re.compile(r"\d[-/.年]\s?\d+[-/.月]\s?\d|^\s*\d{9,}(?:\.\d+)?\s*$|[^\W\d_]{3}.*\b\d{4}\b")
"""A value with a date, or an epoch number: a column called ``Opened`` may also say yes."""


def written_lists(columns: Collection[str], records: Records, mapping: FieldMapping) -> list[str]:
    """Return the columns that hold written lists of messages; none for a table with a column of texts.

    Args:
        columns: The columns of the table.
        records: Its first records.
        mapping: The mapping of the source; a column that it names is no such list.
    """
    candidates = candidate_columns(columns, mapping)
    values = {name: next((record[name] for record in records.values if record.get(name)), None) for name in candidates}
    return [
        name
        for name, value in values.items()
        if isinstance(value, str) and _is_list_of_objects(_listed(read_literal(value)))
    ]


def transcripts(columns: Collection[str], records: Records, mapping: FieldMapping) -> list[str]:
    """Return the first column that has chats written line by line; none for a table with a column of texts.

    Args:
        columns: The columns of the table.
        records: Its first records.
        mapping: The mapping of the source; a column that it names is no such column.
    """
    for name in candidate_columns(columns, mapping):
        cells = [record[name] for record in records.values[:_LOOKED_AT] if isinstance(record.get(name), str)]
        if sum(read_transcript(cell) is not None for cell in cells) * 2 > len(cells):
            return [name]
    return []


def candidate_columns(columns: Collection[str], mapping: FieldMapping) -> list[str]:
    """Return the columns that may hold chats: by their names, or the texts of which no column says who speaks."""
    name_of = by_form(columns)
    named = [name_of[form] for form in _COLUMNS if form in name_of]
    candidates = [name for name in named if name not in mapping.columns.values()]
    usual = with_usual_columns(columns, mapping)
    missing = usual.missing_columns(columns)
    if candidates and "text" in missing:
        return candidates
    text = usual.column_of("text")
    if {"role", "text"} & {*missing} == {"role"} and text not in mapping.columns.values():
        return [] if says_who_speaks(columns) else [text]
    return []


def with_read_lists(
    batches: Iterator[Records], columns: Collection[str], stated: Mapping[str, str]
) -> Iterator[Records]:
    """Yield records with the lists that are written in ``columns``; a single message becomes a list of one.

    Args:
        batches: The records.
        columns: The columns with lists.
        stated: Input column to the column that the mapping names for it.
    """
    for records in batches:
        values = [
            {name: _listed(read_literal(value)) if name in columns else value for name, value in record.items()}
            for record in records.values
        ]
        yield Records([_with_forms(record, columns, stated) for record in values], records.problems)


def with_read_transcripts(batches: Iterator[Records], column: str, stated: Mapping[str, str]) -> Iterator[Records]:
    """Yield records with the chat in ``column`` as a list of messages; a chat without speakers is one of the user.

    Args:
        batches: The records.
        column: The column with chats.
        stated: As for ``with_read_lists``.
    """
    chats: Counter[str] = Counter()
    for records in batches:
        cells = [record.get(column) for record in records.values]
        read = [read_transcript(cell) if isinstance(cell, str) and cell else None for cell in cells]
        chats.update(name for transcript in read if transcript is not None for name in transcript.names)
        if len(chats) > _MOST_NAMES:  # a name of one chat counts as one that is not there
            chats = Counter(dict(chats.most_common(_MOST_NAMES // 2)))
        columns = people_of_chats({name for record in records.values for name in record} - {column})
        values = []
        for record, cell, transcript in zip(records.values, cells, read, strict=True):
            if transcript is not None:
                record = {**record, column: transcript.messages(_people(record, columns), chats)}
            elif isinstance(cell, str) and cell:
                record = {**record, column: [{"role": "user", "content": cell}]}
            values.append(_with_stated_customer(_with_forms(record, [column], stated)))
        yield Records(values, records.problems)


def _with_stated_customer(record: Record) -> Record:
    """Return a record whose messages do not name the customer by a shown name, where the record has an id of theirs."""
    if first_of(record, *USER_KEYS) is None:
        return record
    return {
        key: [{name: item for name, item in message.items() if name != "user_id"} for message in value]
        if isinstance(value, list)
        else value
        for key, value in record.items()
    }


def _people(record: Record, columns: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names that columns give to the customer and to the agents of a chat, by role."""
    people: dict[str, list[str]] = {}
    for name, role in columns.items():
        if isinstance(record.get(name), str):
            people.setdefault(role, []).extend(one.strip() for one in _SEVERAL.split(record[name]))
    return people


_SEVERAL = re.compile(r"[,;|/]")
"""Between the names of several agents in one cell."""


def names_in_chats(records: Records) -> set[str]:
    """Return the names of all values of records and of the messages in their lists."""
    lists = (value for record in records.values for value in record.values() if isinstance(value, list))
    messages = (item for items in lists for item in items if isinstance(item, dict))
    return {name for record in chain(records.values, messages) for name in record}


def _with_forms(record: Record, columns: Collection[str], stated: Mapping[str, str]) -> Record:
    """Return a record with its names as shapes know them, where its columns have other names than they know."""
    named = {column: record[name] for column, name in stated.items() if name in record}
    if not all(name in _COLUMNS for name in columns):
        forms = {word_form(name): value for name, value in record.items()}
        lists = {form for form, value in forms.items() if isinstance(value, list) and form not in _COLUMNS}
        kept = {stated[column]: value for column, value in named.items()}
        record = {"messages" if form in lists else form: value for form, value in forms.items()} | kept
    for column, keys in _KEYS.items():
        if column in named:
            record = {**record, column: named[column]}
        elif record.keys().isdisjoint(keys):
            name_of = by_form(record)
            usual = next((name_of[form] for form in usual_forms(column) if form in name_of), None)
            if usual is None and column == "timestamp":
                starts = (name_of[form] for form in _STARTS if form in name_of)
                usual = next((name for name in starts if _DATED.search(str(record[name]))), None)
            record = {column if name == usual else name: value for name, value in record.items()}
    return record


_KEYS = {"conversation_id": (*CONVERSATION_KEYS, "id", "uuid"), "timestamp": TIME_KEYS, "user_id": USER_KEYS}
"""Keys that the shapes look for, by input column."""


def _listed(value: Any) -> Any:
    """Return a message as a list of one, and the only list of objects in an object, such as Copilot Studio's."""
    if is_message(value):
        return [value]
    lists = [inner for inner in value.values() if _is_list_of_objects(inner)] if isinstance(value, dict) else []
    return lists[0] if len(lists) == 1 else value


def _is_list_of_objects(value: Any) -> bool:
    return is_list_of(value, lambda item: isinstance(item, dict))
