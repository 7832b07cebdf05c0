"""Which texts a dearer expert is asked about: those in doubt, by a threshold fitted on texts not learnt from.

Belongs here: doubt, and the threshold. Does not belong here: the experts, or how their answers are brought together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics_platform.insights.tiers.tier import Floats, Ints

_WORTHWHILE = 5e-4
"""Accuracy that a larger share must win for a text to be sent on."""
_STEPS = 20


@dataclass(frozen=True)
class Route:
    """Which texts go on to the next expert: those whose doubt exceeds a threshold.

    Attributes:
        threshold: Of ``doubt``.
        share: Of the training texts that exceed it, by importance.
    """

    threshold: float
    share: float

    @classmethod
    def fit(cls, before: Floats, after: Floats, codes: Ints, importance: Floats, budget: float) -> Route:
        """Choose the smallest share that is as right as any within the budget.

        Args:
            before: Probabilities without the next expert, of texts that no expert had seen.
            after: Probabilities with it.
            codes: Number of each text's label.
            importance: How much each text counts.
            budget: Largest share that may go on, 0 to 1.
        """
        doubts = doubt(before)
        order = np.argsort(-doubts, kind="stable")
        weight = importance[order] / importance.sum()
        gain = ((after.argmax(axis=1) == codes).astype(np.float64) - (before.argmax(axis=1) == codes))[order]
        reached, won = np.cumsum(weight), np.cumsum(weight * gain)
        ends = np.searchsorted(reached, np.linspace(0, budget, _STEPS + 1)[1:] + 1e-9, side="right")
        tied = ends < len(order)  # texts of equal doubt go on together, or not at all
        ends[tied] = np.searchsorted(-doubts[order], -doubts[order[ends[tied]]], side="left")
        gains = np.concatenate(([0.0], won))[ends]
        good = np.flatnonzero(gains >= gains.max() - _WORTHWHILE)
        end = int(ends[good[0]])
        if gains.max() < _WORTHWHILE or end == 0:
            return cls(np.inf, 0.0)
        return cls(float(doubts[order[end - 1]]), float(reached[end - 1]))

    def select(self, before: Floats) -> Ints:
        """Return the rows that go on."""
        return np.flatnonzero(doubt(before) >= self.threshold)

    def take(self, before: Floats, after: Floats) -> Floats:
        """Return the answers before, save for the rows that go on, which get the answers after."""
        return np.where((doubt(before) >= self.threshold)[:, None], after, before)


def doubt(probabilities: Floats) -> Floats:
    """Return how torn an answer is: the second label's probability, which a text unlike everything does not raise."""
    return np.asarray(np.partition(probabilities, -2, axis=1)[:, -2])


def pool_opinions(first: Floats, second: Floats, weights: tuple[float, float]) -> Floats:
    """Return two opinions as one, the product of their weighted probabilities; shape (texts, labels).

    Args:
        first: Probabilities.
        second: Probabilities.
        weights: Of either. With a sum of 1 the result is no surer than the surer of the two; with a greater one they
            count as evidence of their own.
    """
    pooled = first ** weights[0] * second ** weights[1]
    return np.asarray(pooled / pooled.sum(axis=1, keepdims=True))
