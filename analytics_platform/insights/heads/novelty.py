"""Whether a document fits none of the labels, learnt from documents whose label was left out of the training set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from analytics_platform.insights.heads.trials import Trial
from analytics_platform.insights.tiers.tier import Floats

_PULL = 0.02
"""Regularisation of the weights towards the average evidence; it matters only if there are very few documents."""


@dataclass(frozen=True)
class Novelty:
    """A logistic regression on the evidence that a document resembles the training documents.

    Attributes:
        centre: Mean of each piece of evidence; shape (pieces,).
        scale: Standard deviation of each piece; shape (pieces,).
        weights: Non-negative weight of each piece against novelty; shape (pieces,).
        bias: Log-odds of novelty at the mean of the evidence.
    """

    centre: Floats
    scale: Floats
    weights: Floats
    bias: float

    @classmethod
    def fit(cls, evidence: Floats, is_new: np.ndarray, importance: Floats) -> Novelty:
        """Fit on out-of-sample evidence.

        Args:
            evidence: From ``evidence_of``; shape (documents, pieces).
            is_new: Whether a document fits no label; shape (documents,).
            importance: Weight of each document; its sums state the expected share of documents that fit no label.
        """
        share = importance / importance.sum()
        centre = share @ evidence
        scale = np.sqrt(share @ (evidence - centre) ** 2)
        scale = np.where(scale > 1e-9, scale, 1.0)
        known, sign = (evidence - centre) / scale, np.where(is_new, 1.0, -1.0)

        def surprise(values: Floats) -> tuple[float, Floats]:
            odds = values[-1] - known @ values[:-1]
            lost = float(share @ np.logaddexp(0, -sign * odds) + _PULL * (values[:-1] ** 2).sum() / len(known))
            slope = -share * sign * expit(-sign * odds)
            by_weight = -known.T @ slope + 2 * _PULL * values[:-1] / len(known)
            return lost, np.append(by_weight, slope.sum())

        start = np.zeros(evidence.shape[1] + 1)
        bounds = [(0.0, 20.0)] * evidence.shape[1] + [(-20.0, 20.0)]
        found = minimize(surprise, start, jac=True, method="L-BFGS-B", bounds=bounds)
        return cls(centre, scale, found.x[:-1], float(found.x[-1]))

    def predict(self, evidence: Floats) -> Floats:
        """Return the probability that each document fits no label; shape (documents,)."""
        return np.asarray(expit(self.bias - (evidence - self.centre) / self.scale @ self.weights))


def evidence_of(tried: Sequence[Trial]) -> Floats:
    """Return the evidence that documents resemble the training documents.

    Args:
        tried: Scores and nearness of each expert.

    Returns:
        Of each expert, the best score, its distance to the second best, and the nearness if it has one; shape
        (documents, pieces).
    """
    columns: list[np.ndarray] = []
    for one in tried:
        best = one.scores.max(axis=1)
        columns.append(best)
        if one.scores.shape[1] > 1:
            columns.append(best - np.partition(one.scores, -2, axis=1)[:, -2])
        if one.nearness is not None:
            columns.append(one.nearness)
    return np.column_stack(columns).astype(np.float64)
