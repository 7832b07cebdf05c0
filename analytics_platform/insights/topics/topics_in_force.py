"""The topics in force on a day, as people curate them, and the topic of each of the day's conversations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.discovery.topic_model import OUTLIER, PARENT_TOPICS
from analytics_platform.insights.tiers.tier import Floats, Ints
from analytics_platform.insights.topics.curation import Curation
from analytics_platform.insights.topics.epochs import Epoch, join_born
from analytics_platform.insights.topics.openings import Openings
from analytics_platform.insights.topics.topic_changes import TopicChange
from analytics_platform.model.tables.topic_tables import (
    BIRTH,
    BY_MODEL,
    BY_OWN_WORDS,
    BY_PERSON,
    CONVERSATION_TOPICS,
    DEATH,
    MERGE,
    RETURN,
    SPLIT,
)


class TopicsInForce:
    """The topics of some epochs, as people curate them; safe to share between threads.

    Args:
        epochs: The epochs in force, the earliest first.
        curation: What people say about topics.
        names: Names by an LLM, by topic; a name by a person counts before them.
    """

    def __init__(self, epochs: Sequence[Epoch], curation: Curation, names: Mapping[str, str] | None = None) -> None:
        self.epochs = epochs
        self.curation = curation
        self._by_model = names or {}
        self.model = join_born(epochs)

    @cached_property
    def merged(self) -> dict[str, str]:
        """The topic that stands for each merged topic, by itself or by people; a pinned one by people only.

        A merge by itself that would lead back to its topic, because people merged the other one into it, is left out.
        """
        ids = self.model.ids if self.model else ()
        known = set(ids)
        said = {topic: one for topic, one in self.curation.topics.items() if topic in known}
        steps = {topic: one.merge_into for topic, one in said.items() if one.merge_into in known}
        for change in (change for epoch in self.epochs for change in epoch.changes if change.event == MERGE):
            topic, into = change.topic_id, change.other_topic_id
            if topic not in steps and self.holds(change) and into and _last(steps, into) != topic:
                steps[topic] = into
        return {topic: _last(steps, topic) for topic in ids if topic in steps}

    def is_hidden(self, topic: str) -> bool:
        """Tell whether a person hides a topic."""
        said = self.curation.topics.get(topic)
        return said is not None and said.hidden

    @cached_property
    def names(self) -> dict[str, str]:
        """Name by topic: by a person, else by the LLM, else of the topic's own words."""
        return {
            topic: self._by_person(topic) or self._by_model.get(topic) or name for topic, name in self.own_names.items()
        }

    @property
    def own_names(self) -> dict[str, str]:
        """Name of the topic's own words, by topic."""
        return dict(zip(self.model.ids, self.model.names, strict=True)) if self.model else {}

    def named_by(self, topic: str) -> str:
        """Return who gave a topic its name, as ``discovered_topics`` says it."""
        return BY_PERSON if self._by_person(topic) else BY_MODEL if topic in self._by_model else BY_OWN_WORDS

    def _by_person(self, topic: str) -> str | None:
        said = self.curation.topics.get(topic)
        return said.name if said else None

    @cached_property
    def parents(self) -> dict[str, str]:
        """Identifier of the parent by topic."""
        model, said = self.model, self.curation.topics
        if model is None:
            return {}
        return {
            topic: (said[topic].parent if topic in said else None) or parent
            for topic, parent in zip(model.ids, model.parents, strict=True)
        }

    def parent_name(self, parent: str) -> str:
        """Return the name of a parent: by a person, else of its topics, else of its own words.

        One that only people know is named like its identifier.
        """
        own = self.model.parent_names if self.model else {}
        return self.curation.parents.get(parent) or self._names_by_topics.get(parent) or own.get(parent, parent)

    @cached_property
    def _names_by_topics(self) -> dict[str, str]:
        """Names of each parent's largest topics, if a person or the LLM has named one of these; the largest first.

        Only the topics with which the parent came into being count, by their sizes then, so that a topic that is born
        later does not rename its parent.
        """
        founding: dict[str, list[str]] = {}
        for epoch in self.epochs:
            born: dict[str, list[str]] = {}
            for topic, parent in zip(epoch.born.ids, epoch.born.parents, strict=True):
                born.setdefault(parent, []).append(topic)
            founding = {**born, **founding}
        names = {}
        for parent, topics in founding.items():
            seen = [
                topic
                for topic in topics
                if self.parents[topic] == parent and topic not in self.merged and not self.is_hidden(topic)
            ]
            largest = sorted(seen, key=lambda topic: (-self.births[topic][1].count, topic))[:PARENT_TOPICS]
            if any(self.named_by(topic) != BY_OWN_WORDS for topic in largest):
                names[parent] = ", ".join(dict.fromkeys(map(self._short_name, largest)))
        return names

    def _short_name(self, topic: str) -> str:
        """Return a name by a person or the LLM, or the first term of the topic's own words."""
        name = self.names[topic]
        return name.partition(", ")[0] if self.named_by(topic) == BY_OWN_WORDS else name

    def assign(self, dates: pa.ChunkedArray, ids: pa.ChunkedArray, openings: Openings) -> pa.Table:
        """Return ``CONVERSATION_TOPICS``.

        Args:
            dates: Day of each conversation.
            ids: Identifier of each conversation, distinct.
            openings: The openings of the conversations that have one.
        """
        numbers, confidence = self._numbers(openings)
        place = pc.index_in(ids.combine_chunks(), value_set=openings.ids)
        topic = pa.array(numbers, mask=numbers == OUTLIER).take(place)
        known = self.model.ids if self.model else ()

        def of_topic(values: Sequence[str]) -> pa.Array:
            return pa.array(values, pa.string()).take(topic)

        columns = {
            "date": dates,
            "conversation_id": ids,
            "topic_id": of_topic(known),
            "topic_name": of_topic([self.names[one] for one in known]),
            "parent_id": of_topic([self.parents[one] for one in known]),
            "parent_name": of_topic([self.parent_name(self.parents[one]) for one in known]),
            "topic_confidence": pc.fill_null(pa.array(confidence).take(place), 0.0),
        }
        return CONVERSATION_TOPICS.conform(pa.table(columns))

    def _numbers(self, openings: Openings) -> tuple[Ints, Floats]:
        """Return the number of the topic that stands for each opening's topic, or ``OUTLIER``, and the confidence."""
        if self.model is None or openings.encoder != self.model.space.encoder:
            return np.full(len(openings), OUTLIER), np.zeros(len(openings))
        assigned = self.model.assign(self.model.space.place(openings.vectors))
        numbers = self._standing[assigned.topics]
        return numbers, np.where(numbers == OUTLIER, 0.0, assigned.confidence)

    @cached_property
    def _standing(self) -> Ints:
        """Number of the topic that stands for each topic, ``OUTLIER`` for a hidden one; the last one is ``OUTLIER``."""
        ids = self.model.ids if self.model else ()
        place = {topic: number for number, topic in enumerate(ids)}
        standing = [self.merged.get(topic, topic) for topic in ids]
        return np.array([*(OUTLIER if self.is_hidden(one) else place[one] for one in standing), OUTLIER])

    def changes(self, *events: str) -> list[TopicChange]:
        """Return some changes of the last epoch, of topics that people see; none of the first epoch."""
        if len(self.epochs) < 2:
            return []
        return [
            change
            for change in self.epochs[-1].changes
            if change.event in events
            and self.holds(change)
            and not self.is_hidden(change.topic_id)
            and change.topic_id not in self.merged
        ]

    @cached_property
    def births(self) -> Mapping[str, tuple[dt.date, TopicChange]]:
        """Date of the epoch and change at which each topic was born."""
        return {
            change.topic_id: (epoch.date, change)
            for epoch in self.epochs
            for change in epoch.changes
            if change.event in (BIRTH, SPLIT)
        }

    def examples(self, change: TopicChange) -> Sequence[str]:
        """Return conversations of a change, the most central first; of a topic that is gone, those of its birth."""
        return change.conversations or self.births[change.topic_id][1].conversations

    def holds(self, change: TopicChange) -> bool:
        """Tell whether a change is not undone by people: a pinned topic neither dies nor is merged by itself."""
        said = self.curation.topics.get(change.topic_id)
        return not (said and said.pinned and change.event in (MERGE, DEATH, RETURN))


def _last(steps: Mapping[str, str | None], topic: str) -> str:
    """Return the topic to which steps lead, which form no circle."""
    while into := steps.get(topic):
        topic = into
    return topic
