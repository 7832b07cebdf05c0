"""Three experts that score labels: a linear model of n-grams, a vote of the nearest training documents, and keywords.

Each expert also returns out-of-sample scores of its training documents. `stacking` combines the scores; `classifier`
decides which expert scores a document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from analytics_platform.insights.encoders.device import CPU, Dense, Device
from analytics_platform.insights.encoders.words import TermMatcher, split_words
from analytics_platform.insights.heads.features import Features
from analytics_platform.insights.heads.linear import saturate
from analytics_platform.insights.heads.ridge import fit_ridge, leave_groups_out
from analytics_platform.insights.keeping.packing import State
from analytics_platform.insights.tiers.tier import Documents, Floats, Singles
from analytics_platform.insights.vectors.unit_length import unit

Codes = NDArray[np.int64]

_COST, _COST_ALONE = 1.0, 0.1
"""Cost of errors in the support vector machines (``C``), for several labels and for two labels. The one machine for two
labels needs smaller weights than several machines, whose errors partly cancel."""
_MOST_WORK = 200_000_000
"""Most labels times characters for support vector machines, about a minute on two cores. Beyond it, a ridge regression
replaces them, because its cost does not grow with the number of labels."""
_FEWEST_FOR_MACHINES = 3_000
"""Fewest training texts for support vector machines; with fewer, a ridge regression is as accurate and takes a tenth of
the time."""
_WORK_PER_TEXT = 250
"""Cost of a text's static vector, in characters."""
_MACHINE_RIDGE = 0.3
_FOLDS = 4
_ABSENT = -2.0
"""Score of a label without a text in a fold; below the score at which a machine is sure of a no."""
_SHARPNESS = 2.0
"""Sharpness of the kernel exp(sharpness * (cosine - 1))."""
_RIDGE = 0.1
_STEPS = 2048
"""Steps from 0 to 1 to which vectors are rounded. Cosines are then sums of multiples of 2 to the power -22 that stay
below 4, which single precision adds without rounding: the batch of a text changes no digit of them."""
MOST_EXACT = 3_000
"""Most documents that are fitted in double precision, and whose labels are left out one after the other."""
_TEXTS_AT_ONCE = 256
"""Texts whose kernel values with all neighbours are in memory at once: few enough that those with a thousand neighbours
stay in the processor's cache."""
_PHRASE_BONUS = 0.5
"""Relative increase of a keyword's score with each further word of a phrase."""


class LinearExpert:
    """One-against-the-rest support vector machines over ``Features``, or a ridge regression.

    The ridge regression replaces the machines where they take too long, and where there are few texts.

    Args:
        bounded: Whether a ridge regression may replace machines that take too long.
    """

    def __init__(self, *, bounded: bool = True) -> None:
        self._bounded = bounded

    def fit(self, documents: Documents, codes: Codes, count: int, weights: Floats) -> Singles:
        """Fit the model, and return out-of-sample scores of the training documents; shape (documents, labels).

        Args:
            documents: Training documents.
            codes: Index of each document's label.
            count: Number of labels.
            weights: Weight of each document.
        """
        self.features = Features(count).fit(documents)
        features = self.features.transform(documents)
        work = count * sum(len(text) + _WORK_PER_TEXT for text in documents.texts)
        if len(codes) < _FEWEST_FOR_MACHINES or (self._bounded and work > _MOST_WORK):
            return self._fit_ridge(features, codes, count, weights)
        from sklearn.model_selection import KFold  # noqa: PLC0415  (half a second; only fitting needs it)

        scores = np.zeros((len(codes), count), np.float32)
        for train, held in KFold(min(_FOLDS, len(codes)), shuffle=True, random_state=0).split(codes):
            coefficients, bias = _fit_machines(features[train], codes[train], count, weights[train])
            scores[held] = features[held] @ coefficients + bias
        self.coefficients, self._bias = _fit_machines(features, codes, count, weights)
        return scores

    def _fit_ridge(self, features: sp.csr_matrix, codes: Codes, count: int, weights: Floats) -> Singles:
        """Fit a target of 1 for a text's label and -1 for every other label, and return the scores as ``fit`` does."""
        wanted = 2 * np.eye(count, dtype=np.float32)[codes] - 1
        self._bias = wanted.mean(axis=0)
        votes, left_out = fit_ridge(Features.products(features), _MACHINE_RIDGE / weights, wanted - self._bias)
        self.coefficients = np.asarray(features.T @ votes, np.float32)
        return np.asarray(left_out + self._bias, np.float32)

    @property
    def state(self) -> State:
        """What ``of_state`` needs to make an expert with the same scores."""
        return {"features": self.features.state, "coefficients": self.coefficients, "bias": self._bias}

    @classmethod
    def of_state(cls, state: State) -> LinearExpert:
        """Return the fitted expert of a state."""
        expert = cls()
        expert.features = Features.of_state(state["features"])
        expert.coefficients, expert._bias = state["coefficients"], state["bias"]
        return expert

    def score(self, documents: Documents) -> Singles:
        """Return the score of each label; shape (documents, labels)."""
        return self.features.score(documents, self.coefficients) + self._bias

    @cached_property
    def contrast(self) -> Singles:
        """Coefficients of each label above the mean of all labels; shape (features, labels)."""
        return np.asarray(self.coefficients - self.coefficients.mean(axis=1, keepdims=True))

    def slope(self, columns: Codes) -> Floats:
        """Return how the score of one label of each document changes with its static vector; shape (documents, 256)."""
        return np.asarray(self.features.vector_part(self.contrast)[:, columns].T, np.float64)


