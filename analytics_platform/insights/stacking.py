"""Scores of several experts as one calibrated probability.

Belongs here: how much each expert counts, and how sure the sum may be. Does not belong here: the experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from analytics_platform.insights.features import Singles
from analytics_platform.insights.tier import Floats

_SHRINKAGE = 1e-3
"""Pull of the weights towards zero; decides only where the texts are too few to."""


@dataclass(frozen=True)
class Stack:
    """Weights of the experts, fitted on scores of texts that the experts had not seen.

    Attributes:
        weights: One factor per expert; not negative.
        outside: Number of the label of texts that belong to no class, None where there is none.
        bias: What is added to that label's score, and the share of the best other score that is, which says how
            much being unlike everything known speaks for it.
    """

    weights: Floats
    outside: int | None
    bias: tuple[float, float]

    @classmethod
    def fit(cls, scores: Sequence[Singles], codes: NDArray[np.int64], importance: Floats, outside: int | None) -> Stack:
        """Find the weights under which the right labels are most likely.

        Args:
            scores: Of each expert, shape (texts, labels).
            codes: Number of each text's label.
            importance: How much each text counts.
            outside: Number of the label of texts that belong to no class.
        """
        experts = len(scores)
        share = importance / importance.sum()
        rows = np.arange(len(codes))

        def surprise(values: Floats) -> float:
            logits = cls(values[:experts], outside, (values[experts], values[experts + 1]))._combine(scores)
            return float(-share @ log_softmax(logits, axis=1)[rows, codes] + _SHRINKAGE * (values**2).sum() / 100)

        start = np.concatenate([np.full(experts, 3.0 / experts), [0.0, 0.0]])
        free = (-20.0, 20.0) if outside is not None else (0.0, 0.0)
        found = minimize(surprise, start, method="L-BFGS-B", bounds=[(0.0, 100.0)] * experts + [free, free])
        return cls(found.x[:experts], outside, (float(found.x[experts]), float(found.x[experts + 1])))

    def predict(self, scores: Sequence[Singles]) -> Floats:
        """Return probabilities; shape (texts, labels)."""
        return np.asarray(softmax(self._combine(scores), axis=1))

    def _combine(self, scores: Sequence[Singles]) -> Floats:
        logits = np.zeros(scores[0].shape)
        for weight, score in zip(self.weights, scores, strict=True):
            logits += weight * score
        if self.outside is not None:
            proper = np.delete(logits, self.outside, axis=1).max(axis=1)
            logits[:, self.outside] += self.bias[0] + self.bias[1] * proper
        return logits
