"""Stacking: combine the scores of several experts to one calibrated probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, softmax

from analytics_platform.insights.tiers.tier import LEAST_REMAINDER, Floats, Singles, choose

_PULL = 60.0
"""Number of texts at which the regularisation of the weights towards the usual ones weighs as much as the texts; it
falls with the third power of their number."""
_CURVE_PULL = 200.0
"""Number of answers at which the regularisation of a calibration curve towards the identity weighs as much as the
answers; it falls with the third power of their number. An answer about an example that is left out of five is more
often wrong than an answer about another text, so that few examples say little about confidence."""
_LEAD = 1e-4
"""Least relative lead of a chosen label's confidence over an even split, so that the label stays the chosen one."""


@dataclass(frozen=True)
class Stack:
    """Weights of the experts, fitted on out-of-sample scores.

    Attributes:
        weights: One non-negative factor per expert.
    """

    weights: Floats

    @classmethod
    def fit(
        cls, scores: Sequence[Singles], codes: NDArray[np.int64], usual: Sequence[float], most: Sequence[float]
    ) -> Stack:
        """Return the weights that maximise the likelihood of the right labels.

        Args:
            scores: Scores of each expert, each of shape (texts, labels).
            codes: Index of each text's label.
            usual: Weights that few texts hardly change.
            most: Largest weight of each expert.
        """
        rows, around = np.arange(len(codes)), np.asarray(usual, np.float64)
        pull = (_PULL / max(len(codes), 1)) ** 3
        stacked = np.stack(scores, axis=2).astype(np.float64)
        own = stacked[rows, codes]

        def surprise(values: Floats) -> tuple[float, Floats]:
            logits = stacked @ values
            chance = softmax(logits, axis=1)
            lost = -np.log(np.maximum(chance[rows, codes], 1e-300)).mean()
            lost += pull * ((values / around - 1) ** 2).sum()
            slope = (np.einsum("tl,tle->te", chance, stacked) - own).mean(axis=0)
            return float(lost), slope + 2 * pull * (values / around - 1) / around

        found = minimize(surprise, around, jac=True, method="L-BFGS-B", bounds=[(0.0, one) for one in most])
        return cls(np.asarray(found.x))

    def predict(self, scores: Sequence[Singles]) -> Floats:
        """Return probabilities; shape (texts, labels)."""
        logits = np.zeros(scores[0].shape)
        for weight, score in zip(self.weights, scores, strict=True):
            logits += weight * score
        return np.asarray(softmax(logits, axis=1))


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
        chosen = choose(answers, outside)
        best, right = answers[np.arange(len(chosen)), chosen], chosen == codes
        groups = (chosen != outside, chosen == outside)
        first, second = (_fit_curve(best[group], right[group], importance[group]) for group in groups)
        return cls((first, second), outside)

    def apply(self, answers: Floats) -> Floats:
        """Return answers with calibrated confidence; ``choose`` chooses the same label as before."""
        chosen = choose(answers, self.outside)
        best = answers[np.arange(len(chosen)), chosen]
        wanted = np.where(chosen == self.outside, _follow(self.curves[1], best), _follow(self.curves[0], best))
        even = 1 / answers.shape[1]
        least = min(even * (1 + _LEAD), 1.0)
        wanted = np.maximum(wanted, np.where(chosen == self.outside, max(least, LEAST_REMAINDER), least))
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
    pull = (_CURVE_PULL / max(importance.sum(), 1.0)) ** 3

    def surprise(curve: Floats) -> float:
        chance = evidence @ curve
        return float(share @ np.logaddexp(0, np.where(right, -chance, chance)) + pull * ((curve - diagonal) ** 2).sum())

    return np.asarray(minimize(surprise, diagonal, method="L-BFGS-B", bounds=[(0.0, 10.0)] * 2 + [(-20.0, 20.0)]).x)
