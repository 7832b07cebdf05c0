"""Records of no known shape whose messages are nested in a list, or whose values are nested in objects.

The records become flat ones, whose columns are then taken by their usual names (``table_columns``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.row_rules.role_vocabularies import tells_roles, vocabulary_of
from analytics_platform.sources.row_rules.role_words import plain_word
from analytics_platform.sources.shapes.catalogue import recognise_shape
from analytics_platform.sources.shapes.exports.exchanges import EXCHANGES
from analytics_platform.sources.shapes.exports.helpdesks import offline_messages, with_own_names
from analytics_platform.sources.shapes.exports.model_chats import BARE
from analytics_platform.sources.shapes.id_keys import CONTACT_KEYS, CONVERSATION_KEYS, RECORD_KEYS, TIME_KEYS
from analytics_platform.sources.shapes.identity import Turn, identify_conversation, identify_rows
from analytics_platform.sources.shapes.people import PEOPLE, PROMPTER, with_roles_of_people, with_stated_prompters
from analytics_platform.sources.shapes.shape import Context, Shape, content_text, first_of, is_list_of, is_thought
from analytics_platform.sources.shapes.table_parts.column_names import column_form
from analytics_platform.sources.shapes.table_parts.table_columns import usual_columns
from analytics_platform.sources.shapes.table_parts.table_roles import says_who_speaks

_PARENT_IDS = (*CONVERSATION_KEYS, *CONTACT_KEYS, "custom_id", *RECORD_KEYS)
"""Keys of a record that name its conversation, in the order in which they are tried."""
_MESSAGE_IDS = ("id", "Id", "uuid", "_id", "messageId", "message_id")
_INNER = (
    "_embedded", "data", "attributes", "conversation", "ticket", "chat", "transcript", "payload", "thread", "body",
    "response", "request", "chunkedPrompt", "results", "messageData", "messages",
)  # fmt: skip
"""Keys of objects in which a list of messages may stand."""
_DIALOGUES = frozenset({"dialogId", "dialog_id", "dialogue_id"})
"""Keys of LivePerson's dialogues, which are parts of a conversation."""
_OF_WHOLE_FILES = (EXCHANGES, BARE)
"""Shapes that are not looked for within a record."""
_OF_A_MESSAGE = ("role", "text", "timestamp")
_VALUE = "value"
"""A key of the text of some messages, and of what some events set."""
_TEXTS = frozenset({"content", "text", "body", "message", "parts", "message_parts"})
_MOST_DEPTH = 3
_SAMPLE = 50

Unfold = Callable[[Record, Context], Iterable[Record]]


def nested_shape(records: Sequence[Record], *, in_lists: bool = False) -> Shape | None:
    """Return the shape of records that hold a list of messages, or the fields of a message in objects.

    Args:
        records: The first records of a file.
        in_lists: Whether only messages in a list count, whose roles are known words.

    Returns:
        The shape; None if no list and no object gives every message a text and a speaker.
    """
    sample = [_with_listed_input(record) for record in records if record][:_SAMPLE]
    if in_lists:
        found = _unfolding(sample, (), _tells_messages)
        shape = None if found is None else _shape_of_lists(*found)
    else:
        shape = _shape_of(sample)
    return None if shape is None else replace(shape, unfold=partial(_unfold_listed, shape.unfold))


def _unfold_listed(unfold: Unfold, record: Record, context: Context) -> Iterable[Record]:
    return unfold(_with_listed_input(record), context)


def _with_listed_input(record: Record) -> Record:
    """Return a request of OpenAI's batches to its Responses with its input as a list, which may be a text."""
    body = record.get("body")
    if isinstance(body, dict) and isinstance(body.get("input"), str) and "/responses" in str(record.get("url")):
        return {**record, "body": {**body, "input": [{"role": "user", "content": body["input"]}]}}
    return record