def _fit_machines(features: sp.csr_matrix, codes: Codes, count: int, weights: Floats) -> tuple[Singles, Singles]:
    """Return coefficients of shape (features, labels) and bias of shape (labels,)."""
    from sklearn.svm import LinearSVC  # noqa: PLC0415  (half a second; only fitting needs it)

    coefficients, bias = np.zeros((features.shape[1], count), np.float32), np.full(count, _ABSENT, np.float32)
    present = np.unique(codes)
    if len(present) == 1:  # a fold of a tiny file
        bias[present] = 0
        return coefficients, bias
    cost = _COST if len(present) > 2 else _COST_ALONE
    model = LinearSVC(C=cost, random_state=0).fit(features, codes, sample_weight=weights)
    if len(present) == 2:  # one machine for two labels: the second against the first
        coefficients[:, present] = np.column_stack([-model.coef_[0], model.coef_[0]]) / 2
        bias[present] = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
    else:
        coefficients[:, present], bias[present] = model.coef_.T, model.intercept_
    return coefficients, bias


class Votes(NamedTuple):
    """Out-of-sample scores of training documents.

    Attributes:
        scores: Without the document itself; shape (documents, labels).
        near: Cosine to the nearest other document that votes; shape (documents,).
        without: Scores as if the document's label did not exist; the score of its own label is the lowest. None where
            more than ``MOST_EXACT`` documents vote.
        near_without: Cosine to the nearest document of another label; None as ``without``.
    """

    scores: np.ndarray
    near: np.ndarray
    without: np.ndarray | None = None
    near_without: np.ndarray | None = None


