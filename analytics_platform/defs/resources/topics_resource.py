"""The discovered topics as a resource: the stored epochs, and what people say about topics."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.topics.curation import Curation
from analytics_platform.insights.topics.epoch_days import count_in_force
from analytics_platform.model.tables.topic_tables import CONVERSATION_TOPICS, TOPIC_EPOCHS
from analytics_platform.storage.partitions import PartitionStore

if TYPE_CHECKING:
    from analytics_platform.insights.topics.epochs import Epoch
    from analytics_platform.insights.topics.topics_in_force import TopicsInForce


class Topics:
    """The topics of the stored epochs, as people curate them; safe to share between threads.

    The epochs are read again when their table changes: a run computes them before it assigns conversations to them.

    Args:
        lake: Returns the store of the epochs.
        curation: Returns what people say about topics; called once.
    """

    def __init__(self, lake: Callable[[], PartitionStore], curation: Callable[[], Curation]) -> None:
        self._lake = lake
        self._read_curation = curation
        self._lock = RLock()
        self._content_hash: str | None = None
        self._dates: Sequence[dt.date] = ()
        self._versions: Sequence[str] = ()
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
        """Return the parts of a day's provenance that name the topics in force; computes and imports nothing."""
        with self._lock:
            self._refresh()
            count = count_in_force(self._dates, day)
            return {**({"topics": self._versions[count - 1]} if count else {}), **self.curation_version}

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

                table = self._lake().read(TOPIC_EPOCHS.name, "") if self._content_hash else TOPIC_EPOCHS.empty()
                self._epochs = read_epochs(table)
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
                self._in_force[count] = TopicsInForce(epochs[:count], self.curation)
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
        """Forget the epochs if their table has changed."""
        info = self._lake().info(TOPIC_EPOCHS.name, "")
        content_hash = info.content_hash if info else None
        if content_hash != self._content_hash:
            self._content_hash, self._epochs, self._in_force = content_hash, None, {}
            columns = ["epoch", "topics_version"]
            stored = self._lake().read(TOPIC_EPOCHS.name, "", columns) if info else TOPIC_EPOCHS.empty()
            self._dates, self._versions = (stored[name].to_pylist() for name in columns)
