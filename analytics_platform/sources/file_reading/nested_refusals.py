"""Refuse records whose messages stand in a list that is not recognised, with the mapping that names the list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.mapping import VARIABLE as MAPPING_VARIABLE
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.shapes.nested import flat_record
from analytics_platform.sources.shapes.table_parts.table_columns import usual_columns

_MOST_FIELDS = 12
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_OF_MESSAGES = ("role", "text", "timestamp")


def refuse_nested(records: list[Record], names: Iterable[str], mapping: FieldMapping, file: SourceFile) -> None:
    """Refuse records that lack required columns and have a list of objects, in which the messages may be.

    Raises:
        SourceError: Naming the list with the longest texts, its fields, and how to map them.
    """
    needed = [name for name in ("role", "text") if name not in mapping.constants]
    present = set(names)
    if all(mapping.column_of(name) in present for name in needed):
        return
    record = next((record for record in records if record), {})
    lists = {
        name: [flat_record(item) for item in value if isinstance(item, dict)]
        for name, value in record.items()
        if isinstance(value, list) and value and isinstance(value[0], dict) and value[0]
    }
    if not lists:
        return
    name = max(lists, key=lambda one: _length_of_texts(lists[one]))
    fields = sorted({field for item in lists[name] for field in item})
    shown = ", ".join(fields[:_MOST_FIELDS]) + (" and others" if len(fields) > _MOST_FIELDS else "")
    raise SourceError(
        f"{file.place}: has one record per conversation, its messages nested in {name} with the fields "
        f"{shown}; name them in the file of {MAPPING_VARIABLE} as {name}[].FIELD, "
        f"e.g. columns: {{{_example(name, lists[name], record)}}}"
    )


def _length_of_texts(items: list[Record]) -> int:
    texts = (value for item in items for value in item.values() if isinstance(value, str))
    return max((len(text) for text in texts if not _DATE.match(text)), default=0)


def _example(name: str, items: list[Record], record: Mapping[str, Any]) -> str:
    """Return a mapping of fields by their usual names, or else of the longest texts and of dates."""
    values: dict[str, list[Any]] = {}
    for item in items:
        for field, value in item.items():
            values.setdefault(field, []).append(value)
    own = {field: field for field in _OF_MESSAGES if field in values}
    usual = own | usual_columns(list(values), own, values=values)
    longest = max(values, key=lambda field: _length_of_texts([{field: value} for value in values[field]]))
    usual.setdefault("text", longest)
    dated = (field for field, stated in values.items() if any(_DATE.match(str(value)) for value in stated))
    usual.setdefault("timestamp", next(dated, "FIELD"))
    of_record = usual_columns([*record], ())
    whole = of_record.get("conversation_id") or next((key for key in ("id", "_id", "uuid") if key in record), None)
    pairs = [f"conversation_id: {whole}"] if whole and "." not in whole else []
    pairs += [f"{column}: '{name}[].{usual.get(column, 'FIELD')}'" for column in _OF_MESSAGES]
    return ", ".join(pairs)
