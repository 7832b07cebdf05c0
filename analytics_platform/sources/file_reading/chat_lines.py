"""Read JSON lines with a chat each, its messages a list of roles and texts, in columns instead of message by message.

Lines of another form take the way of all other records; both ways give the same rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.file_reading.unfolding import unfolded
from analytics_platform.sources.formats.file_records import Records, rows_of
from analytics_platform.sources.formats.json_by_arrow import parse_objects
from analytics_platform.sources.formats.json_rows import parse_json_lines, whole_lines
from analytics_platform.sources.row_rules.text_bytes import Mask, valid_mask
from analytics_platform.sources.rows import CONTENT_ID, Rows, empty_to_null
from analytics_platform.sources.shapes.exports.openai_messages import (
    ANSWERS,
    CONVERSATIONS,
    LISTS,
    MESSAGES,
    UNKEPT,
)
from analytics_platform.sources.shapes.id_keys import REQUEST_USER_KEYS, TIME_KEYS
from analytics_platform.sources.shapes.identity import (
    MessagePlace,
    Turn,
    identify,
    identify_conversation,
    identify_first,
)
from analytics_platform.sources.shapes.shape import Context, role_of, written_parts

_TYPES = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_KEYS = {"role", "content"}
_OF_MESSAGES = frozenset({"conversation_id", "message_id", "role", "text", "timestamp", "time_source", "sequence"})
_ANSWERS = frozenset(ANSWERS)
_SMALLEST_PART = 64 << 10
"""Bytes of lines below which the ones that Arrow can parse are not looked for any further."""
_REGULAR_PER_IRREGULAR = 200
"""Fewest chats of the form for each one of another. Among more of these, columns would save nothing."""
_ID_BYTES, _ID_CHARACTERS = 16, 32


@dataclass(frozen=True)
class ChatColumns:
    """The form of lines that can be read in columns.

    Attributes:
        schema: Types of the values of a line.
        messages: Key of the list of messages.
    """

    schema: pa.Schema
    messages: str


def chat_columns(records: Records) -> ChatColumns | None:
    """Return the form of chats if nearly all have the same key for their messages, and no other nested value.

    Args:
        records: The first records of a file of the shape ``MESSAGES``.
    """
    types: dict[str, type] = {}
    lists: set[str] = set()
    irregular = len(records.problems)
    for record in records.values:
        found = {name: type(value) for name, value in record.items() if value is not None}
        own = [name for name, kind in found.items() if kind is list]
        if (
            len(own) == 1
            and all(isinstance(item, dict) and item.keys() == _KEYS for item in record[own[0]])
            and all(types.get(name, kind) is kind for name, kind in found.items())
            and _ANSWERS.isdisjoint(record)
        ):
            lists.update(own)
            types |= found
        else:
            irregular += 1
    kinds = {kind for name, kind in types.items() if name not in lists}
    is_named = all(types.get(name) is not bool for name in CONVERSATIONS)  # its text differs between the two ways
    if len(lists) != 1 or not lists <= {*LISTS} or not kinds <= _TYPES.keys() or not is_named:
        return None
    if irregular * _REGULAR_PER_IRREGULAR > len(records.values):
        return None
    (messages,) = lists
    names = sorted(set().union(*records.values) - lists - _ANSWERS)
    fields = [(name, _TYPES[types.get(name, str)]) for name in names]
    return ChatColumns(pa.schema([*fields, (messages, _MESSAGES)]), messages)


def read_chat_lines(first: bytes, stream: BinaryIO, form: ChatColumns, context: Context) -> Iterator[Rows]:
    """Yield the messages of lines with a chat each.

    Args:
        first: The first lines of the file.
        stream: The file's bytes, UTF-8, after these lines.
        form: From ``chat_columns``.
        context: The file.
    """
    number = 1
    content = first
    while content:
        for rows in _rows(content, form, context, number):
            number += len(rows.numbers)
            yield rows
        content = whole_lines(stream)


def _rows(content: bytes, form: ChatColumns, context: Context, number: int) -> Iterator[Rows]:
    """Yield the messages of lines; the halves of lines that Arrow cannot parse are tried by themselves."""
    table = parse_objects(content, form.schema)
    rows = None if table is None else _Chats(table, form, context).rows(number)
    if rows is not None:
        yield rows
        return
    middle = content.find(b"\n", len(content) // 2) + 1
    if len(content) > _SMALLEST_PART and 0 < middle < len(content):
        for part in (content[:middle], content[middle:]):
            for rows in _rows(part, form, context, number):
                number += len(rows.numbers)
                yield rows
        return
    records = parse_json_lines(content)
    if records.values:
        for messages in unfolded(iter([records]), MESSAGES, context, []):
            yield rows_of(messages, number)


class _Chats:
    """Chats in columns.

    Args:
        table: The lines.
        form: Their form.
        context: The file.
    """

    def __init__(self, table: pa.Table, form: ChatColumns, context: Context) -> None:
        self._context = context
        self._columns = {
            name: column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
        self._lists = self._columns.pop(form.messages)
        self._count = table.num_rows

    def rows(self, number: int) -> Rows | None:
        """Return the messages as rows; None where they are not all of the form.

        Args:
            number: Number of the first row.
        """
        conversations = self._first_of(CONVERSATIONS)
        lengths = pc.list_value_length(self._lists)
        items = self._lists.flatten()
        if lengths.null_count or pc.min(lengths).as_py() == 0 or items.null_count:
            return None
        starts = np.concatenate([[0], np.cumsum(lengths.to_numpy())])
        words, texts = items.field("role"), items.field("content")
        opening = pa.array(starts[:-1])
        if words.take(opening).null_count or texts.take(opening).null_count:  # its first item is no message
            return None
        has_key = valid_mask(conversations)
        if not has_key.all() and (words.null_count or texts.null_count):  # a missing value is not null in an id
            return None
        self._context.number += self._count
        conversations = self._named(conversations, starts, words, texts)
        parents = pa.array(np.repeat(np.arange(self._count), np.diff(starts)))
        roles, texts = _roles(words), _plain(texts)
        columns = {name: values.take(parents) for name, values in self._further().items()}
        of_messages = conversations.take(parents)
        chats = _Identities(conversations.to_pylist(), has_key.tolist(), starts)
        ids, positions = self._identified(chats, of_messages, roles, texts)
        columns |= {
            "conversation_id": of_messages,
            "message_id": ids,
            "role": roles,
            "text": texts,
            "sequence": pa.array(positions).cast(pa.string()),
            **self._times(parents, positions),
        }
        stated = {
            name: empty_to_null(values)
            for name, values in sorted(columns.items())
            if name in _OF_MESSAGES or values.null_count < len(values)
        }
        return Rows(np.arange(number, number + len(roles), dtype=np.int64), stated)

    def _first_of(self, names: tuple[str, ...]) -> pa.Array:
        """Return for each chat the first value that is there, of several keys, as text."""
        values = [_filled(self._columns[name]) for name in names if name in self._columns]
        return pc.coalesce(*values) if values else pa.nulls(self._count, pa.string())

    def _further(self) -> dict[str, pa.Array]:
        kept = {
            name: values.cast(pa.string())
            for name, values in self._columns.items()
            if name not in UNKEPT and name not in _OF_MESSAGES
        }
        return kept | {"user_id": self._first_of(REQUEST_USER_KEYS)}

    def _times(self, parents: pa.Array, positions: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, pa.Array]:
        """Return the columns ``timestamp`` and ``time_source``: that of the chat, or of the file and the place."""
        stated = self._first_of(TIME_KEYS)
        if not stated.null_count:
            self._context.shared_times += len(parents)
            return {
                "timestamp": stated.take(parents),
                "time_source": pa.repeat(pa.scalar("conversation", pa.string()), len(parents)),
            }
        of_messages = stated.take(parents)
        untimed = of_messages.is_null().to_numpy(zero_copy_only=False)
        self._context.shared_times += int((~untimed).sum())
        self._context.untimed += int(untimed.sum())
        places, at = np.unique(positions, return_inverse=True)
        times = pa.array([self._context.file_time(place) for place in places.tolist()], pa.string())
        by_place = times.take(pa.array(at))
        return {
            "timestamp": pc.coalesce(of_messages, by_place),
            "time_source": pc.if_else(pa.array(untimed), "file", "conversation"),
        }

    def _named(
        self, conversations: pa.Array, starts: np.ndarray[Any, np.dtype[np.int64]], words: pa.Array, texts: pa.Array
    ) -> pa.Array:
        """Return the ids of chats; one without an id gets one from its content."""
        if not conversations.null_count:
            return conversations
        found, bounds = conversations.to_pylist(), starts.tolist()
        said = [
            {"role": word, "content": text} for word, text in zip(words.to_pylist(), texts.to_pylist(), strict=True)
        ]
        times = [self._columns[name].to_pylist() for name in TIME_KEYS if name in self._columns]
        for chat in np.flatnonzero(~valid_mask(conversations)).tolist():
            time = next((values[chat] for values in times if values[chat] not in (None, "")), None)
            found[chat] = identify_conversation(self._context, time, said[bounds[chat] : bounds[chat + 1]])
        return pa.array(found, pa.string())

    def _identified(
        self, chats: _Identities, of_messages: pa.Array, roles: pa.Array, texts: pa.Array
    ) -> tuple[pa.Array, np.ndarray[Any, np.dtype[np.int64]]]:
        """Return the id of each message, and its place in its conversation."""
        none = pa.scalar("None", pa.string())  # as Python shows a missing value
        content = pc.binary_join_element_wise(
            of_messages, pc.fill_null(roles, none), none, pc.fill_null(texts, none), "\0"
        ).cast(pa.binary())
        sha256 = hashlib.sha256
        digests = np.frombuffer(b"".join([sha256(one).digest() for one in content.to_pylist()]), dtype=np.uint8)
        digests = digests.reshape(-1, 2 * _ID_BYTES)
        short = np.ascontiguousarray(digests[:, :8]).view(">u8").ravel()
        ids, positions = _hexadecimal(digests[:, :_ID_BYTES]), chats.places()
        others = self._others(chats, short, roles, texts)
        if others:
            mask = np.zeros(len(short), dtype=bool)
            mask[list(others)] = True
            order = sorted(others)
            named = pa.array([others[at].message_id for at in order], pa.string())
            ids = pc.replace_with_mask(ids, pa.array(mask), named)
            positions[order] = [others[at].position for at in order]
        return ids, positions

    def _others(
        self, chats: _Identities, short: np.ndarray[Any, np.dtype[np.uint64]], roles: pa.Array, texts: pa.Array
    ) -> dict[int, MessagePlace]:
        """Return the places of messages in chats that say something twice, or go on from a line before."""
        keys, bounds = short.tolist(), chats.starts.tolist()
        is_repeating, openings = chats.have_repeated(short).tolist(), chats.openings(roles).tolist()
        others: dict[int, MessagePlace] = {}
        for chat, (conversation, has_key, start, end, opening) in enumerate(
            zip(chats.names, chats.have_key, bounds[:-1], bounds[1:], openings, strict=True)
        ):
            is_new = not is_repeating[chat]
            if has_key and is_new:
                is_new = identify_first(self._context, conversation, keys[start + opening : end], opening)
            if not is_new:
                turns = [Turn(roles[at].as_py(), texts[at].as_py()) for at in range(start, end)]
                places = identify(self._context, conversation, turns, continues=has_key)
                others.update(enumerate(places, start))
        return others


@dataclass(frozen=True)
class _Identities:
    """What identifies the chats of a block.

    Attributes:
        names: Their ids.
        have_key: Whether a chat's line states its id.
        starts: Place of each chat's first message, and the number of messages; shape (chats + 1,).
    """

    names: list[str]
    have_key: list[bool]
    starts: np.ndarray[Any, np.dtype[np.int64]]

    def places(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the number of messages before each message in its chat."""
        return np.arange(self.starts[-1]) - np.repeat(self.starts[:-1], np.diff(self.starts))

    def openings(self, roles: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return how many instructions to the assistant each chat begins with."""
        is_system = pc.fill_null(pc.equal(roles, "system"), False).to_numpy(zero_copy_only=False)
        ends = np.repeat(self.starts[1:], np.diff(self.starts))
        firsts = np.minimum.reduceat(np.where(is_system, ends, np.arange(len(is_system))), self.starts[:-1])
        return np.asarray(firsts - self.starts[:-1], dtype=np.int64)

    def have_repeated(self, keys: np.ndarray[Any, np.dtype[np.uint64]]) -> Mask:
        """Return which chats have a message whose key another message has; keys differ between conversations."""
        _, first, counts = np.unique(keys, return_index=True, return_counts=True)
        is_repeated = np.ones(len(keys), dtype=bool)
        is_repeated[first[counts == 1]] = False
        return np.asarray(np.add.reduceat(is_repeated, self.starts[:-1]) > 0, dtype=bool)


def _filled(values: pa.Array) -> pa.Array:
    """Return values as text, null for an empty one."""
    return empty_to_null(values.cast(pa.string()))


def _roles(words: pa.Array) -> pa.Array:
    encoded = words.dictionary_encode()
    return pa.array([role_of(word) for word in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def _plain(texts: pa.Array) -> pa.Array:
    """Return texts with the text of content parts that a program wrote as JSON."""
    mask = pc.fill_null(pc.match_substring(texts, "type"), False)
    if not pc.any(mask).as_py():
        return texts
    return pc.replace_with_mask(
        texts, mask, pa.array([written_parts(text) for text in texts.filter(mask).to_pylist()], pa.string())
    )


def _hexadecimal(digests: np.ndarray[Any, np.dtype[np.uint8]]) -> pa.Array:
    """Return digests of shape (rows, 16) as texts that begin with ``CONTENT_ID``."""
    count = len(digests)
    prefix = np.frombuffer(CONTENT_ID.encode(), dtype=np.uint8)
    written = np.frombuffer(digests.tobytes().hex().encode(), dtype=np.uint8).reshape(count, _ID_CHARACTERS)
    whole = np.hstack([np.broadcast_to(prefix, (count, len(prefix))), written])
    offsets = np.arange(count + 1, dtype=np.int32) * whole.shape[1]
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(whole.tobytes()))
