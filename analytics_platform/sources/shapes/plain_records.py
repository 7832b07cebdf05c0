"""Take records out of the forms in which databases and interfaces store them.

A document of Elasticsearch stands in ``_source``, one of DynamoDB has a type around each value, one of JSON:API has its
fields in ``attributes``. The shapes and the rules for tables see the record itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.message_trees import is_tree, without_branches

_LOOKED_AT = 20
_MOST_LAYERS = 3
_DYNAMO_TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})
_JSON_API = frozenset({"type", "id", "attributes", "relationships", "links", "meta"})
_LISTS = ("messages", "comments", "events", "turns")
"""Keys of lists of messages that some databases store as objects, by the id of the message."""


class _Form(NamedTuple):
    """A form in which records are stored: whether a record has it, and the record itself."""

    fits: Callable[[Mapping[str, Any]], bool]
    plain: Callable[[Record], Record]


def plain_form(records: Sequence[Record]) -> Callable[[Record], Record] | None:
    """Return what makes plain records of stored ones; None where the records are plain.

    Args:
        records: The first records of a file; all of them have the form, or none counts.
    """
    sample = [record for record in records if record][:_LOOKED_AT]
    steps: list[_Form] = []
    while sample and len(steps) < _MOST_LAYERS:
        form = next((form for form in _FORMS if all(map(form.fits, sample))), None)
        if form is None:
            break
        steps.append(form)
        sample = list(map(form.plain, sample))

    def plain(record: Record) -> Record:
        for step in steps:
            record = step.plain(record) if step.fits(record) else record
        return record

    return plain if steps else None


def records_by_key(record: Mapping[str, Any]) -> list[Record]:
    """Return the records of an object that has them by their ids, as Firebase exports them; none for another object.

    Args:
        record: The only object of a file: conversations by id, each an object or a list of messages; perhaps within an
            object that names them.
    """
    values = list(record.values())
    if len(values) == 1 and _is_keyed(values[0]) and values[0].keys().isdisjoint(_LISTS):
        return records_by_key(values[0])
    if values and all(isinstance(value, list) and value and isinstance(value[0], dict) for value in values):
        return [{"id": key, "messages": value} for key, value in record.items()]
    if not _are_objects(values):
        return []
    if len(values) > 1 and not set.intersection(*(set(value) for value in values)):
        return []  # objects of several kinds
    return [{**({} if "id" in value else {"id": key}), **_with_lists(value)} for key, value in record.items()]


def _are_objects(values: Any) -> bool:
    items = list(values)
    return bool(items) and all(isinstance(value, dict) and value for value in items)


def _dynamo_item(record: Mapping[str, Any]) -> Mapping[str, Any]:
    item = record.get("Item")
    return item if isinstance(item, dict) and len(record) == 1 else record


def _is_dynamo(record: Mapping[str, Any]) -> bool:
    return all(_is_typed(value) for value in _dynamo_item(record).values())


def _is_typed(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _DYNAMO_TYPES


def _untyped(value: Any) -> Any:
    """Return the plain value of DynamoDB's ``{"S": ...}``."""
    if not _is_typed(value):
        return value
    ((kind, inner),) = value.items()
    if kind == "M" and isinstance(inner, dict):
        return {name: _untyped(item) for name, item in inner.items()}
    if kind == "L" and isinstance(inner, list):
        return [_untyped(item) for item in inner]
    return None if kind == "NULL" else inner


def _is_json_api(record: Mapping[str, Any]) -> bool:
    return (
        isinstance(record.get("attributes"), dict)
        and isinstance(record.get("type"), str)
        and "id" in record
        and record.keys() <= _JSON_API
    )


def _of_json_api(record: Record) -> Record:
    """Return the fields of a record of JSON:API, with the id of each record that it refers to under ``NAME_id``."""
    related = record.get("relationships")
    ids = {}
    for name, value in related.items() if isinstance(related, dict) else ():
        data = value.get("data") if isinstance(value, dict) else None
        if isinstance(data, dict) and "id" in data:
            ids[f"{name}_id"] = data["id"]
    return {"id": record["id"], **ids, **record["attributes"]}


def _has_keyed_list(record: Mapping[str, Any]) -> bool:
    return any(_is_keyed(record.get(name)) for name in _LISTS)


def _is_keyed(value: Any) -> bool:
    return isinstance(value, dict) and _are_objects(value.values())


def _with_lists(record: Record) -> Record:
    """Return a record with lists in the place of objects of messages by id."""
    return {
        name: [{**({} if "id" in item else {"id": key}), **item} for key, item in value.items()]
        if name in _LISTS and _is_keyed(value)
        else value
        for name, value in record.items()
    }


def _row_after(record: Mapping[str, Any]) -> Any:
    """Return the row of a message of Debezium or another reader of a database's log, as it is after the change."""
    inner = record.get("payload")
    change = inner if isinstance(inner, dict) and "after" in inner else record
    return change.get("after") if "op" in change else None


_FORMS = (
    _Form(
        lambda record: isinstance(record.get("_source"), dict),
        lambda record: {**({"_id": record["_id"]} if "_id" in record else {}), **record["_source"]},
    ),
    _Form(  # CouchDB
        lambda record: isinstance(record.get("doc"), dict) and "id" in record and "value" in record,
        lambda record: record["doc"],
    ),
    _Form(_is_json_api, _of_json_api),
    _Form(_is_dynamo, lambda record: {name: _untyped(value) for name, value in _dynamo_item(record).items()}),
    _Form(lambda record: isinstance(_row_after(record), dict), lambda record: dict(_row_after(record))),
    _Form(  # PostHog
        lambda record: isinstance(record.get("properties"), dict) and "$ai_input" in record["properties"],
        lambda record: {
            **{name: value for name, value in record.items() if name != "properties"},
            **record["properties"],
        },
    ),
    _Form(is_tree, without_branches),
    _Form(_has_keyed_list, _with_lists),
)
