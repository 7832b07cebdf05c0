"""Lists the discovered topics of the lake, with the words of some of their conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.errors import UserError
from analytics_platform.insights.topics.openings import COLUMNS, words_of_days
from analytics_platform.model.tables.clean_tables import MESSAGES
from analytics_platform.model.tables.topic_tables import DISCOVERED_TOPICS, TOPIC_EPOCHS
from analytics_platform.storage.partitions import PartitionStore, PartitionStream


class TopicError(UserError, LookupError):
    """No topics are stored, or a topic is not among them."""


@dataclass(frozen=True)
class ListedTopic:
    """A discovered topic.

    Attributes:
        topic_id: Its identifier.
        name: Its name.
        sentence: What its conversations are about, by an LLM, or a sentence of one of them.
        parent_id: Identifier of its parent.
        parent: Name of its parent.
        conversations: Number of conversations in the 28 days before the last epoch.
        born_on: Epoch at which it was born.
        status: In use, dead, merged or hidden.
        examples: How its most central conversations begin.
    """

    topic_id: str
    name: str
    sentence: str
    parent_id: str
    parent: str
    conversations: int
    born_on: str
    status: str
    examples: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Return the topic as a dictionary for JSON."""
        return asdict(self)


def list_topics(
    lake: PartitionStore, *, examples: int, every: bool = False, topic_id: str | None = None
) -> list[ListedTopic]:
    """Return the topics, the largest first.

    Args:
        lake: The store of the topics.
        examples: Most examples of a topic.
        every: Whether topics that are dead, merged or hidden are listed, too.
        topic_id: The only topic to list, whatever its status.

    Raises:
        TopicError: If no topics are stored, or the topic is not among them.
    """
    rows = _stored(lake, topic_id)
    if topic_id is None and not every:
        rows = [row for row in rows if row["status"] == "in use"]
    rows.sort(key=lambda row: (-row["conversation_count"], row["topic_id"]))
    words = _words(lake, [name for row in rows for name in row["examples"][:examples]])
    return [
        ListedTopic(
            topic_id=row["topic_id"],
            name=row["topic_name"],
            sentence=row.get("sentence", ""),  # a table of an earlier version has none until the next run
            parent_id=row["parent_id"],
            parent=row["parent_name"],
            conversations=row["conversation_count"],
            born_on=row["born_on"].isoformat(),
            status=row["status"],
            examples=[words[name] for name in row["examples"][:examples] if words.get(name)],
        )
        for row in rows
    ]


def central_conversations(lake: PartitionStore, topic_id: str) -> list[str]:
    """Return the identifiers of a topic's most central conversations at its birth, at most ten.

    Raises:
        TopicError: If no topics are stored, or the topic is not among them.
    """
    (row,) = _stored(lake, topic_id)
    return list(row["examples"])


def _stored(lake: PartitionStore, topic_id: str | None) -> list[dict[str, Any]]:
    """Return the rows of one topic or, when None, of all; see ``list_topics`` for the errors."""
    if lake.info(DISCOVERED_TOPICS.name, "") is None:
        raise TopicError("no topics are stored; `analytics run` discovers them")
    rows: list[dict[str, Any]] = lake.read(DISCOVERED_TOPICS.name, "").to_pylist()
    if topic_id is None:
        return rows
    found = [row for row in rows if row["topic_id"] == topic_id]
    if not found:
        raise TopicError(f"{topic_id}: is no discovered topic; `analytics topics` lists them")
    return found


def _words(lake: PartitionStore, conversations: list[str]) -> dict[str, str]:
    """Return the words of the openings of some conversations, which may be of any day that an epoch reads."""
    if not conversations:
        return {}
    ids = pa.array(conversations, pa.string()).unique()
    epochs = lake.read(TOPIC_EPOCHS.name, "", ["first_day", "last_day"])
    first, last = str(pc.min(epochs["first_day"])), str(pc.max(epochs["last_day"]))
    days = [day for day in lake.keys(MESSAGES.name) if first <= day <= last]
    stream = PartitionStream(lake, MESSAGES.name, days).select(*COLUMNS)
    return dict(zip(ids.to_pylist(), words_of_days(stream.values(), ids).to_pylist(), strict=True))
