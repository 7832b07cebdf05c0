"""Topics that have become one."""

from __future__ import annotations

import numpy as np

from analytics_platform.insights.discovery.clustering import Texts, find_topics
from analytics_platform.insights.discovery.vector_space import VectorSpace
from analytics_platform.insights.topics.topic_changes import find_merges
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform_tests.unit.insights.topics.simulated_days import direction


def around(centre: np.ndarray, count: int, seed: int) -> np.ndarray:
    noise = unit(np.random.default_rng(seed).normal(size=(count, 256)))
    return np.asarray(unit(centre + 0.8 * noise), np.float32)


def test_two_topics_whose_conversations_are_mixed_become_the_larger_one() -> None:
    vectors = np.concatenate([around(direction(f"kind {kind}"), 60, kind) for kind in range(4)])
    space = VectorSpace.of("simulated", vectors)
    model = find_topics(space, Texts(space.place(vectors), np.arange(240, dtype=np.uint64), np.ones(240, np.int64)))
    assert len(model.ids) == 4
    placed = space.place(vectors)
    own = model.assign(placed).topics
    assert list(find_merges(model, placed, own, born_from=4)) == []
    kept = own != 0  # from now on, two fifths of what topic 1 is about are nearer to topic 0
    mixed = np.where((own == 1) & (np.arange(240) % 5 < 2), 0, own)
    assert list(find_merges(model, placed[kept], mixed[kept], born_from=4)) == [(0, 1)]
    assert list(find_merges(model, placed[kept], mixed[kept], born_from=1)) == []


def test_two_topics_alone_are_compared_with_each_other_only() -> None:
    """A topic was compared with itself, and merged into itself."""
    vectors = np.concatenate([around(direction(f"kind {kind}"), 60, kind) for kind in range(2)])
    space = VectorSpace.of("simulated", vectors)
    model = find_topics(space, Texts(space.place(vectors), np.arange(120, dtype=np.uint64), np.ones(120, np.int64)))
    assert len(model.ids) == 2
    placed = space.place(vectors)
    assert list(find_merges(model, placed, model.assign(placed).topics, born_from=2)) == []
