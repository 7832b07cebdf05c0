"""Stacking: combine the scores of several experts to one calibrated probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from analytics_platform.insights.tiers.tier import Floats, Singles

_SHRINKAGE = 1e-5
"""Regularisation of the weights towards zero; it matters only if there are very few texts."""
_CURVE_PULL = 2.0
"""Regularisation of a calibration curve towards the identity, in units of one answer."""


@dataclass(frozen=True)
class Stack:
    """Weights of the experts, fitted on out-of-sample scores.

    Attributes:
        weights: One non-negative factor per expert.
        outside: Index of the out-of-scope label; None if there is none.
        bias: Two numbers for the out-of-scope score: a constant added to it, and the factor of the best in-scope score
            that is added to it.
    """

    weights: Floats
    outside: int | None
    bias: tuple[float, float]

    @classmethod
    def fit(cls, scores: Sequence[Singles], codes: NDArray[np.int64], importance: Floats, outside: int | None) -> Stack:
        """Return the weights that maximise the likelihood of the right labels.

        Args:
            scores: Scores of each expert, each of shape (texts, labels).
            codes: Index of each text's label.
            importance: Weight of each text.
            outside: Index of the out-of-scope label; None if there is none.
        """
        experts = len(scores)
        share = importance / importance.sum()
        rows = np.arange(len(codes))

        def surprise(values: Floats) -> float:
            logits = cls(values[:experts], outside, (values[experts], values[experts + 1]))._combine(scores)
            return float(-share @ log_softmax(logits, axis=1)[rows, codes] + _SHRINKAGE * (values**2).sum())

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


@dataclass(frozen=True)
class Calibration:
    """Calibration of confidence: a smooth increasing curve from confidence to expected accuracy.

    The curve is fitted on final answers, after every route; a ``Stack`` is fitted on its own scores. In-scope and
    out-of-scope answers have separate curves, because the share of out-of-scope texts moves them in opposite
    directions.

    Attributes:
        curves: Beta calibration (M. Kull et al., 2017) of in-scope and of out-of-scope answers.
        outside: Index of the out-of-scope label; None if there is none.
    """

    curves: tuple[Floats, Floats]
    outside: int | None

    @classmethod
    def fit(cls, answers: Floats, codes: NDArray[np.int64], importance: Floats, outside: int | None) -> Calibration:
        """Fit on out-of-sample probabilities ``answers``; the other arguments are those of ``Stack.fit``."""
        chosen = answers.argmax(axis=1)
        best, right = answers.max(axis=1), chosen == codes
        groups = (chosen != outside, chosen == outside)
        first, second = (_fit_curve(best[group], right[group], importance[group]) for group in groups)
        return cls((first, second), outside)

    def apply(self, answers: Floats) -> Floats:
        """Return answers with calibrated confidence; each answer keeps its most probable label."""
        chosen, best = answers.argmax(axis=1), answers.max(axis=1)
        wanted = np.where(chosen == self.outside, _follow(self.curves[1], best), _follow(self.curves[0], best))
        even = 1 / answers.shape[1]
        wanted = np.maximum(wanted, even)
        flatten = np.clip((best - wanted) / np.maximum(best - even, 1e-9), 0, 1)[:, None]
        sharpen = np.minimum((1 - wanted) / np.maximum(1 - best, 1e-9), 1)[:, None]
        result = np.where(flatten > 0, (1 - flatten) * answers + flatten * even, answers * sharpen)
        result[np.arange(len(answers)), chosen] = wanted
        return np.asarray(result)


def _follow(curve: Floats, confidence: Floats) -> Floats:
    return np.asarray(expit(_evidence(confidence) @ curve))


def _evidence(confidence: Floats) -> Floats:
    safe = np.clip(confidence, 1e-6, 1 - 1e-6)
    return np.column_stack([np.log(safe), -np.log1p(-safe), np.ones(len(safe))])


def _fit_curve(confidence: Floats, right: NDArray[np.bool_], importance: Floats) -> Floats:
    """Return the three parameters of the curve; with few answers it stays near the identity."""
    evidence, share = _evidence(confidence), importance / max(importance.sum(), 1.0)
    diagonal = np.array([1.0, 1.0, 0.0])
    pull = _CURVE_PULL / max(len(confidence), 1)

    def surprise(curve: Floats) -> float:
        chance = evidence @ curve
        return float(share @ np.logaddexp(0, np.where(right, -chance, chance)) + pull * ((curve - diagonal) ** 2).sum())

    return np.asarray(minimize(surprise, diagonal, method="L-BFGS-B", bounds=[(0.0, 10.0)] * 2 + [(-20.0, 20.0)]).x)
