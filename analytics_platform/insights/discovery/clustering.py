"""Topics of texts, found without their number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from analytics_platform.insights.discovery.hierarchy import find_parents, topic_ids
from analytics_platform.insights.discovery.neighbours import agreement
from analytics_platform.insights.discovery.partition import centroids_of, find_partition
from analytics_platform.insights.discovery.topic_model import OUTLIER, Keys, TopicModel, to_bytes
from analytics_platform.insights.discovery.vector_space import FEWEST_TEXTS, VectorSpace
from analytics_platform.insights.tiers.tier import Floats, Ints, Singles

LEAST_ROWS = 5
"""Least rows of a topic in a call without earlier topics."""
MOST_COMPARED = 30_000
"""Most distinct texts that are compared with each other; the others are assigned."""
MOST_REFERENCES = 6_000
"""Most reference texts, whose vectors are stored to compare later texts with: 2 MB."""
_OUTLIER_SHARE = 0.015
"""Share of the compared texts that become outliers: those farthest from their centroid, by their topic's spread."""
_SHRINKAGE = 20.0
"""Texts that count as much as all topics' spread in a topic's own spread."""
_LEAST_SPREAD = 0.02


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


def find_topics(space: VectorSpace, texts: Texts, least_topics: int = 1) -> TopicModel:
    """Find the topics of texts, without names.

    The first 30,000 texts in the order of their hashes, a random choice that depends on the texts alone, are
    partitioned.

    Args:
        space: The space of the vectors.
        texts: All distinct texts that have a word.
        least_topics: Least topics to look for; too small ones are dissolved afterwards.
    """
    sample = texts.take(np.arange(min(len(texts.keys), MOST_COMPARED)))
    labels, resolution, neighbours_agree = _partition(sample, least_topics)
    labels = _drop_small(labels, sample.rows)
    if (labels == OUTLIER).all():
        return _empty(space, sample.vectors.shape[1])
    placed = labels != OUTLIER
    centroids = half_precision(centroids_of(sample.vectors[placed], labels[placed]))
    centroids, nearest = _keep_large(centroids, sample)
    cosines = (sample.vectors @ centroids.T).astype(np.float64)
    own = cosines[np.arange(len(cosines)), nearest]
    centres, spreads = widths(own, nearest, len(centroids))
    least_fit = float(np.quantile((own - centres[nearest]) / spreads[nearest], _OUTLIER_SHARE, method="lower")) - 1e-4
    ids = topic_ids([sample.keys[nearest == one] for one in range(len(centroids))])
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
        references=np.zeros((0, sample.vectors.shape[1]), np.int8),
        reference_topics=np.zeros(0, np.int64),
        reference_keys=np.zeros(0, np.uint64),
    )
    return keep_references(model, sample, model.assign(sample.vectors).topics)


def _partition(texts: Texts, least_topics: int) -> tuple[Ints, float, float]:
    """Return the labels of texts, the resolution, and the share of neighbours that agree."""
    if len(texts.keys) < FEWEST_TEXTS:
        return np.arange(len(texts.keys)), 1.0, 1.0
    partition = find_partition(texts.vectors, least_topics)
    return partition.labels, partition.resolution, agreement(partition.graph, partition.labels)


def _drop_small(labels: Ints, rows: Ints) -> Ints:
    """Number the labels that have enough rows without gaps; texts of the others have none."""
    large = np.bincount(labels, rows) >= LEAST_ROWS
    numbers = np.where(large, np.cumsum(large) - 1, OUTLIER)
    return np.asarray(numbers[labels], np.int64)


def _keep_large(centroids: Singles, texts: Texts) -> tuple[Singles, Ints]:
    """Remove the smallest centroid until each is the nearest one of enough rows; return the nearest of each text."""
    while True:
        nearest = np.round((texts.vectors @ centroids.T).astype(np.float64), 6).argmax(axis=1)
        sizes = np.bincount(nearest, texts.rows, len(centroids))
        if sizes.min() >= LEAST_ROWS or len(centroids) == 1:
            return centroids, nearest
        centroids = np.delete(centroids, sizes.argmin(), axis=0)


