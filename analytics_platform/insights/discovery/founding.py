"""Making topics of texts: of all texts in the first call, and of enough texts that are unlike all known ones later."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import poisson

from analytics_platform.insights.discovery.hierarchy import find_parents, parent_id, topic_id
from analytics_platform.insights.discovery.neighbours import agreement, neighbour_graph
from analytics_platform.insights.discovery.partition import centroids_of, communities, find_partition
from analytics_platform.insights.discovery.topic_model import (
    NOWHERE,
    Keys,
    TopicModel,
    encode_known,
)
from analytics_platform.insights.discovery.vector_space import FEWEST_TEXTS, VectorSpace
from analytics_platform.insights.tiers.tier import Floats, Ints, Singles

LEAST_ROWS = 5
"""Least rows of a topic in a first call."""
LEAST_BORN = 10
"""Least texts of a topic that is born beside known topics: a few texts alike are no topic yet."""
MOST_FOUNDING = 30_000
"""Most distinct texts that are partitioned; the others are assigned. Comparing 30,000 takes 15 CPU-seconds."""
MOST_KNOWN = 6_000
"""Most texts whose vectors are kept to compare later texts with: 2 MB."""
_MISFITS = 0.015
"""Share of the founding texts that fit nowhere: those farthest from their centroid, by their topic's own spread."""
_SHRINKAGE = 20.0
"""Texts that count as much as all topics' spread in a topic's own spread."""
_LEAST_SPREAD = 0.02
_CHANCE = 1e-4
"""Largest probability that known texts are as rare as seen in a community of texts of known topics."""
_RARE = 0.2
"""Largest number of known texts in a new topic, as a share of the number expected."""
_FINER = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Factors of the resolution at which communities of new texts are looked for: thirty texts beside three thousand are
often a part of a larger community at the resolution of the known topics."""
_SETTLING = 2
_OWN = 0.6
"""Least share of a new topic's texts that are nearer to its centroid than to any known one."""
_NEAREST_PARENT = 0.3
"""Least cosine to a parent's centroid of a topic that joins this parent."""


@dataclass(frozen=True)
class Texts:
    """Distinct texts in the order of their hashes.

    Attributes:
        vectors: Vectors in the space of the topics; shape (texts, dimensions).
        keys: Hash of each text, ascending.
        rows: Number of rows that have the text.
    """

    vectors: Singles
    keys: Keys
    rows: Ints

    def take(self, chosen: np.ndarray) -> Texts:
        """Return some of the texts, in their order."""
        return Texts(self.vectors[chosen], self.keys[chosen], self.rows[chosen])


def found(space: VectorSpace, texts: Texts) -> TopicModel:
    """Find the topics of texts, without names.

    The first 30,000 texts in the order of their hashes, a random choice that depends on the texts alone, are
    partitioned.

    Args:
        space: The space of the vectors.
        texts: All distinct texts that have a word.
    """
    sample = texts.take(np.arange(min(len(texts.keys), MOST_FOUNDING)))
    labels, resolution, neighbours_agree = _partition(sample)
    labels = _drop_small(labels, sample.rows)
    if (labels == NOWHERE).all():
        return _empty(space, sample.vectors.shape[1])
    placed = labels != NOWHERE
    centroids = _half(centroids_of(sample.vectors[placed], labels[placed]))
    centroids, nearest = _keep_large(centroids, sample)
    cosines = (sample.vectors @ centroids.T).astype(np.float64)
    own = cosines[np.arange(len(cosines)), nearest]
    centres, spreads = _widths(own, nearest, len(centroids))
    least_fit = float(np.quantile((own - centres[nearest]) / spreads[nearest], _MISFITS, method="lower")) - 1e-4
    ids = tuple(topic_id(sample.keys[nearest == one]) for one in range(len(centroids)))
    model = TopicModel(
        space=space,
        ids=ids,
        parents=find_parents(centroids, ids),
        names=ids,
        parent_names={},
        centroids=centroids,
        centres=centres,
        spreads=spreads,
        least_fit=least_fit,
        sharpness=_sharpness(cosines, neighbours_agree),
        resolution=resolution,
        known=np.zeros((0, sample.vectors.shape[1]), np.int8),
        known_topics=np.zeros(0, np.int64),
        known_keys=np.zeros(0, np.uint64),
    )
    return _remember(model, sample, model.assign(sample.vectors).topics)


