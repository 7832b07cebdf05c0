"""Two experts that score labels: a linear model of n-grams, and a vote of the nearest training texts.

Each expert also returns out-of-sample scores of its training texts. `stacking` combines the scores; `label_heads`
decides which expert scores a text.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.model_selection import KFold
from sklearn.svm import LinearSVC

from analytics_platform.insights.encoders.device import CPU, Dense, Device
from analytics_platform.insights.encoders.encoder import unit
from analytics_platform.insights.encoders.features import Features, Prepared
from analytics_platform.insights.heads.ridge import fit_ridge
from analytics_platform.insights.tiers.tier import Singles

Codes = NDArray[np.int64]

_COST, _COST_ALONE = 1.0, 0.1
"""Cost of errors in the support vector machines (``C``), for several labels and for two labels. The one machine for two
labels needs smaller weights than several machines, whose errors partly cancel."""
_MOST_WORK = 200_000_000
"""Most labels times characters for support vector machines, about a minute on two cores. Beyond it, a ridge regression
replaces them, because its cost does not grow with the number of labels."""
_WORK_PER_TEXT = 250
"""Cost of a text's static vector, in characters."""
_MACHINE_RIDGE = 0.3
_FOLDS = 4
_ABSENT = -2.0
"""Score of a label without a text in a fold; below the score at which a machine is sure of a no."""
_SHARPNESS = 2.0
"""Sharpness of the kernel exp(sharpness * (cosine - 1))."""
_RIDGE = 0.1
_TEXTS_AT_ONCE = 2048
"""Texts whose kernel values with all neighbours are in memory at once, 80 MB for 10,000 neighbours."""


class LinearExpert:
    """One-against-the-rest support vector machines over ``Features``, or a ridge regression if they take too long.

    Args:
        bounded: Whether a ridge regression may replace the machines.
    """

    def __init__(self, *, bounded: bool = True) -> None:
        self._bounded = bounded

    def fit(self, prepared: Prepared, codes: Codes, count: int) -> Singles:
        """Fit the model, and return out-of-sample scores of the training texts; shape (texts, labels).

        Args:
            prepared: Training texts.
            codes: Index of each text's label.
            count: Number of labels.
        """
        self._features = Features(count).fit(prepared)
        features = self._features.transform(prepared)
        work = count * sum(len(text) + _WORK_PER_TEXT for text in prepared.texts)
        if self._bounded and work > _MOST_WORK:
            return self._fit_ridge(features, codes, count)
        scores = np.zeros((len(codes), count), np.float32)
        for train, held in KFold(min(_FOLDS, len(codes)), shuffle=True, random_state=0).split(codes):
            coefficients, bias = _fit_machines(features[train], codes[train], count)
            scores[held] = features[held] @ coefficients + bias
        self._coefficients, self._bias = _fit_machines(features, codes, count)
        return scores

    def _fit_ridge(self, features: sp.csr_matrix, codes: Codes, count: int) -> Singles:
        """Fit a target of 1 for a text's label and -1 for every other label, and return the scores as ``fit`` does."""
        wanted = 2 * np.eye(count, dtype=np.float32)[codes] - 1
        self._bias = wanted.mean(axis=0)
        weights, left_out = fit_ridge(Features.likeness(features), _MACHINE_RIDGE, wanted - self._bias)
        self._coefficients = np.asarray(features.T @ weights, np.float32)
        return np.asarray(left_out + self._bias, np.float32)

    def score(self, prepared: Prepared) -> Singles:
        """Return the score of each label; shape (texts, labels)."""
        return self._features.score(prepared, self._coefficients) + self._bias


def _fit_machines(features: sp.csr_matrix, codes: Codes, count: int) -> tuple[Singles, Singles]:
    """Return coefficients of shape (features, labels) and bias of shape (labels,)."""
    coefficients, bias = np.zeros((features.shape[1], count), np.float32), np.full(count, _ABSENT, np.float32)
    present = np.unique(codes)
    if len(present) == 1:  # a fold of a tiny file
        bias[present] = 0
        return coefficients, bias
    model = LinearSVC(C=_COST if len(present) > 2 else _COST_ALONE, random_state=0).fit(features, codes)
    if len(present) == 2:  # one machine for two labels: the second against the first
        coefficients[:, present] = np.column_stack([-model.coef_[0], model.coef_[0]]) / 2
        bias[present] = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
    else:
        coefficients[:, present], bias[present] = model.coef_.T, model.intercept_
    return coefficients, bias


class NeighbourExpert:
    """Kernel ridge regression: every kept training text votes, weighted by the similarity of its vector.

    Args:
        most: Most training texts kept as neighbours; a random choice if there are more. Fitting needs memory for the
            square of their number (1.6 GB for 20,000), and scoring time grows with their number.
        device: Device of the products during scoring.
    """

    def __init__(self, most: int, device: Device = CPU) -> None:
        self._most = most
        self._device = device

    def fit(self, vectors: Singles, codes: Codes, count: int) -> Singles:
        """Fit the votes, and return the score of each training text without its own vote; shape (texts, labels).

        Args:
            vectors: Unit-length vectors; shape (texts, dimensions).
            codes: Index of each text's label.
            count: Number of labels.
        """
        kept = np.sort(np.random.default_rng(0).permutation(len(codes))[: self._most])
        self._centre = vectors[kept].mean(axis=0)
        self._anchors = self._centred(vectors[kept])
        wanted = np.eye(count, dtype=np.float32)[codes[kept]]
        self._votes, left_out = fit_ridge(
            np.asarray(_likeness(self._anchors @ self._anchors.T), np.float32), _RIDGE, wanted
        )
        if len(kept) == len(codes):
            return left_out
        scores = self.score(vectors)
        scores[kept] = left_out
        return scores

    def score(self, vectors: Singles) -> Singles:
        """Return the score of each label, about 0 to 1; shape (texts, labels)."""
        scores = np.empty((len(vectors), self._votes.shape[1]), np.float32)
        for start in range(0, len(vectors), _TEXTS_AT_ONCE):
            rows = slice(start, start + _TEXTS_AT_ONCE)
            alike = _likeness(self._device.matmul(self._centred(vectors[rows]), self._anchors.T))
            scores[rows] = self._device.matmul(alike, self._votes)
        return scores

    def _centred(self, vectors: Singles) -> Singles:
        return np.asarray(unit(vectors - self._centre), np.float32)


def _likeness(cosines: Dense) -> Dense:
    """Convert cosines to kernel values, in place."""
    cosines -= 1
    cosines *= _SHARPNESS
    return np.exp(cosines, out=cosines)
