"""Searches the lake for the conversations most similar to a stored conversation, to a text, or to a discovered topic.

``insights.similarity`` searches one day; this module goes through the days and describes the results.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.insights.similarity import best, nearest, vector_of
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder, static_encoder
from analytics_platform.model.tables.clean_tables import CONVERSATIONS, MESSAGES
from analytics_platform.model.tables.insight_tables import CONVERSATION_EMBEDDINGS, CONVERSATION_INSIGHTS
from analytics_platform.operations.discovering.topic_list import central_conversations
from analytics_platform.storage.partitions import PartitionStore, PartitionStream, PartitionTask, run_tasks
from analytics_platform.system.plain_text import counted

T = TypeVar("T")

VECTORS = CONVERSATION_EMBEDDINGS.name
_FIRST_CHARACTERS = 80
_MAKE_THEM = f"`analytics run --select '*{VECTORS}'` makes them"


class SimilarError(UserError):
    """A search is not possible; the message says what is missing."""


@dataclass(frozen=True)
class SimilarConversation:
    """A conversation in the result of a search.

    Attributes:
        date: Its day.
        conversation_id: Identifier of the conversation.
        similarity: Cosine similarity to the query vector, -1 to 1.
        primary_topic: Its primary topic; None if its insights are not stored.
        first_words: Beginning of its first message with text, preferably the customer's; None if no messages are
            stored.
    """

    date: str
    conversation_id: str
    similarity: float
    primary_topic: str | None
    first_words: str | None


@dataclass(frozen=True)
class Similar:
    """The result of a search, and its coverage.

    Attributes:
        conversations: The most similar conversations first; ties by date and id.
        days: Number of searched days.
        searched: Number of searched conversations.
        days_without_vectors: Number of days of the range with conversations but without stored vectors; not searched.
    """

    conversations: Sequence[SimilarConversation]
    days: int
    searched: int
    days_without_vectors: int

    def as_json(self) -> dict[str, Any]:
        """Return the result as a dictionary for JSON."""
        return asdict(self)


class SimilarSearch:
    """A search through the lake. Memory holds as many days at once as there are workers, and one more.

    Args:
        lake: The store of the vectors.
        encoder: The encoder that must have made the vectors.
        workers: Number of days read at once.
    """

    def __init__(self, lake: PartitionStore, encoder: StaticEncoder, workers: int) -> None:
        self._lake = lake
        self._encoder = encoder
        self._workers = workers

    def to_conversation(self, conversation_id: str, first: str | None, last: str | None, limit: int) -> Similar:
        """Find the conversations most similar to a stored one, which may be of any day.

        Args:
            conversation_id: The conversation; it is not part of the result.
            first: First day, ``YYYY-MM-DD``; the first stored day when None.
            last: Last day, inclusive; the last stored day when None.
            limit: The most conversations to return.

        Raises:
            SimilarError: If the conversation is unknown or has no words that the encoder knows, or no vectors are
                stored.
        """
        everywhere = self._days(None, None)
        places = self._each_day(everywhere, partial(_row_exists, conversation_id), ["conversation_id"])
        day = next((day for day, there in zip(everywhere, places, strict=True) if there), None)
        if day is None:
            raise SimilarError(
                f"conversation {conversation_id!r} has no vector in the {counted(len(everywhere), 'day')} stored: the "
                "lake does not hold the conversation, or its messages have no words"
            )
        vector = vector_of(self._checked(day, self._lake.read(VECTORS, day)), conversation_id)
        if vector is None or not vector.any():
            raise SimilarError(f"conversation {conversation_id!r} of {day} has no word that the encoder knows")
        return self._search(vector, first, last, limit, without=conversation_id)

    def to_text(self, text: str, first: str | None, last: str | None, limit: int) -> Similar:
        """Find the conversations most similar to a text; arguments and errors as for ``to_conversation``."""
        vector = self._encoder.encode([text])[0]
        if not vector.any():
            raise SimilarError("--text: has no word that the encoder knows")
        return self._search(vector, first, last, limit)

    def to_topic(self, topic_id: str, first: str | None, last: str | None, limit: int) -> Similar:
        """Find the conversations most similar to the most central ones of a discovered topic; these are among them.

        Args:
            topic_id: Identifier of the topic.
            first: As for ``to_conversation``.
            last: As for ``to_conversation``.
            limit: As for ``to_conversation``.

        Raises:
            TopicError: If no topics are stored, or the topic is not among them.
            SimilarError: If the topic's conversations are not stored any more, or no vectors are stored.
        """
        ids = pa.array(central_conversations(self._lake, topic_id), pa.string())
        columns = ["conversation_id", "embedding", "encoder"]
        own = [table for table in self._each_day(self._days(None, None), partial(self._rows_of, ids), columns) if table]
        vectors = [vector_of(table, name) for table in own for name in table["conversation_id"].to_pylist()]
        mean = np.sum([vector for vector in vectors if vector is not None], axis=0)
        if not np.any(mean):
            raise SimilarError(f"{topic_id}: its most central conversations are not stored any more")
        return self._search(mean / np.linalg.norm(mean), first, last, limit)

    def _rows_of(self, ids: pa.Array, day: str, table: pa.Table) -> pa.Table:
        rows = table.filter(pc.is_in(table["conversation_id"], value_set=ids))
        return self._checked(day, rows) if rows.num_rows else rows

    def _search(
        self,
        vector: NDArray[np.floating],
        first: str | None,
        last: str | None,
        limit: int,
        without: str | None = None,
    ) -> Similar:
        days = self._days(first, last)
        sizes: list[int] = []

        def nearest_of(day: str, table: pa.Table) -> tuple[int, pa.Table]:
            return len(table), nearest(self._checked(day, table), vector, limit, without=without)

        def found() -> Iterator[pa.Table]:
            for size, rows in self._each_day(days, nearest_of, CONVERSATION_EMBEDDINGS.column_names):
                sizes.append(size)
                yield rows

        rows = best(found(), limit)
        stored = set(self._lake.keys(CONVERSATIONS.name)).difference(days)
        unsearched = [day for day in stored if _within(day, first, last)]
        return Similar(self._described(rows), len(days), sum(sizes), len(unsearched))

    def _days(self, first: str | None, last: str | None) -> list[str]:
        stored = self._lake.keys(VECTORS)
        days = [day for day in stored if _within(day, first, last)]
        if days:
            return days
        if not stored:
            raise SimilarError(f"no conversation's vector is stored; {_MAKE_THEM}")
        raise SimilarError(
            f"no conversation's vector is stored from {first or stored[0]} to {last or stored[-1]}, only from "
            f"{stored[0]} to {stored[-1]}; {_MAKE_THEM}, for the days of --from and --to"
        )

    def _each_day(self, days: Iterable[str], work: Callable[[str, pa.Table], T], columns: Sequence[str]) -> Iterator[T]:
        """Yield ``work(day, table)`` of each day in order; each table is read just before its use."""
        tasks = (PartitionTask(day, partial(self._lake.read, VECTORS, day, columns)) for day in days)
        return run_tasks(tasks, lambda task: work(task.key, task.compute()), self._workers)

    def _checked(self, day: str, table: pa.Table) -> pa.Table:
        """Return the vectors of a day; refuse vectors of another encoder, which cannot be compared."""
        others = [name for name in table["encoder"].unique().to_pylist() if name != self._encoder.name]
        if others:
            raise SimilarError(
                f"the vectors of {day} are of the encoder {others[0]}, and the current one is {self._encoder.name}; "
                f"{_MAKE_THEM} anew"
            )
        return table

    def _described(self, rows: pa.Table) -> list[SimilarConversation]:
        """Return the result rows with topic and first words; only the days of these rows are read."""
        found = [{**row, "date": row["date"].isoformat()} for row in rows.to_pylist()]
        wanted: dict[str, list[str]] = {}
        for row in found:
            wanted.setdefault(row["date"], []).append(row["conversation_id"])
        topics: dict[str, str] = {}
        words: dict[str, str] = {}
        insights = PartitionStream(self._lake, CONVERSATION_INSIGHTS.name, wanted)
        messages = PartitionStream(self._lake, MESSAGES.name, wanted)
        for day, ids in wanted.items():
            if day in insights:
                topics |= _topics(insights.select("conversation_id", "primary_topic")[day], ids)
            if day in messages:
                words |= _first_words(messages.select("conversation_id", "position", "role", "text")[day], ids)
        return [
            SimilarConversation(
                **row, primary_topic=topics.get(row["conversation_id"]), first_words=words.get(row["conversation_id"])
            )
            for row in found
        ]


def find_similar(
    platform: Platform,
    first: str | None,
    last: str | None,
    limit: int,
    *,
    conversation_id: str | None = None,
    topic_id: str | None = None,
    text: str = "",
) -> Similar:
    """Search the platform's lake by a conversation or a topic, or by a text if neither is given; see ``SimilarSearch``.

    Neither MongoDB nor Dagster's instance is opened.
    """
    search = SimilarSearch(platform.lake, static_encoder(), platform.settings.workers or os.cpu_count() or 1)
    if conversation_id is not None:
        return search.to_conversation(conversation_id, first, last, limit)
    if topic_id is not None:
        return search.to_topic(topic_id, first, last, limit)
    return search.to_text(text, first, last, limit)


def _within(day: str, first: str | None, last: str | None) -> bool:
    return (first or day) <= day <= (last or day)


def _row_exists(conversation_id: str, day: str, table: pa.Table) -> bool:  # noqa: ARG001  (as ``_each_day`` calls it)
    return bool(pc.index(table["conversation_id"], conversation_id).as_py() >= 0)


def _topics(insights: pa.Table, ids: Sequence[str]) -> dict[str, str]:
    chosen = insights.filter(pc.is_in(insights["conversation_id"], pa.array(ids)))
    return dict(zip(chosen["conversation_id"].to_pylist(), chosen["primary_topic"].to_pylist(), strict=True))


def _first_words(messages: pa.Table, ids: Sequence[str]) -> dict[str, str]:
    """Return the beginning of each conversation: its first message with text, the customer's if there is one."""
    has_text = pc.not_equal(pc.utf8_trim_whitespace(messages["text"]), "")
    chosen = messages.filter(pc.and_(pc.is_in(messages["conversation_id"], pa.array(ids)), has_text))
    others = pc.not_equal(chosen["role"], "user").cast(pa.int8())
    ordered = chosen.append_column("others", others).sort_by([("others", "ascending"), ("position", "ascending")])
    words: dict[str, str] = {}
    for name, text in zip(ordered["conversation_id"].to_pylist(), ordered["text"].to_pylist(), strict=True):
        flat = " ".join(text.split())
        cut = flat if len(flat) <= _FIRST_CHARACTERS else flat[: _FIRST_CHARACTERS - 1].rstrip() + "…"
        words.setdefault(name, cut)
    return words
