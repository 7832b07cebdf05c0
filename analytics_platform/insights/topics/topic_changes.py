"""What happens to topics at an epoch: where new topics come from, and which topics have become one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analytics_platform.insights.discovery.births import LEAST_NEW
from analytics_platform.insights.discovery.topic_model import OUTLIER, TopicModel
from analytics_platform.insights.encoders.blas_threads import one_blas_thread
from analytics_platform.insights.tiers.tier import Ints, Singles

_NEIGHBOURS = 10
_LEAST_MIXED = 0.8
"""Least number of neighbours of the other topic, as a share of the number expected of one topic, for a merge."""
_CANDIDATES = 3
"""Nearest topics that a topic is compared with."""
_MOST_COMPARED = 300
"""Most conversations of a topic that are compared."""


@dataclass(frozen=True)
class TopicChange:
    """A change of one topic.

    Attributes:
        event: ``birth``, ``split``, ``merge``, ``death`` or ``return``.
        topic_id: The topic that was born, split off, was merged, died or returned.
        other_topic_id: The topic that it split off from or was merged into; None for other events.
        conversations: Identifiers of the conversations concerned, the most central first; at most 50.
        count: Number of the conversations concerned.
    """

    event: str
    topic_id: str
    other_topic_id: str | None
    conversations: tuple[str, ...]
    count: int


def find_origins(earlier: TopicModel, model: TopicModel) -> dict[int, int]:
    """Return the earlier topic that each new topic split off from, for new topics whose centroid fits into one.

    Args:
        earlier: The topics before.
        model: The same topics and the new ones.
    """
    start = len(earlier.ids)
    origins = earlier.assign(model.centroids[start:]).topics
    return {start + new: int(origin) for new, origin in enumerate(origins) if origin != OUTLIER}


def find_heir(model: TopicModel, topic: int, living: Ints) -> int | None:
    """Return the later topic that a dead one has become: the nearest one whose centroid fits into the dead topic.

    Args:
        model: The topics, in the order of their birth.
        topic: Number of the dead topic.
        living: Numbers of the topics with conversations.
    """
    later = living[living > topic]
    if not len(later):
        return None
    with one_blas_thread():
        cosines = np.round((model.centroids[later] @ model.centroids[topic]).astype(np.float64), 6)
    best = int(cosines.argmax())
    fit = (cosines[best] - model.centres[topic]) / model.spreads[topic]
    return int(later[best]) if fit >= model.least_fit else None


def find_merges(model: TopicModel, vectors: Singles, topics: Ints, born_from: int) -> Iterator[tuple[int, int]]:
    """Yield pairs of earlier topics whose conversations are now mixed: the smaller topic, then the larger one.

    Two topics are mixed if the nearest neighbours of each one's conversations belong to the other nearly as often as if
    the topics were one. A topic is in at most one pair.

    Args:
        model: The topics.
        vectors: Distinct openings in the model's space, in the order of their hashes; shape (openings, dimensions).
        topics: Number of each opening's topic, or ``OUTLIER``.
        born_from: Number of the first topic that is new, and in no pair.
    """
    sizes = np.bincount(topics[topics != OUTLIER], minlength=len(model.ids))
    large = np.flatnonzero(sizes[:born_from] >= LEAST_NEW)
    if len(large) < 2:
        return
    members = {int(one): vectors[np.flatnonzero(topics == one)[:_MOST_COMPARED]] for one in large}
    with one_blas_thread():  # once, because entering it takes as long as some comparisons
        cosines = np.round(model.centroids[large] @ model.centroids[large].T, 6)
        np.fill_diagonal(cosines, -np.inf)
        nearest = large[np.argsort(-cosines, axis=1, kind="stable")[:, : min(_CANDIDATES, len(large) - 1)]]
        near = np.column_stack([np.repeat(large, nearest.shape[1]), nearest.ravel()])
        pairs = map(tuple, np.unique(np.sort(near, axis=1), axis=0).tolist())
        mixed = [(_mixing(members[one], members[other]), one, other) for one, other in pairs]
    taken: set[int] = set()
    for rate, one, other in sorted(mixed, key=lambda pair: (-pair[0], pair[1:])):
        if rate >= _LEAST_MIXED and not taken & {one, other}:
            taken |= {one, other}
            smaller, larger = sorted((one, other), key=lambda topic: (sizes[topic], model.ids[topic]))
            yield smaller, larger


def _mixing(one: Singles, other: Singles) -> float:
    """Return how often neighbours are of the other group, as a share of the number expected of one group."""
    vectors = np.concatenate([one, other])
    is_other = np.arange(len(vectors)) >= len(one)
    cosines = np.round(vectors @ vectors.T, 6)
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : min(_NEIGHBOURS, len(vectors) - 1)]
    crosses = (is_other[nearest] != is_other[:, None]).mean(axis=1)
    expected = np.where(is_other, len(one), len(other)) / (len(vectors) - 1)
    rates = crosses / expected
    return round(float(min(rates[~is_other].mean(), rates[is_other].mean())), 6)
