"""New topics beside earlier ones: of enough texts that are unlike the texts of every earlier topic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.special import pdtr

from analytics_platform.insights.discovery.clustering import (
    MOST_COMPARED,
    Texts,
    half_precision,
    keep_references,
    widths,
)
from analytics_platform.insights.discovery.hierarchy import parent_id, topic_ids
from analytics_platform.insights.discovery.neighbours import neighbour_graph
from analytics_platform.insights.discovery.partition import centroids_of, communities
from analytics_platform.insights.discovery.topic_model import OUTLIER, TopicModel
from analytics_platform.insights.discovery.vector_space import FEWEST_TEXTS
from analytics_platform.insights.tiers.tier import Floats, Ints, Singles

LEAST_NEW = 10
"""Least rows of a new topic beside earlier ones: a few texts alike are no topic yet."""
_FINER = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Factors of the resolution at which communities of new texts are searched. At the resolution of the earlier topics,
thirty texts beside three thousand are often part of a larger community."""
_LARGEST_REFERENCE_SHARE = 0.2
"""Largest number of reference texts in a new topic, as a share of the expected number."""
_FINER_ALONE = (1.0, 2.0, 3.0)
_LARGEST_NEIGHBOUR_SHARE = 0.6
"""Largest number of reference texts among a new topic's nearest neighbours, as a share of the expected number. Among
communities of 3,000 texts of earlier kinds, the least share was 0.63 to 0.9; of new kinds it was 0.1 to 0.9."""
_CHANCE = 1e-4
"""Largest probability that so few reference texts are in a community of an earlier topic's texts."""
_LEAST_APART = 0.6
"""Least share of a new topic's texts that are nearer to its centroid than to every earlier one."""
_PASSES = 2
_LEAST_PARENT_COSINE = 0.3
"""Least cosine of a new topic and the parent that it joins."""


def add_new_topics(model: TopicModel, texts: Texts) -> TopicModel:
    """Return a model with the earlier topics, unchanged, and the new topics of some texts.

    The texts are compared together with the reference texts of the earlier topics. A community of texts is a new topic
    if reference texts are far rarer in it, or among its members' neighbours, than they are in the topics that its
    members are nearest to, and if most members are nearer to its centroid than to every earlier one.

    Args:
        model: The earlier topics, at least one.
        texts: Distinct texts with a word, without the reference texts; at most ``MOST_COMPARED`` are compared.
    """
    texts = texts.take(np.arange(min(len(texts.keys), MOST_COMPARED)))
    if texts.rows.sum() < LEAST_NEW:
        return model
    groups = _settle(model, texts, _find_unlike(model, texts))
    return _append(model, texts, groups) if groups else model


def _find_unlike(model: TopicModel, texts: Texts) -> list[Ints]:
    """Return groups of texts that belong to no earlier topic, the largest first; no text is in two groups."""
    joint = neighbour_graph(np.concatenate([model.reference_vectors(), texts.vectors]))
    assigned = model.assign(texts.vectors)
    by_topic = np.maximum(np.bincount(assigned.nearest, minlength=len(model.ids)), 1)
    references_per_text = (np.bincount(model.reference_topics, minlength=len(model.ids)) / by_topic)[assigned.nearest]
    repeated = np.flatnonzero((assigned.topics == OUTLIER) & (texts.rows >= LEAST_NEW))
    candidates: list[Ints] = [np.array([one]) for one in repeated]
    candidates += _communities_without_references(joint, model, references_per_text)
    candidates += _communities_far_from_references(joint, model, texts, references_per_text)
    is_taken = np.zeros(len(texts.keys), np.bool_)
    groups = []
    for members in sorted(candidates, key=lambda one: (-len(one), int(one[0]))):
        free = members[~is_taken[members]]
        if texts.rows[free].sum() >= LEAST_NEW and _is_apart(texts.vectors[free], model.centroids):
            is_taken[free] = True
            groups.append(free)
    return groups