class NeighbourExpert:
    """Kernel ridge regression: every kept training document votes, weighted by the similarity of its vector.

    Args:
        most: Most training documents kept as neighbours; a random choice if there are more. Fitting needs memory for
            the square of their number (1.6 GB for 20,000), and scoring time grows with their number.
        device: Device of the products during scoring.
    """

    def __init__(self, most: int, device: Device = CPU) -> None:
        self._most = most
        self._device = device

    def fit(self, vectors: Dense, codes: Codes, count: int, weights: Floats) -> Votes:
        """Fit the votes, and return the scores of each training document without its own vote.

        Args:
            vectors: Unit-length vectors; shape (documents, dimensions).
            codes: Index of each document's label; ``count`` for a document that fits no label.
            count: Number of labels.
            weights: Weight of each document.
        """
        kept = np.sort(np.random.default_rng(0).permutation(len(codes))[: self._most])
        groups = codes[kept]
        self._centre = vectors[kept].mean(axis=0, dtype=np.float64)
        if count == 1:
            self._centre *= 0  # the mean of one label's documents is what makes them alike
        self._exact = len(codes) <= min(self._most, MOST_EXACT)
        self.anchors = self._centred(vectors[kept])
        cosines: Dense = self.anchors @ self.anchors.T
        if self._exact:
            cosines = cosines.astype(np.float64)
        wanted = np.eye(count + 1, count, dtype=cosines.dtype)[groups]
        ridge = np.asarray(_RIDGE / weights[kept])
        if self._exact:
            self.votes, left_out, without = leave_groups_out(_kernel(cosines), ridge, wanted, groups)
            np.fill_diagonal(cosines, -1)
            near = cosines.max(axis=1)
            cosines[groups[:, None] == groups[None, :]] = -1
            return Votes(left_out, near, without, cosines.max(axis=1))
        own = np.diagonal(cosines).copy()
        np.fill_diagonal(cosines, -1)
        near_other = cosines.max(axis=1)
        np.fill_diagonal(cosines, own)
        votes, left_out = fit_ridge(_kernel(cosines), ridge, wanted)
        self.votes = votes.astype(np.float64)
        scores, near = self.score(vectors)
        scores[kept], near[kept] = left_out, near_other
        return Votes(scores, near)

    @property
    def state(self) -> State:
        """What ``of_state`` needs to make an expert with the same scores."""
        return {"most": self._most, "centre": self._centre, "anchors": self.anchors, "votes": self.votes}

    @classmethod
    def of_state(cls, state: State, device: Device) -> NeighbourExpert:
        """Return the fitted expert of a state.

        Args:
            state: From ``state``.
            device: Device of the products during scoring.
        """
        expert = cls(state["most"], device)
        expert._centre, expert.anchors, expert.votes = state["centre"], state["anchors"], state["votes"]
        return expert

    def score(self, vectors: Dense) -> tuple[Singles, Singles]:
        """Return the score of each label, about 0 to 1, shape (documents, labels), and the cosine to the nearest."""
        scores = np.empty((len(vectors), self.votes.shape[1]), np.float32)
        near = np.empty(len(vectors), np.float32)
        for start in range(0, len(vectors), _TEXTS_AT_ONCE):
            rows = slice(start, start + _TEXTS_AT_ONCE)
            cosines = self._device.matmul(self._centred(vectors[rows]), self.anchors.T)
            near[rows] = cosines.max(axis=1)
            values = _kernel(cosines).astype(np.float64)  # in single precision, the batch would change last digits
            scores[rows] = self._device.matmul(values, self.votes)
        return scores, near

    def slope(self, vectors: Dense, columns: Codes) -> Floats:
        """Return how the score of one label of each document changes with its vector; shape (documents, dimensions).

        Args:
            vectors: Unit-length vectors; shape (documents, dimensions).
            columns: The label of each document.
        """
        slopes = np.empty(vectors.shape, np.float64)
        contrast = self.votes - self.votes.mean(axis=1, keepdims=True)
        for start in range(0, len(vectors), _TEXTS_AT_ONCE):
            rows = slice(start, start + _TEXTS_AT_ONCE)
            kernel = _kernel(self._centred(vectors[rows]) @ self.anchors.T)
            slopes[rows] = _SHARPNESS * ((kernel * contrast[:, columns[rows]].T) @ self.anchors)
        return slopes

    def _centred(self, vectors: Dense) -> Dense:
        has_words = vectors.any(axis=1, keepdims=True)  # documents without a known word resemble nothing
        centred = unit(np.where(has_words, vectors - self._centre, 0.0))
        return np.asarray(np.rint(centred * _STEPS) / _STEPS, np.float32)


class KeywordExpert:
    """Scores labels by their keywords; labels with the same keyword share its score.

    Args:
        keywords: Keywords by label.
        labels: Names of the labels, the columns of the scores.
    """

    def __init__(self, keywords: Mapping[str, Sequence[str]], labels: Sequence[str]) -> None:
        self.keywords = {label: tuple(keywords.get(label, ())) for label in labels}
        owners: dict[str, set[int]] = {}
        for column, listed in enumerate(self.keywords.values()):
            split = split_words(listed)
            names = split.vocabulary.to_pylist()
            for keyword, start, end in zip(listed, split.offsets[:-1], split.offsets[1:], strict=True):
                normal = " ".join(names[code] for code in split.codes[start:end])
                owners.setdefault(normal + ("*" if keyword.endswith("*") else ""), set()).add(column)
        self.weights = np.zeros((len(owners), len(labels)))
        for row, (keyword, columns) in enumerate(owners.items()):
            self.weights[row, sorted(columns)] = (1 + _PHRASE_BONUS * keyword.count(" ")) / len(columns)
        self.matcher = TermMatcher(tuple(owners))

    def score(self, documents: Documents) -> Singles:
        """Return the score of each label; shape (documents, labels)."""
        return np.asarray(saturate(documents.weights @ self.matcher.count(documents.words)) @ self.weights, np.float32)


def _kernel(cosines: Dense) -> Dense:
    """Return the kernel values of cosines."""
    values: Dense = cosines - 1  # a Python number keeps the precision of the cosines
    values *= _SHARPNESS
    np.exp(values, out=values)
    return values
