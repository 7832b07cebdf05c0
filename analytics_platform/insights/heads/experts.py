"""Two ways to score labels: a linear model of n-grams, and the neighbours among the training texts.

Belongs here: fitting, scoring, and what each would have scored for a training text had it not seen it. Does not
belong here: what the scores mean together (``stacking``), and who is asked when (``heads``).
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
"""Of errors against size of weights; one machine for two labels needs smaller weights than many, whose errors partly
cancel."""
_MOST_WORK = 200_000_000
"""Labels times characters that machines are fitted for: about a minute on two cores. Beyond it a ridge regression takes
their place, whose cost does not grow with the labels."""
_WORK_PER_TEXT = 250
"""Characters that a text's static vector is as dear as."""
_MACHINE_RIDGE = 0.3
_FOLDS = 4
_ABSENT = -2.0
"""Score of a label that a fold has no text of: lower than a machine that is sure says no."""
_SHARPNESS = 2.0
"""How quickly likeness falls with distance: exp(sharpness * (cosine - 1))."""
_RIDGE = 0.1
_TEXTS_AT_ONCE = 2048
"""Whose likeness to every neighbour is in memory at the same time: 80 MB for 10,000 neighbours."""


class LinearExpert:
    """One-against-the-rest support vector machines over ``Features``; a ridge regression where those take too long.

    Args:
        bounded: Whether a ridge regression may take the machines' place.
    """

    def __init__(self, *, bounded: bool = True) -> None:
        self._bounded = bounded

    def fit(self, prepared: Prepared, codes: Codes, count: int) -> Singles:
        """Fit, and return the scores of each training text by machines that did not see it.

        Args:
            prepared: Training texts.
            codes: Number of each text's label.
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
        """Fit 1 for a text's label and -1 for every other, and return the scores as ``fit`` does."""
        wanted = 2 * np.eye(count, dtype=np.float32)[codes] - 1
        self._bias = wanted.mean(axis=0)
        weights, left_out = fit_ridge(Features.likeness(features), _MACHINE_RIDGE, wanted - self._bias)
        self._coefficients = np.asarray(features.T @ weights, np.float32)
        return np.asarray(left_out + self._bias, np.float32)

    def score(self, prepared: Prepared) -> Singles:
        """Return the score of each label; shape (texts, labels)."""
        return self._features.score(prepared, self._coefficients) + self._bias


def _fit_machines(features: sp.csr_matrix, codes: Codes, count: int) -> tuple[Singles, Singles]:
    """Return coefficients (features, labels) and bias (labels,)."""
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
    """Kernel ridge regression: every training text votes, by how alike its vector is.

    Args:
        most: Training texts that are kept as neighbours, a random choice of more. Fitting needs the square of it
            in memory (1.6 GB for 20,000), and asking is as dear as they are many.
        device: Where the products are computed when scoring.
    """

    def __init__(self, most: int, device: Device = CPU) -> None:
        self._most = most
        self._device = device

    def fit(self, vectors: Singles, codes: Codes, count: int) -> Singles:
        """Fit, and return the scores of each training text had it not been among the neighbours.

        Args:
            vectors: Unit-length vectors; shape (texts, dimensions).
            codes: Number of each text's label.
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
        """Return the score of each label; about 0 to 1; shape (texts, labels)."""
        scores = np.empty((len(vectors), self._votes.shape[1]), np.float32)
        for start in range(0, len(vectors), _TEXTS_AT_ONCE):
            rows = slice(start, start + _TEXTS_AT_ONCE)
            alike = _likeness(self._device.matmul(self._centred(vectors[rows]), self._anchors.T))
            scores[rows] = self._device.matmul(alike, self._votes)
        return scores

    def _centred(self, vectors: Singles) -> Singles:
        return np.asarray(unit(vectors - self._centre), np.float32)


def _likeness(cosines: Dense) -> Dense:
    """Turn cosines into likeness, in place."""
    cosines -= 1
    cosines *= _SHARPNESS
    return np.exp(cosines, out=cosines)