def widths(own: Floats, topics: Ints, count: int) -> tuple[Singles, Singles]:
    """Return mean and standard deviation of each topic's cosines; small topics lean on the spread of all."""
    sizes = np.maximum(np.bincount(topics, minlength=count), 1)
    centres = np.bincount(topics, own, count) / sizes
    squares = np.bincount(topics, (own - centres[topics]) ** 2, count)
    spreads = np.sqrt((squares + _SHRINKAGE * squares.sum() / max(len(own), 1)) / (sizes + _SHRINKAGE))
    return centres.astype(np.float32), np.maximum(spreads, _LEAST_SPREAD).astype(np.float32)


def widen(model: TopicModel, texts: Texts, start: int) -> TopicModel:
    """Return the model with widths of its topics from ``start`` on as texts that did not found them see them.

    A text is a part of its topic's centroid, and the nearer to it the fewer texts the topic has. So the cosine of each
    text is taken to the centroid of the others. Of a first model, the fit of an outlier follows these cosines, too.
    """
    topics = model.assign(texts.vectors).nearest
    own = np.flatnonzero(topics >= start)
    labels, count = topics[own] - start, len(model.ids) - start
    members = texts.vectors[own].astype(np.float64)
    rows = sp.csr_matrix((texts.rows[own].astype(np.float64), (labels, np.arange(len(own)))), (count, len(own)))
    others = np.asarray(rows @ members)[labels] - members
    lengths = np.linalg.norm(others, axis=1)
    cosines = np.round((others * members).sum(axis=1) / np.maximum(lengths, 1e-9), 6)
    alone = lengths < 1e-6
    cosines[alone] = model.centres[start:][labels[alone]]
    centres, spreads = widths(cosines, labels, count)
    if start:
        spreads = np.maximum(spreads, np.median(model.spreads[:start])).astype(np.float32)
    least_fit = model.least_fit
    if not start and count:
        fits = (cosines - centres[labels]) / spreads[labels]
        least_fit = float(np.quantile(fits, _OUTLIER_SHARE, method="lower")) - 1e-4
    return replace(
        model,
        centres=np.concatenate([model.centres[:start], centres]),
        spreads=np.concatenate([model.spreads[:start], spreads]),
        least_fit=least_fit,
    )


def _sharpness(cosines: Floats, agreeing: float) -> float:
    """Return the factor with which the mean largest softmax of the cosines is the share of neighbours that agree."""
    low, high = 0.1, 1_000.0
    lead = cosines - cosines.max(axis=1, keepdims=True)
    for _ in range(30):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if (1 / np.exp(middle * lead).sum(axis=1)).mean() < agreeing else (low, middle)
    return round(high, 4)


def keep_references(model: TopicModel, texts: Texts, topics: Ints) -> TopicModel:
    """Return the model with further reference texts: some texts of each topic."""
    share = max(LEAST_ROWS, MOST_REFERENCES // max(len(model.ids), 1))
    order = np.argsort(topics, kind="stable")
    starts = np.searchsorted(topics[order], topics[order], side="left")
    chosen = np.sort(order[(np.arange(len(order)) - starts < share) & (topics[order] != OUTLIER)])
    return replace(
        model,
        references=np.concatenate([model.references, to_bytes(texts.vectors[chosen])]),
        reference_topics=np.concatenate([model.reference_topics, topics[chosen]]),
        reference_keys=np.concatenate([model.reference_keys, texts.keys[chosen]]),
    )


def half_precision(vectors: Singles) -> Singles:
    """Return vectors rounded to the precision in which they are stored."""
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
        references=np.zeros((0, dimensions), np.int8),
        reference_topics=np.zeros(0, np.int64),
        reference_keys=np.zeros(0, np.uint64),
    )
