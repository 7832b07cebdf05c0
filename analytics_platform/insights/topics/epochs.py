"""Topic epochs: fixed points in time at which new topics are looked for, each computed from the days before it.

The first epoch finds the topics of the first four hundred conversations. Each Monday after it continues them: topics
are born, split off, merged, and die. A day's conversations are assigned by the epoch in force on the day. An epoch is a
pure function of the epoch before it and of its days, whatever the order in which days are stored.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import pyarrow as pa

from analytics_platform.insights.discovery.births import add_new_topics
from analytics_platform.insights.discovery.clustering import MOST_COMPARED, find_topics, widen
from analytics_platform.insights.discovery.discover import central_texts, name_new_topics
from analytics_platform.insights.discovery.topic_model import OUTLIER, Assigned, TopicModel
from analytics_platform.insights.discovery.vector_space import VectorSpace
from analytics_platform.insights.tiers.tier import Ints
from analytics_platform.insights.topics.epoch_days import FOUNDING, EpochDays, plan_epochs
from analytics_platform.insights.topics.openings import Openings, join_openings
from analytics_platform.insights.topics.topic_changes import TopicChange, find_heir, find_merges, find_origins
from analytics_platform.insights.topics.topic_sentence import keep_openings
from analytics_platform.model.tables.topic_tables import BIRTH, DEATH, MERGE, RETURN, SPLIT

_ROOTS_PER_TOPIC = 3
"""Square root of the distinct openings by the least number of topics of the first epoch. In conversations of two very
different sources, the clearest partition is the one by source."""
_MOST_NAMED = 50
"""Most conversations that a change of the genealogy names."""


@dataclass(frozen=True)
class Epoch:
    """The topics that were born at one point in time, and what became of the earlier ones.

    Attributes:
        date: The Monday from which the epoch is in force; of the first epoch, its last day.
        first_day: First day that it was computed from.
        last_day: Last day that it was computed from.
        fingerprint: Hash of what it was computed from: code, days, and the epochs before it.
        conversations: Number of conversations on these days.
        outliers: Number of them that fit nowhere.
        born: The topics that were born.
        changes: Births, splits, merges, deaths and returns.
        sizes: Number of these conversations by topic, a merged topic's under its own identifier, since people may undo
            the merge; topics without any are left out.
        openings: How conversations of each topic that was born begin, the most central first; see ``keep_openings``.
    """

    date: dt.date
    first_day: dt.date
    last_day: dt.date
    fingerprint: str
    conversations: int
    outliers: int
    born: TopicModel
    changes: tuple[TopicChange, ...]
    sizes: Mapping[str, int]
    openings: Mapping[str, tuple[str, ...]]

    @cached_property
    def content(self) -> bytes:
        """The topics that were born, as they are stored."""
        return self.born.to_text().encode()


@dataclass(frozen=True)
class Days:
    """The stored days that epochs are computed from.

    Attributes:
        counts: Number of conversations by day.
        identities: Name of the content by day; equal names mean equal content.
        read: Returns the openings of a day.
        words: Returns the words of some conversations of some days.
    """

    counts: Mapping[str, int]
    identities: Mapping[str, str]
    read: Callable[[str], Openings]
    words: Callable[[Sequence[str], pa.Array], pa.Array]


def find_epochs(stored: Days, known: Sequence[Epoch] = (), *, code: str = "", founding: int = FOUNDING) -> list[Epoch]:
    """Return all epochs, the earliest first.

    Args:
        stored: The stored days.
        known: Epochs of an earlier call. One of equal fingerprint is taken over instead of being computed.
        code: Version of the code, which is part of the fingerprints.
        founding: Conversations that the first epoch waits for.
    """
    by_fingerprint = {epoch.fingerprint: epoch for epoch in known}
    epochs: list[Epoch] = []
    chain = code
    for planned in plan_epochs(stored.counts, founding):
        parts = (chain, planned.date.isoformat(), *(f"{day} {stored.identities[day]}" for day in planned.days))
        chain = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
        epochs.append(by_fingerprint.get(chain) or _compute(epochs, planned, stored, chain))
    return epochs


def join_born(epochs: Sequence[Epoch]) -> TopicModel | None:
    """Return the topics of all epochs; None before the first topic is born."""
    with_topics = [epoch.born for epoch in epochs if epoch.born.ids]
    return reduce(TopicModel.followed_by, with_topics) if with_topics else None


def merged_topics(epochs: Sequence[Epoch]) -> dict[str, str]:
    """Return the topic that stands for each merged topic."""
    merged: dict[str, str] = {}
    for epoch in epochs:
        for change in epoch.changes:
            if change.event == MERGE and change.other_topic_id is not None:
                merged = {
                    one: change.other_topic_id if into == change.topic_id else into for one, into in merged.items()
                }
                merged[change.topic_id] = change.other_topic_id
    return merged


def dead_topics(epochs: Sequence[Epoch]) -> set[str]:
    """Return the topics that are dead after the last of some epochs."""
    dead: set[str] = set()
    for epoch in epochs:
        dead |= {change.topic_id for change in epoch.changes if change.event == DEATH}
        dead -= {change.topic_id for change in epoch.changes if change.event == RETURN}
    return dead


def _compute(before: Sequence[Epoch], planned: EpochDays, stored: Days, fingerprint: str) -> Epoch:
    openings = join_openings([stored.read(day) for day in planned.days])
    earlier = join_born(before)
    start = len(earlier.ids) if earlier else 0
    model = _continue(earlier, openings)
    vectors = model.space.place(openings.vectors)
    assigned = model.assign(vectors)
    model, kept = _name(model, start, openings, assigned, stored, planned.days)
    merged = merged_topics(before)
    changes = [*_births(earlier, model, openings, assigned)]
    rows, _ = openings.distinct()
    standing = _numbers(model, merged)
    for topic, into in find_merges(model, vectors[rows], standing[assigned.topics[rows]], born_from=start):
        members = np.flatnonzero(standing[assigned.topics] == topic)
        changes.append(_change(MERGE, model.ids[topic], model.ids[into], members, openings, assigned))
        merged = {one: model.ids[into] if to == model.ids[topic] else to for one, to in merged.items()}
        merged[model.ids[topic]] = model.ids[into]
    numbers = _numbers(model, merged)[assigned.topics]
    changes += _deaths_and_returns(model, numbers, merged, dead_topics(before), openings, assigned)
    counts = np.bincount(assigned.topics[assigned.topics != OUTLIER], minlength=len(model.ids))
    return Epoch(
        date=planned.date,
        first_day=dt.date.fromisoformat(planned.days[0]),
        last_day=dt.date.fromisoformat(planned.days[-1]),
        fingerprint=fingerprint,
        conversations=len(openings),
        outliers=int((numbers == OUTLIER).sum()),
        born=model.topics_from(start),
        changes=tuple(changes),
        sizes={model.ids[one]: int(counts[one]) for one in np.flatnonzero(counts)},
        openings=kept,
    )


def _continue(earlier: TopicModel | None, openings: Openings) -> TopicModel:
    """Return the earlier topics and those that are born; topics without names where no earlier ones are."""
    if earlier is None:
        rows, _ = openings.distinct()
        space = VectorSpace.of(openings.encoder, openings.vectors[rows[:MOST_COMPARED]])
        texts = openings.texts(space)
        found = find_topics(space, texts, least_topics=int(len(texts.keys) ** 0.5 / _ROOTS_PER_TOPIC))
        return widen(found, texts, 0)
    if not len(openings) or openings.encoder != earlier.space.encoder:
        return earlier  # until the days of another encoder are computed again
    texts = openings.texts(earlier.space)
    larger = add_new_topics(earlier, texts.take(~np.isin(texts.keys, earlier.reference_keys)))
    return widen(larger, texts, len(earlier.ids)) if len(larger.ids) > len(earlier.ids) else larger


def _name(
    model: TopicModel, start: int, openings: Openings, assigned: Assigned, stored: Days, days: Sequence[str]
) -> tuple[TopicModel, dict[str, tuple[str, ...]]]:
    """Return the topics with names, and the central openings of each that is new."""
    new = len(model.ids) - start
    if not new:
        return model, {}
    rows, counts = openings.distinct()
    topics = assigned.topics[rows]
    central = central_texts(topics, assigned.fit[rows])
    words = stored.words(days, openings.ids.take(pa.array(rows[central]))).to_pylist()
    placed = topics != OUTLIER
    sizes = np.bincount(topics[placed], counts[placed], len(model.ids)).astype(np.int64)
    named = name_new_topics(model, new, words, topics[central], sizes)
    of_topic: dict[int, list[str]] = {}
    for topic, said in zip(topics[central].tolist(), words, strict=True):
        of_topic.setdefault(topic, []).append(said)
    return named, {named.ids[one]: keep_openings(of_topic.get(one, ())) for one in range(start, len(named.ids))}


def _births(
    earlier: TopicModel | None, model: TopicModel, openings: Openings, assigned: Assigned
) -> Iterator[TopicChange]:
    """Yield the birth of each new topic; of one that lies within an earlier topic, its split."""
    origins = find_origins(earlier, model) if earlier else {}
    for topic in range(len(earlier.ids) if earlier else 0, len(model.ids)):
        members = np.flatnonzero(assigned.topics == topic)
        origin = origins.get(topic)
        event, other = (BIRTH, None) if origin is None else (SPLIT, model.ids[origin])
        yield _change(event, model.ids[topic], other, members, openings, assigned)


def _deaths_and_returns(
    model: TopicModel, numbers: Ints, merged: Mapping[str, str], dead: set[str], openings: Openings, assigned: Assigned
) -> Iterator[TopicChange]:
    """Yield the death of each topic without a conversation, or its merge into the later topic that it has become."""
    living = np.unique(numbers[numbers != OUTLIER])
    alive = set(living.tolist())
    for topic, name in enumerate(model.ids):
        if name in merged or (topic in alive) is (name not in dead):
            continue
        heir = None if topic in alive else find_heir(model, topic, living)
        event = RETURN if topic in alive else DEATH if heir is None else MERGE
        members = np.flatnonzero(numbers == (topic if heir is None else heir))
        yield _change(event, name, None if heir is None else model.ids[heir], members, openings, assigned)


def _numbers(model: TopicModel, merged: Mapping[str, str]) -> Ints:
    """Return the number of the topic that stands for each topic; the last one is ``OUTLIER``, for itself."""
    place = {name: number for number, name in enumerate(model.ids)}
    return np.array([*(place[merged.get(name, name)] for name in model.ids), OUTLIER])


def _change(
    event: str, topic: str, other: str | None, members: Ints, openings: Openings, assigned: Assigned
) -> TopicChange:
    """Return a change with the conversations concerned, the most central first."""
    ids = openings.ids.take(pa.array(members)).to_numpy(zero_copy_only=False)
    central = np.lexsort((ids.astype(str), -np.round(assigned.fit[members], 6)))[:_MOST_NAMED]
    return TopicChange(event, topic, other, tuple(ids[central].tolist()), len(members))