def bear(model: TopicModel, texts: Texts) -> TopicModel:
    """Return known topics and the new ones that texts need; ids and places of the known ones stay.

    Known texts and the texts are compared together. A topic is born of a community in which known texts are far rarer
    than among the texts of the topics that its members would be assigned to, if most of its members are nearer to its
    own centroid than to any known one.

    Args:
        model: The known topics.
        texts: All distinct texts that have a word.
    """
    new = texts.take(np.flatnonzero(~np.isin(texts.keys, model.known_keys))[:MOST_FOUNDING])
    if new.rows.sum() < LEAST_BORN:
        return model
    born = _find_unlike(model, new)
    born = _settle(model, new, born) if born else born
    return _add(model, new, born) if born else model


def _find_unlike(model: TopicModel, new: Texts) -> list[Ints]:
    """Return the communities of new texts that are no part of known topics, the largest first; no text is in two."""
    known = len(model.known)
    graph = neighbour_graph(np.concatenate([model.known_vectors(), new.vectors]))
    assigned = model.assign(new.vectors)
    nearest = assigned.nearest
    by_topic = np.maximum(np.bincount(nearest, minlength=len(model.ids)), 1)
    kept = np.bincount(model.known_topics, minlength=len(model.ids)) / by_topic
    repeated = (assigned.topics == NOWHERE) & (new.rows >= LEAST_BORN)
    candidates: list[Ints] = [np.array([one]) for one in np.flatnonzero(repeated)]
    for finer in _FINER:
        labels = communities(graph, model.resolution * finer)
        count = int(labels.max()) + 1
        seen = np.bincount(labels[:known], minlength=count)
        expected = np.bincount(labels[known:], kept[nearest], count)
        rows = np.bincount(labels[known:], new.rows, count)
        rare = (seen <= _RARE * expected) & (poisson.cdf(seen, expected) <= _CHANCE) & (rows >= LEAST_BORN)
        candidates += [np.flatnonzero(labels[known:] == one) for one in np.flatnonzero(rare)]
    taken = np.zeros(len(new.keys), np.bool_)
    born = []
    for members in sorted(candidates, key=lambda one: (-len(one), int(one[0]))):
        left = members[~taken[members]]
        if new.rows[left].sum() >= LEAST_BORN and _is_apart(new.vectors[left], model.centroids):
            taken[left] = True
            born.append(left)
    return born


def _settle(model: TopicModel, new: Texts, born: list[Ints]) -> list[Ints]:
    """Let new topics win the texts that are nearer to them than to any known topic; drop those that keep too few."""
    for _ in range(_SETTLING):
        members = np.concatenate(born)
        own = centroids_of(new.vectors[members], np.repeat(np.arange(len(born)), [len(one) for one in born]))
        nearest = (new.vectors @ np.concatenate([model.centroids, own]).T).argmax(axis=1) - len(model.ids)
        born = [np.flatnonzero(nearest == one) for one in range(len(born))]
        born = [one for one in born if new.rows[one].sum() >= LEAST_BORN]
        if not born:
            break
    return born


def _partition(texts: Texts) -> tuple[Ints, float, float]:
    """Return the labels of texts, the resolution, and the share of neighbours that agree."""
    if len(texts.keys) < FEWEST_TEXTS:
        return np.arange(len(texts.keys)), 1.0, 1.0
    partition = find_partition(texts.vectors)
    return partition.labels, partition.resolution, agreement(partition.graph, partition.labels)


def _drop_small(labels: Ints, rows: Ints) -> Ints:
    """Number the labels that have enough rows without gaps; texts of the others have none."""
    large = np.bincount(labels, rows) >= LEAST_ROWS
    numbers = np.where(large, np.cumsum(large) - 1, NOWHERE)
    return np.asarray(numbers[labels], np.int64)


def _keep_large(centroids: Singles, texts: Texts) -> tuple[Singles, Ints]:
    """Remove the smallest centroid until each is the nearest one of enough rows; return the nearest of each text."""
    while True:
        nearest = np.round((texts.vectors @ centroids.T).astype(np.float64), 6).argmax(axis=1)
        sizes = np.bincount(nearest, texts.rows, len(centroids))
        if sizes.min() >= LEAST_ROWS or len(centroids) == 1:
            return centroids, nearest
        centroids = np.delete(centroids, sizes.argmin(), axis=0)