def _communities_without_references(joint: sp.csr_matrix, model: TopicModel, references_per_text: Floats) -> list[Ints]:
    """Return the communities of all texts in which reference texts are far rarer than expected; new texts only."""
    references = len(model.references)
    groups = []
    for finer in _FINER:
        labels = communities(joint, model.resolution * finer)
        count, own = int(labels.max()) + 1, labels[references:]
        seen = np.bincount(labels[:references], minlength=count)
        expected = np.bincount(own, references_per_text, count)
        is_unlike = (seen <= _LARGEST_REFERENCE_SHARE * expected) & (pdtr(seen, expected) <= _CHANCE)
        groups += [np.flatnonzero(own == one) for one in np.flatnonzero(is_unlike)]
    return groups


def _communities_far_from_references(
    joint: sp.csr_matrix, model: TopicModel, texts: Texts, references_per_text: Floats
) -> list[Ints]:
    """Return the communities of the new texts alone whose neighbours among all texts are rarely reference texts."""
    if len(texts.keys) < FEWEST_TEXTS:
        return []
    references = len(model.references)
    own = joint[references:]
    sizes = np.diff(own.indptr)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    seen = np.bincount(rows, own.indices < references, len(sizes)) / np.maximum(sizes, 1)
    expected = references_per_text / (1 + references_per_text)
    alone = neighbour_graph(texts.vectors)
    groups = []
    for finer in _FINER_ALONE:
        labels = communities(alone, model.resolution * finer)
        is_far = np.bincount(labels, seen) <= _LARGEST_NEIGHBOUR_SHARE * np.bincount(labels, expected)
        groups += [np.flatnonzero(labels == one) for one in np.flatnonzero(is_far)]
    return groups


def _is_apart(vectors: Singles, centroids: Singles) -> bool:
    """Tell whether most texts are nearer to the centroid of their group, without the text, than to other centroids."""
    if len(vectors) == 1:
        return True
    others = vectors.sum(axis=0) - vectors
    own = (others * vectors).sum(axis=1) / np.maximum(np.linalg.norm(others, axis=1), 1e-9)
    return bool((own > (vectors @ centroids.T).max(axis=1)).mean() >= _LEAST_APART)


def _settle(model: TopicModel, texts: Texts, groups: list[Ints]) -> list[Ints]:
    """Move texts into the group whose centroid is nearer than every earlier one; drop groups that become too small."""
    for _ in range(_PASSES):
        if not groups:
            break
        centroids = centroids_of(texts.vectors[np.concatenate(groups)], _numbers(groups))
        nearest = (texts.vectors @ np.concatenate([model.centroids, centroids]).T).argmax(axis=1) - len(model.ids)
        groups = [np.flatnonzero(nearest == one) for one in range(len(groups))]
        groups = [one for one in groups if texts.rows[one].sum() >= LEAST_NEW]
    return groups


def _append(model: TopicModel, texts: Texts, groups: list[Ints]) -> TopicModel:
    """Return the model with a topic for each group, and with reference texts of the new topics."""
    members, numbers = np.concatenate(groups), _numbers(groups)
    centroids = half_precision(centroids_of(texts.vectors[members], numbers))
    cosines = (texts.vectors[members] * centroids[numbers]).sum(axis=1).astype(np.float64)
    centres, spreads = widths(cosines, numbers, len(groups))
    ids = topic_ids([texts.keys[one] for one in groups], model.ids)
    larger = replace(
        model,
        ids=(*model.ids, *ids),
        parents=(*model.parents, *_choose_parents(model, centroids, ids)),
        names=(*model.names, *ids),
        centroids=np.concatenate([model.centroids, centroids]),
        centres=np.concatenate([model.centres, centres]),
        spreads=np.concatenate([model.spreads, np.maximum(spreads, np.median(model.spreads))]),
    )
    topics = larger.assign(texts.vectors).topics
    return keep_references(larger, texts, np.where(topics >= len(model.ids), topics, OUTLIER))


def _choose_parents(model: TopicModel, centroids: Singles, ids: tuple[str, ...]) -> list[str]:
    """Return the parent of each new topic: the nearest one, or a new one where none is near."""
    parents, numbers = np.unique(np.array(model.parents), return_inverse=True)
    cosines = centroids @ centroids_of(model.centroids, numbers).T
    return [
        str(parents[row.argmax()]) if row.max() >= _LEAST_PARENT_COSINE else parent_id([one])
        for row, one in zip(cosines, ids, strict=True)
    ]


def _numbers(groups: list[Ints]) -> Ints:
    return np.repeat(np.arange(len(groups)), [len(one) for one in groups])
