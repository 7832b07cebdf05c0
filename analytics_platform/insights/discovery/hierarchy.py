"""Two levels: topics under parents, and the identifiers of both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import chain, count

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import silhouette_score

from analytics_platform.insights.discovery.topic_model import Keys
from analytics_platform.insights.tiers.tier import Singles

FEWEST_TOPICS = 4
"""Fewer topics have one parent."""
_TOPICS_PER_PARENT = 3, 12
"""Least and most topics of a parent, on average."""
_DIGITS = 10
_DECIMALS = 6


def topic_ids(founders: Sequence[Keys], taken: Sequence[str] = ()) -> tuple[str, ...]:
    """Return identifiers of topics: a hash of one founding text each, the same on any machine and in any order.

    One text rather than all of them, so that a text more or less in a topic seldom changes its identifier.

    Args:
        founders: Hashes of each topic's founding texts; the smallest one counts whose identifier is not taken. If all
            are taken, all of them count, with a number.
        taken: Identifiers of earlier topics.
    """
    ids = list(taken)
    for keys in founders:
        founding = np.sort(keys).astype("<u8")
        contents = chain((key.tobytes() for key in founding), (founding.tobytes() + b"%d" % one for one in count()))
        ids.append(next(one for one in (f"t-{_digest(content)}" for content in contents) if one not in ids))
    return tuple(ids[len(taken) :])


def parent_id(topics: Sequence[str]) -> str:
    """Return the identifier of a parent: a hash of the topics that it was made of."""
    return f"p-{_digest(' '.join(sorted(topics)).encode())}"


def find_parents(centroids: Singles, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the identifier of each topic's parent.

    Centroids are joined by average linkage; the number of parents is the one with the clearest silhouettes, with three
    to twelve topics a parent on average.

    Args:
        centroids: Unit-length centroids of the topics; shape (topics, dimensions).
        ids: Identifiers of the topics.
    """
    topics = len(ids)
    if not topics:
        return ()
    numbers = np.zeros(topics, np.int64)
    if topics >= FEWEST_TOPICS:
        order = np.argsort(np.array(ids))  # the result depends on the topics alone
        distances = np.round(1 - (centroids[order] @ centroids[order].T).astype(np.float64), _DECIMALS)
        np.fill_diagonal(distances, 0)  # half precision leaves some
        tree = linkage(distances[np.triu_indices(topics, 1)].clip(min=0), "average")
        most, least = (max(2, topics // members) for members in _TOPICS_PER_PARENT)
        cuts = [fcluster(tree, parents, "maxclust") - 1 for parents in range(least, most + 1)]
        several = [cut for cut in cuts if cut.any()]
        if several:
            clarity = [silhouette_score(distances.clip(min=0), cut, metric="precomputed") for cut in several]
            numbers[order] = several[int(np.round(clarity, _DECIMALS).argmax())]
    numbered = numbers.tolist()
    members: dict[int, list[str]] = {}
    for number, one in zip(numbered, ids, strict=True):
        members.setdefault(number, []).append(one)
    return tuple(parent_id(members[number]) for number in numbered)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