def _shape_of(sample: Sequence[Record]) -> Shape | None:
    packed = _packed_shape(sample)
    if packed is not None:
        return packed
    # A conversation has a type, an author and a preview of its own, so that it looks like a message.
    found = _unfolding(sample, (), _tells_messages) or _unfolding(sample, (), _has_messages)
    if found is not None:
        return _shape_of_lists(*found)
    if any(
        isinstance(value, Mapping) or (name in _TEXTS and isinstance(value, list))
        for record in sample
        for name, value in record.items()
    ):
        flat = [flat_record(with_own_names(record)) for record in sample]
        if _has_messages(flat):
            text = _usual(flat).get("text", "text")
            return Shape("nested", "records with nested values", lambda _: True, partial(_flat_message, text))
    return None


def _shape_of_lists(path: tuple[str, ...], unfold: Unfold) -> Shape:
    return Shape("nested", f"records with messages in {'.'.join(path)}", lambda _: True, unfold)


def _flat_message(text: str, record: Record, context: Context) -> list[Record]:  # noqa: ARG001  (of each ``unfold``)
    """Return a message whose values stand in objects; a text that stands deep in it gets our name."""
    row = flat_record(with_own_names(record))
    return [_with_content({**row, "text": row[text]} if "." in text and text in row else row)]


def _with_content(row: Record) -> Record:
    """Return a message with its content as the text, where it has an empty text beside it, as LibreChat writes it."""
    if row.get("text", row) or not isinstance(row.get("content"), str):
        return row
    return {**row, "text": row["content"]}


def _packed_shape(sample: Sequence[Record]) -> Shape | None:
    """Return a known shape whose records stand in a list within an answer of an interface; None if there is none.

    Questions with answers are not looked for: a record may keep them in a list of steps beside its messages. Bare
    messages are those of the record, and not of the file.
    """
    for path in dict.fromkeys(path for record in sample for path in _lists(record)):
        shape = recognise_shape([item for record in sample for item in _items(record, path)])
        if shape is not None and shape not in _OF_WHOLE_FILES:
            title = f"{shape.title} in {'.'.join(path)}"
            return replace(shape, title=title, unfold=partial(_messages_of_items, path, shape.unfold))
    return None


def _unfolding(
    sample: Sequence[Record], above: tuple[str, ...], are_messages: Callable[[Sequence[Record]], bool]
) -> tuple[tuple[str, ...], Unfold] | None:
    """Return the path of the list of messages, and what yields them; lists may stand in the items of lists.

    Args:
        sample: The first records.
        above: Path of the list in which they stand.
        are_messages: Tells whether the items of a list, with their values under dotted keys, are messages.
    """
    paths = list(dict.fromkeys(path for record in sample for path in _lists(record)))
    items = {path: [item for record in sample for item in _items(record, path)][:_SAMPLE] for path in paths}
    for path in paths:
        flat = [flat_record(item) for item in items[path]]
        if are_messages(flat):
            return (*above, *path), partial(_messages, path, _spoken(flat))
    for path in paths:
        outer = [{**_inherited(record, path), **item} for record in sample for item in _items(record, path)[:_SAMPLE]]
        inner = (*above, *path)
        deeper = _unfolding(outer[:_SAMPLE], inner, are_messages) if len(above) < _MOST_DEPTH else None
        if deeper is not None:
            return deeper[0], partial(_messages_of_items, path, deeper[1])
    return None


def _messages_of_items(path: tuple[str, ...], unfold: Unfold, record: Record, context: Context) -> Iterator[Record]:
    inherited = _inherited(record, path)
    for item in _readable_items(record, path):
        yield from unfold({**inherited, **item}, context)


def _inherited(record: Record, path: Sequence[str]) -> Record:
    """Return what a record says of the conversations in its list: their id, and the people in it."""
    return {
        name: value
        for name, value in record.items()
        if name != path[0] and (name in CONVERSATION_KEYS or name in PEOPLE or name == "ContactId")
    }


class _Spoken(NamedTuple):
    """How the messages of a list say who speaks, and what.

    Attributes:
        role_column: The column that tells who speaks.
        words: Words of the column that mean another role there.
        text_column: The column of texts.
    """

    role_column: str
    words: Mapping[str, str]
    text_column: str


