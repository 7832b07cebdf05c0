"""The discovered topics as a resource: the stored epochs, names by an LLM, and what people say about topics."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.topics.curation import Curation
from analytics_platform.insights.topics.epoch_days import count_in_force
from analytics_platform.model import Table
from analytics_platform.model.tables.topic_tables import CONVERSATION_TOPICS, TOPIC_EPOCHS, TOPIC_NAMES
from analytics_platform.storage.partitions import PartitionStore
from analytics_platform.storage.provenance import short_hash

if TYPE_CHECKING:
    from analytics_platform.insights.topics.epochs import Epoch
    from analytics_platform.insights.topics.topics_in_force import TopicsInForce


class Topics:
    """The topics of the stored epochs, as people curate them; safe to share between threads.

    Epochs and names are read again when their tables change: a run computes them before it assigns conversations.

    Args:
        lake: Returns the store of the epochs and of the names.
        curation: Returns what people say about topics; called once.
        are_named: Whether an LLM names topics; if not, ``topic_names`` is not read.
    """

    def __init__(
        self, lake: Callable[[], PartitionStore], curation: Callable[[], Curation], *, are_named: bool = False
    ) -> None:
        self._lake = lake
        self._read_curation = curation
        self._tables = (TOPIC_EPOCHS.name, *([TOPIC_NAMES.name] if are_named else []))
        self._lock = RLock()
        self._content_hashes: dict[str, str | None] = {}
        self._dates: Sequence[dt.date] = ()
        self._versions: Sequence[str] = ()
        self._names: Sequence[Mapping[str, Any]] = ()
        self._epochs: list[Epoch] | None = None
        self._in_force: dict[int, TopicsInForce] = {}

    @cached_property
    def curation(self) -> Curation:
        """What people say about topics.

        Raises:
            CurationError: If the file of topics cannot be used.
        """
        return self._read_curation()

    def version(self, day: str) -> Mapping[str, str]:
        """Return the parts of a day's provenance that say which topics are in force; computes and imports nothing.

        Of the names by an LLM, only those count that are shown on the day. So a topic that is born later, or that a
        person has named, makes no earlier day stale.
        """
        with self._lock:
            self._refresh()
            count = count_in_force(self._dates, day)
            if not count:
                return self.curation_version
            shown = self._names_shown(self._dates[count - 1])
            return {
                "topics": self._versions[count - 1],
                **({"topic names": short_hash(str(shown))} if shown else {}),
                **self.curation_version,
            }

    def _names_shown(self, date: dt.date) -> dict[str, str]:
        """Return the names by the LLM of the topics that are born at an epoch or before it, and that nobody renamed."""
        renamed = {topic for topic, said in self.curation.topics.items() if said.name}
        return {
            row["topic_id"]: row["name"]
            for row in self._names
            if row["name"] and row["born_on"] <= date and row["topic_id"] not in renamed
        }

    @cached_property
    def curation_version(self) -> Mapping[str, str]:
        """The part of a provenance that names what people say about topics; empty if they say nothing."""
        return {"topics by people": self.curation.version} if self.curation.version else {}

    @property
    def epochs(self) -> list[Epoch]:
        """The stored epochs.

        Raises:
            TopicModelError: If they are damaged, or of another version of this program.
        """
        with self._lock:
            self._refresh()
            if self._epochs is None:
                from analytics_platform.insights.topics.epoch_rows import read_epochs  # noqa: PLC0415  (imports SciPy)

                self._epochs = read_epochs(self._read(TOPIC_EPOCHS))
            return self._epochs

    def reusable_epochs(self) -> list[Epoch]:
        """Return the stored epochs; none if another version of this program wrote them."""
        from analytics_platform.insights.discovery.topic_model import TopicModelError  # noqa: PLC0415  (imports SciPy)

        try:
            return self.epochs
        except (TopicModelError, KeyError):  # another form of the topics, or other columns
            return []

    def in_force(self, day: str | None = None) -> TopicsInForce:
        """Return the topics in force on a day; those of all epochs when None."""
        from analytics_platform.insights.topics.topics_in_force import TopicsInForce  # noqa: PLC0415  (imports SciPy)

        with self._lock:
            epochs = self.epochs
            count = len(epochs) if day is None else count_in_force(self._dates, day)
            if count not in self._in_force:
                names = {row["topic_id"]: row["name"] for row in self._names if row["name"]}
                self._in_force[count] = TopicsInForce(epochs[:count], self.curation, names)
            return self._in_force[count]

    def assign(self, messages: pa.Table, message_embeddings: pa.Table) -> pa.Table:
        """Return ``CONVERSATION_TOPICS`` of some days."""
        from analytics_platform.insights.topics.openings import read_openings  # noqa: PLC0415  (imports SciPy)

        found = messages.group_by(["conversation_id", "date"], use_threads=False).aggregate([])
        openings = read_openings(messages, message_embeddings)
        days = found["date"].combine_chunks().dictionary_encode()
        topics = [self.in_force(day.isoformat()) for day in days.dictionary.to_pylist()]
        numbers = {id(one): number for number, one in enumerate(topics)}
        chosen = np.array([numbers[id(one)] for one in topics], np.int64)[days.indices.to_numpy()]
        assigned = [CONVERSATION_TOPICS.empty()]
        for number in np.unique(chosen).tolist():
            part = found.filter(pa.array(chosen == number))
            own = openings.only(pc.is_in(openings.ids, value_set=part["conversation_id"].combine_chunks()))
            assigned.append(topics[number].assign(part["date"], part["conversation_id"], own))
        return pa.concat_tables(assigned)

    def _refresh(self) -> None:
        """Forget the epochs or the names whose table has changed."""
        infos = {name: self._lake().info(name, "") for name in self._tables}
        before, now = self._content_hashes, {name: info.content_hash if info else None for name, info in infos.items()}
        if now == before:
            return
        self._content_hashes, self._in_force = now, {}
        if now[TOPIC_EPOCHS.name] != before.get(TOPIC_EPOCHS.name):
            columns = ["epoch", "topics_version"]
            stored = self._read(TOPIC_EPOCHS, columns)
            self._epochs, (self._dates, self._versions) = None, (stored[name].to_pylist() for name in columns)
        if now.get(TOPIC_NAMES.name) != before.get(TOPIC_NAMES.name):
            self._names = self._read(TOPIC_NAMES, ["topic_id", "born_on", "name"]).to_pylist()

    def _read(self, table: Table, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a stored table, or some of its columns; an empty one if it is not stored."""
        return self._lake().read(table.name, "", columns) if self._content_hashes[table.name] else table.empty()