def _widths(own: Floats, topics: Ints, count: int) -> tuple[Singles, Singles]:
    """Return mean and standard deviation of each topic's cosines; small topics lean on the spread of all."""
    sizes = np.maximum(np.bincount(topics, minlength=count), 1)
    centres = np.bincount(topics, own, count) / sizes
    squares = np.bincount(topics, (own - centres[topics]) ** 2, count)
    spreads = np.sqrt((squares + _SHRINKAGE * squares.sum() / max(len(own), 1)) / (sizes + _SHRINKAGE))
    return centres.astype(np.float32), np.maximum(spreads, _LEAST_SPREAD).astype(np.float32)


def _sharpness(cosines: Floats, agreeing: float) -> float:
    """Return the factor with which the mean largest softmax of the cosines is the share of neighbours that agree."""
    low, high = 0.1, 1_000.0
    lead = cosines - cosines.max(axis=1, keepdims=True)
    for _ in range(30):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if (1 / np.exp(middle * lead).sum(axis=1)).mean() < agreeing else (low, middle)
    return round(high, 4)


def _is_apart(vectors: Singles, known: Singles) -> bool:
    """Tell whether most vectors are nearer to the centroid of the others than to any known one; one alone is apart."""
    if len(vectors) == 1:
        return True
    total = vectors.sum(axis=0)
    others = total - vectors
    own = (others * vectors).sum(axis=1) / np.maximum(np.linalg.norm(others, axis=1), 1e-9)
    return bool((own > (vectors @ known.T).max(axis=1)).mean() >= _OWN)


def _add(model: TopicModel, texts: Texts, born: list[Ints]) -> TopicModel:
    """Return the model with new topics, and what is kept of the texts that they win."""
    members = np.concatenate(born)
    labels = np.repeat(np.arange(len(born)), [len(one) for one in born])
    centroids = _half(centroids_of(texts.vectors[members], labels))
    own = (texts.vectors[members] * centroids[labels]).sum(axis=1).astype(np.float64)
    centres, spreads = _widths(own, labels, len(born))
    spreads = np.maximum(spreads, np.float32(np.median(model.spreads)))
    ids = tuple(topic_id(texts.keys[one]) for one in born)
    grown = replace(
        model,
        ids=(*model.ids, *ids),
        parents=(*model.parents, *_adopt(model, centroids, ids)),
        names=(*model.names, *ids),
        centroids=np.concatenate([model.centroids, centroids]),
        centres=np.concatenate([model.centres, centres]),
        spreads=np.concatenate([model.spreads, spreads]),
    )
    topics = grown.assign(texts.vectors).topics
    return _remember(grown, texts, np.where(topics >= len(model.ids), topics, NOWHERE))


def _adopt(model: TopicModel, centroids: Singles, ids: tuple[str, ...]) -> list[str]:
    """Return the parent of each new topic: the nearest one, or one of its own where none is near."""
    names, numbers = np.unique(np.array(model.parents), return_inverse=True)
    cosines = centroids @ centroids_of(model.centroids, numbers).T
    return [
        str(names[row.argmax()]) if row.max() >= _NEAREST_PARENT else parent_id([one])
        for row, one in zip(cosines, ids, strict=True)
    ]


def _remember(model: TopicModel, texts: Texts, topics: Ints) -> TopicModel:
    """Return the model with the vectors of some texts of each topic, beside those that it has."""
    share = max(LEAST_ROWS, MOST_KNOWN // max(len(model.ids), 1))
    order = np.argsort(topics, kind="stable")
    starts = np.searchsorted(topics[order], topics[order], side="left")
    chosen = np.sort(order[(np.arange(len(order)) - starts < share) & (topics[order] != NOWHERE)])
    return replace(
        model,
        known=np.concatenate([model.known, encode_known(texts.vectors[chosen])]),
        known_topics=np.concatenate([model.known_topics, topics[chosen]]),
        known_keys=np.concatenate([model.known_keys, texts.keys[chosen]]),
    )


def _half(vectors: Singles) -> Singles:
    """Return vectors as they are after they were stored."""
    return vectors.astype(np.float16).astype(np.float32)


def _empty(space: VectorSpace, dimensions: int) -> TopicModel:
    nothing = np.zeros(0, np.float32)
    return TopicModel(
        space=space,
        ids=(),
        parents=(),
        names=(),
        parent_names={},
        centroids=np.zeros((0, dimensions), np.float32),
        centres=nothing,
        spreads=nothing,
        least_fit=0.0,
        sharpness=1.0,
        resolution=1.0,
        known=np.zeros((0, dimensions), np.int8),
        known_topics=np.zeros(0, np.int64),
        known_keys=np.zeros(0, np.uint64),
    )