def _spoken(flat: Sequence[Record]) -> _Spoken:
    usual = _usual(flat)
    column = usual.get("role", "")
    return _Spoken(column, vocabulary_of(column_form(column), [row.get(column) for row in flat]), usual.get("text", ""))


def _lists(record: Record, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in record.items():
        if is_list_of(value, lambda item: isinstance(item, dict)):
            yield (*above, name)
    for name in _INNER:
        inner = record.get(name)
        if isinstance(inner, dict) and len(above) < _MOST_DEPTH:
            yield from _lists(inner, (*above, name))


def _readable_items(record: Mapping[str, Any], path: Sequence[str]) -> list[Record]:
    """Return the objects of a list; none of a record that has no list.

    Raises:
        ValueError: If something else stands there, which would be lost.
    """
    items = _items(record, path)
    if not items and _value_at(record, path):
        raise ValueError(f"{'.'.join(path)} is no list of objects")
    return items


def _value_at(record: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = record
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _items(record: Mapping[str, Any], path: Sequence[str]) -> list[Record]:
    """Return the objects of a list; one that names its author by an id gets the author's role from the record."""
    value = _value_at(record, path)
    listed = value if isinstance(value, list) else []
    items = [item for item in listed if isinstance(item, dict) and not is_thought(item)]
    if items and all(len(item) == 1 and isinstance(next(iter(item.values())), dict) for item in items):
        items = [next(iter(item.values())) for item in items]  # as Grok writes {"response": {...}}
    if items and PROMPTER in items[0]:
        return with_stated_prompters(items)
    return with_roles_of_people(items, record) if items and not record.keys().isdisjoint(PEOPLE) else items


def _has_messages(flat: Sequence[Record]) -> bool:
    names = list(dict.fromkeys(name for row in flat for name in row))
    usual = _usual(flat)
    return ("text" in usual or "text" in names) and ("role" in usual or "role" in names or says_who_speaks(names))


def _tells_messages(flat: Sequence[Record]) -> bool:
    """Tell whether objects are messages, and a word or a truth value of theirs says who speaks."""
    usual = _usual(flat)
    role = usual.get("role", "role")
    told = tells_roles(column_form(role.rpartition(".")[2]), [row.get(role) for row in flat])
    return _has_messages(flat) and (told or says_who_speaks(list(dict.fromkeys(name for row in flat for name in row))))


def _usual(rows: Iterable[Record], *stated: str) -> dict[str, str]:
    """Return the columns of rows that are taken for input columns, their own names included."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    own = {name: name for name in _OF_A_MESSAGE if name in values}
    usual = own | usual_columns(list(values), {*stated, *own}, values=values)
    if "text" not in usual:  # deeper in the message, such as messageData.msg.text
        inner = [name for name in values if "." in name and name.rpartition(".")[2] in _TEXTS and any(values[name])]
        usual |= dict(zip(("text",), inner, strict=False))
    return usual


def _messages(path: tuple[str, ...], spoken: _Spoken, record: Record, context: Context) -> Iterator[Record]:
    parent = flat_record(record, but=path)
    items = _readable_items(record, path) or offline_messages(record)
    key = first_of(parent, *_PARENT_IDS) or _inner_value(parent, CONVERSATION_KEYS)
    parent = {name: value for name, value in parent.items() if name not in CONTACT_KEYS or value != key}
    of_parent = _usual([parent], "conversation_id")
    taken = {of_parent[column] for column in ("message_id", *_OF_A_MESSAGE) if column in of_parent}
    for name in sorted(taken & parent.keys()):
        parent[f"conversation.{name}"] = parent.pop(name)  # it is no value of the message
    started = first_of(parent, *(f"conversation.{of_parent[name]}" for name in ("timestamp",) if name in of_parent))
    started = started or _inner_value(parent, TIME_KEYS)
    known: dict[tuple[str, ...], dict[str, str]] = context.memory.setdefault("columns", {})
    is_named = first_of(parent, *CONVERSATION_KEYS) or _inner_value(parent, CONVERSATION_KEYS)
    if is_named:
        items = [{name: value for name, value in item.items() if name not in _DIALOGUES} for item in items]
    rows = [_message_row(item, spoken, known) for item in items]
    whole: str | None = None if key is None else str(key)
    for row in rows:
        if row["conversation_id"] is None:
            whole = whole or identify_conversation(context, started, items)
            row["conversation_id"] = whole
    turns = [(row["conversation_id"], Turn(row.get("role"), row.get("text"), row.get("timestamp"))) for row in rows]
    for position, (row, place) in enumerate(zip(rows, identify_rows(context, turns), strict=True)):
        number = first_of(row, "message_id", *_MESSAGE_IDS)
        if number is None:
            position = place.position
        row |= context.time_of(row.get("timestamp"), started, position)
        yield {
            **{f"conversation.{name}" if name in row else name: value for name, value in parent.items()},
            **row,
            "message_id": place.message_id if number is None else f"{row['conversation_id']}:{number}",
            "sequence": position,
        }


def _inner_value(parent: Record, keys: Collection[str]) -> Any:
    """Return the value of a key that stands in an object of the record, such as ``info.conversationId``."""
    return next((value for name, value in parent.items() if "." in name and name.rpartition(".")[2] in keys), None)


def _message_row(item: Record, spoken: _Spoken, known: dict[tuple[str, ...], dict[str, str]]) -> Record:
    """Return a message's values under the names of the input columns; ``conversation_id`` is None if it has none.

    Args:
        item: The message.
        spoken: What the messages of the list have in common; if this one has no such column of roles, its own counts.
        known: The columns that are taken for input columns, by the keys of the messages before.
    """
    row = flat_record(item)
    keys = tuple(row)
    usual = known.get(keys) or _usual([row])
    role_column, words, text_column = spoken
    if usual.get("text") == _VALUE != text_column:  # of an event, such as a slot of Rasa
        del usual["text"]
    if role_column in row:
        usual["role"] = role_column
        if "." not in usual.get("text", "."):  # a text deeper in the message is looked for in each
            known[keys] = usual
        if words and row[role_column] is not None:
            row["role"] = words.get(plain_word(str(row[role_column])), row[role_column])
    for name in _OF_A_MESSAGE:
        if name in usual and usual[name] != name and name not in row:
            row[name] = row[usual[name]]  # the column itself may tell notes, too
    own = row.get(usual.get("conversation_id", "conversation_id"))
    row["conversation_id"] = None if own is None else str(own)
    return _with_content(row)


def _is_content(value: Any) -> bool:
    """Tell whether a value may be parts of a text; a message with a role, such as OpenAI's choice, is more."""
    return isinstance(value, list) or (isinstance(value, Mapping) and "role" not in value)


def flat_record(
    record: Mapping[str, Any], before: str = "", depth: int = _MOST_DEPTH, but: Sequence[str] = ()
) -> Record:
    """Return a record with the values of nested objects under dotted keys; content parts become their text.

    Args:
        record: The record.
        before: Text before each key.
        depth: Number of levels of objects to open.
        but: Path of a value to leave out.
    """
    flat: Record = {}
    for name, value in record.items():
        if but and name == but[0]:
            if len(but) > 1 and isinstance(value, Mapping):
                flat |= flat_record(value, f"{before}{name}.", depth, but[1:])
        elif isinstance(value, Mapping) and len(value) == 1 and next(iter(value)).startswith("$"):
            inner = next(iter(value.values()))  # MongoDB's $oid, $date and $numberLong
            flat |= flat_record({name: inner}, before, depth)
        elif name in _TEXTS and _is_content(value) and (text := content_text(value)) is not None:
            flat[f"{before}{name}"] = text
        elif isinstance(value, Mapping) and depth:
            flat |= flat_record(value, f"{before}{name}.", depth - 1)
        else:
            flat[f"{before}{name}"] = value
    return flat
