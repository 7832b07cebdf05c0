"""Identify messages and conversations that have no id of their own, by their content.

Two exports of one message give it the same id, whatever its file, its record or its place in a list. Equal messages of
one record differ by their occurrence number. Ids of this module begin with ``CONTENT_ID``, so that ``deduplication``
takes two rows of one id for one message, and reports no conflict.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from analytics_platform.sources.rows import CONTENT_ID
from analytics_platform.sources.shapes.shape import Context, derived_id

_MOST_THREADS = 20_000
"""Most conversations of one file that are remembered; the one that was read longest ago is forgotten."""


class Turn(NamedTuple):
    """A message of a record.

    Attributes:
        role: Who speaks.
        text: What the message says.
        time: The message's own time as the file states it; None if only its conversation or its file has a time.
    """

    role: Any
    text: Any
    time: Any = None


class MessagePlace(NamedTuple):
    """What identifies a message within its conversation.

    Attributes:
        message_id: An id that depends on the conversation and the message's content.
        position: Number of messages before it, in this record and, of a conversation without times, in the records of
            the same file before.
    """

    message_id: str
    position: int


@dataclass(slots=True)
class _Thread:
    """Messages of one conversation, as the records of a file gave them.

    Attributes:
        opening: Number of instructions to the assistant before the first message.
        keys: Hashes of the messages, in order.
    """

    opening: int = 0
    keys: list[int] = field(default_factory=list)


def identify(
    context: Context, conversation: Any, turns: Sequence[Turn], *, continues: bool = True, fewest: int = 2
) -> list[MessagePlace]:
    """Return the place of each message of one conversation in one record.

    Several records of a file may hold messages of one conversation. With times, a message that two records hold is one
    message. Without times, a record that repeats the conversation's messages, as logs of requests do, adds those that
    are new; a record that repeats none adds all of its messages, even if an equal message stands in a record before.

    Args:
        context: The file; it remembers the messages of conversations without times.
        conversation: Id of the conversation.
        turns: The messages, in order.
        continues: Whether another record can hold messages of the conversation.
        fewest: Fewest messages of a record that can be a repetition.
    """
    keys = [_key(conversation, turn) for turn in turns]
    if not continues or all(turn.time is not None for turn in turns):
        return _numbered(keys, _shortened(keys), Counter(), 0)
    threads = _threads(context)
    thread = threads.pop(conversation) if conversation in threads else _Thread()
    threads[conversation] = thread  # the last one of the dictionary was read last
    forget_oldest(threads)
    opening = next((index for index, turn in enumerate(turns) if turn.role != "system"), len(turns))
    thread.opening = max(thread.opening, opening)
    short = _shortened(keys)
    hashes = short[opening:]
    start = _start(thread.keys, hashes, fewest)
    before = Counter(thread.keys[:start])
    if thread.keys[start : start + len(hashes)] != hashes:
        thread.keys[start:] = hashes
    instructions = _numbered(keys[:opening], short[:opening], Counter(), 0)
    return [*instructions, *_numbered(keys[opening:], hashes, before, thread.opening + start)]


def identify_first(context: Context, conversation: Any, keys: list[int], opening: int) -> bool:
    """Remember the messages of a conversation without times that no record of the file held before.

    Args:
        context: As for ``identify``.
        conversation: Id of the conversation.
        keys: First eight bytes of the messages' hashes, in order, after the instructions to the assistant.
        opening: Number of these instructions.

    Returns:
        False, with nothing done, if a record held messages of the conversation.
    """
    threads = _threads(context)
    if conversation in threads:
        return False
    threads[conversation] = _Thread(opening, keys)
    forget_oldest(threads)
    return True


def forget_oldest(memory: OrderedDict[Any, Any]) -> None:
    """Forget all but the last ``_MOST_THREADS`` conversations of what is remembered of a file."""
    while len(memory) > _MOST_THREADS:
        memory.popitem(last=False)


def _threads(context: Context) -> OrderedDict[Any, _Thread]:
    # A plain dictionary looks for its first key behind all that were removed: in a large file at 20,000 places.
    threads: OrderedDict[Any, _Thread] = context.memory.setdefault("threads", OrderedDict())
    return threads


def identify_rows(context: Context, turns: Sequence[tuple[Any, Turn]]) -> list[MessagePlace]:
    """Return the place of each message of a record that may hold messages of several conversations, as pages do.

    Args:
        context: As for ``identify``.
        turns: Conversation's id and message, in the order of the record.
    """
    indices: dict[Any, list[int]] = {}
    for index, (conversation, _) in enumerate(turns):
        indices.setdefault(conversation, []).append(index)
    places: dict[int, MessagePlace] = {}
    for conversation, of_conversation in indices.items():
        found = identify(context, conversation, [turns[index][1] for index in of_conversation])
        places.update(zip(of_conversation, found, strict=True))
    return [places[index] for index in range(len(turns))]


def identify_conversation(context: Context, *content: Any) -> str:
    """Return the id of a conversation that has none, from its content.

    Equal conversations of one file are separate. The file's context remembers a number per conversation.

    Args:
        context: The file.
        content: What the conversation says; no name of a file and no number of a row.
    """
    key = derived_id(*content)
    return _with_occurrence(key, _next_occurrence(context, key))


def identify_row(context: Context, *content: Any) -> str:
    """Return the id of a message that is a row of its own; equal rows of one file are separate messages.

    Args:
        context: The file.
        content: Conversation, speaker, text, and the time that the file states.
    """
    return CONTENT_ID + identify_conversation(context, *content)


def _key(conversation: Any, turn: Turn) -> str:
    """Return a hash of a message; ``derived_id`` takes any values, and twice the time."""
    content = f"{conversation}\0{turn.role}\0{turn.time}\0{turn.text}"
    return hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _start(thread: list[int], hashes: list[int], fewest: int) -> int:
    """Return the place in the conversation at which a record's first message stands.

    A single message may be said twice, so that only two equal ones in a row, or the end of the conversation at the
    beginning of a longer record, are a repetition; ``fewest`` is 1 where each record has what was said before it.
    """
    if len(hashes) >= fewest and thread[:1] == hashes[:1]:
        return 0
    for start, key in enumerate(thread):
        length = min(len(hashes), len(thread) - start)
        if len(hashes) >= fewest and key == hashes[0] and thread[start : start + length] == hashes[:length]:
            return start
    return len(thread)


def _shortened(keys: Sequence[str]) -> list[int]:
    return [int(key[:16], 16) for key in keys]


def _numbered(keys: Sequence[str], short: Sequence[int], before: Counter[int], position: int) -> list[MessagePlace]:
    """Return the places of messages with these keys, of which ``before`` counts the equal ones before them."""
    places = []
    for index, (key, number) in enumerate(zip(keys, short, strict=True), start=position):
        occurrence = before.get(number, 0)
        before[number] = occurrence + 1
        places.append(MessagePlace(CONTENT_ID + _with_occurrence(key, occurrence), index))
    return places


def _next_occurrence(context: Context, key: str) -> int:
    counts: dict[int, int] = context.memory.setdefault("occurrences", {})
    short = int(key[:16], 16)
    counts[short] = counts.get(short, -1) + 1
    return counts[short]


def _with_occurrence(key: str, occurrence: int) -> str:
    return derived_id(key, occurrence) if occurrence else key
