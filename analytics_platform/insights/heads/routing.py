"""Routing of uncertain texts to a costlier expert, by a threshold fitted on out-of-sample probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics_platform.insights.tiers.tier import Floats, Ints

_WORTHWHILE = 5e-4
"""Least gain in accuracy that justifies a larger share."""
_STEPS = 20
_LEAST_UNCERTAINTY = 0.01
"""Least uncertainty of an answer that a costlier expert may change."""
_FEW = 5_000
"""Fewest answers by which a gain of half a hundredth can be measured."""


@dataclass(frozen=True)
class Route:
    """The rule that sends a text to the next expert if its uncertainty reaches a threshold.

    Attributes:
        threshold: Least uncertainty (``uncertainty``) of a text that is sent on.
        share: Share of the training texts that reach the threshold, weighted by importance.
    """

    threshold: float
    share: float

    @classmethod
    def fit(cls, before: Floats, after: Floats, codes: Ints, importance: Floats, budget: float) -> Route:
        """Choose the smallest share of texts whose accuracy is within 0.0005 of the best share within the budget.

        With few answers this cannot be measured, and the whole budget is used.

        Args:
            before: Out-of-sample probabilities without the next expert.
            after: Out-of-sample probabilities with the next expert.
            codes: Index of each text's label.
            importance: Weight of each text.
            budget: Largest share of texts that may be sent on, 0 to 1.
        """
        uncertainties = uncertainty(before)
        order = np.argsort(-uncertainties, kind="stable")
        weight = importance[order] / importance.sum()
        gain = ((after.argmax(axis=1) == codes).astype(np.float64) - (before.argmax(axis=1) == codes))[order]
        reached, won = np.cumsum(weight), np.cumsum(weight * gain)
        ends = np.searchsorted(reached, np.linspace(0, budget, _STEPS + 1)[1:] + 1e-9, side="right")
        tied = ends < len(order)  # texts of equal uncertainty go on together, or not at all
        ends[tied] = np.searchsorted(-uncertainties[order], -uncertainties[order[ends[tied]]], side="left")
        ends = np.minimum(ends, np.searchsorted(-uncertainties[order], -_LEAST_UNCERTAINTY, side="right"))
        gains = np.concatenate(([0.0], won))[ends]
        if importance.sum() < _FEW:
            end = int(ends[-1])  # too few answers to measure a gain: the costlier expert is trusted
            return cls(float(uncertainties[order[end - 1]]), float(reached[end - 1])) if end else cls(np.inf, 0.0)
        good = np.flatnonzero(gains >= gains.max() - _WORTHWHILE)
        end = int(ends[good[0]])
        if gains.max() < _WORTHWHILE or end == 0:
            return cls(np.inf, 0.0)
        return cls(float(uncertainties[order[end - 1]]), float(reached[end - 1]))

    def select(self, before: Floats) -> Ints:
        """Return the rows that are sent to the next expert."""
        return np.flatnonzero(uncertainty(before) >= self.threshold)

    def take(self, before: Floats, after: Floats) -> Floats:
        """Return ``after`` for the rows that are sent on, and ``before`` for the other rows."""
        return np.where((uncertainty(before) >= self.threshold)[:, None], after, before)


def uncertainty(probabilities: Floats) -> Floats:
    """Return the uncertainty of each answer: the probability of its second label; shape (texts,).

    Unlike the probability of all other labels together, it stays low for a text that resembles no class.
    """
    return np.asarray(np.partition(probabilities, -2, axis=1)[:, -2])


def pool_opinions(first: Floats, second: Floats, weights: tuple[float, float]) -> Floats:
    """Pool two opinions: the normalised product of their probabilities, each raised to a weight; shape (texts, labels).

    Args:
        first: Probabilities; shape (texts, labels).
        second: Probabilities; shape (texts, labels).
        weights: Exponents of the two opinions. With a sum of 1, the result is no surer than the surer opinion; with a
            greater sum, the opinions count as independent evidence.
    """
    pooled = first ** weights[0] * second ** weights[1]
    return np.asarray(pooled / pooled.sum(axis=1, keepdims=True))
