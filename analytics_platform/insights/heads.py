"""Label heads fitted on labelled texts: word and character n-grams and static vectors into one calibrated linear model.

Belongs here: features, fitting and scoring. Does not belong here: files and measures (``evaluate``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.model_selection import KFold
from sklearn.svm import LinearSVC

from analytics_platform.insights.encoder import StaticEncoder, unit
from analytics_platform.insights.tier import Floats
from analytics_platform.insights.words import TermMatcher, Words, normalize, split_words

_CHARACTER_NGRAMS = (2, 5)
_VECTOR_WEIGHT = 1.5
_COST = 0.5
_FOLDS = 3
_BATCH = 8192
_ABSENT = -2.0
"""Score of a label that a fold has no text of: lower than a machine that is sure says no."""


class Features:
    """Texts as features: TF-IDF of words and word pairs, TF-IDF of characters within words, static vectors.

    Character n-grams are counted once per distinct word and summed over a text's words by a matrix product, which
    is what makes scoring quick.

    Args:
        encoder: Makes the vectors.
    """

    def __init__(self, encoder: StaticEncoder) -> None:
        self._encoder = encoder
        self._characters = CountVectorizer(
            analyzer="char_wb", ngram_range=_CHARACTER_NGRAMS, lowercase=False, dtype=np.float32
        )
        self._word_weights = TfidfTransformer(sublinear_tf=True)
        self._character_weights = TfidfTransformer()

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn vocabulary and weights."""
        words = split_words(texts)
        pairs = CountVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False, ngram_range=(1, 2))
        self._terms = TermMatcher(sorted(pairs.fit(normalize(pa.array(texts, pa.string())).to_pylist()).vocabulary_))
        self._word_weights.fit(self._terms.count(words))
        self._characters.fit(words.vocabulary.to_pylist())
        self._character_weights.fit(words.incidence() @ self._count_characters(words))
        return self

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Return the features of texts; sparse, single precision, shape (texts, features)."""
        words = split_words(texts)
        characters = self._character_weights.transform(words.incidence() @ self._count_characters(words))
        blocks = (self._transform_terms(words), characters, sp.csr_matrix(self._transform_vectors(words)))
        return sp.hstack(blocks, format="csr", dtype=np.float32)

    def score(self, texts: Sequence[str], coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``transform(texts) @ coefficients`` without making the character features of every text.

        They are sums over a text's words, so each distinct word is multiplied once.
        """
        words = split_words(texts)
        by_term, by_character, by_vector = np.split(coefficients, self._boundaries)
        weighted = self._count_characters(words).multiply(self._character_weights.idf_).tocsr().astype(np.float32)
        incidence = words.incidence()
        lengths = _row_norms(incidence @ weighted)
        characters = (incidence @ (weighted @ by_character)) / np.where(lengths > 0, lengths, 1)[:, None]
        scores = self._transform_terms(words) @ by_term + characters + self._transform_vectors(words) @ by_vector
        return np.asarray(scores, np.float32)

    @property
    def _boundaries(self) -> tuple[int, int]:
        terms = len(self._terms.terms)
        return terms, terms + len(self._characters.vocabulary_)

    def _count_characters(self, words: Words) -> sp.csr_matrix:
        """Return the character n-grams of each distinct word."""
        return self._characters.transform(words.vocabulary.to_pylist())

    def _transform_terms(self, words: Words) -> sp.csr_matrix:
        return self._word_weights.transform(self._terms.count(words)).astype(np.float32)

    def _transform_vectors(self, words: Words) -> NDArray[np.float32]:
        return np.asarray(unit(self._encoder.sum_words(words)) * _VECTOR_WEIGHT, np.float32)


def _row_norms(matrix: sp.csr_matrix) -> NDArray[np.float32]:
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), np.float32).ravel())


class LabelHead:
    """A linear classifier whose confidence is calibrated by cross-validation.

    Args:
        encoder: Makes the vectors.
    """

    def __init__(self, encoder: StaticEncoder) -> None:
        self._features = Features(encoder)

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Fit on labelled texts; the same input gives the same head.

        Args:
            texts: Texts.
            labels: One label each; at least two different ones.
        """
        features = self._features.fit(texts).transform(texts)
        names, codes = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
        self.labels: tuple[str, ...] = tuple(names)
        self._temperature = _fit_temperature(features, codes, len(names))
        self._coefficients, self._bias = _fit_linear(features, codes, len(names))
        return self

    def predict(self, texts: Sequence[str]) -> Floats:
        """Return the probability of each label; shape (texts, labels)."""
        batches = [self._predict_batch(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(batches) if batches else np.zeros((0, len(self.labels)))

    def _predict_batch(self, texts: Sequence[str]) -> Floats:
        scores = self._features.score(texts, self._coefficients) + self._bias
        return np.asarray(softmax(scores.astype(np.float64) * self._temperature, axis=1))


def _fit_linear(
    features: sp.csr_matrix, codes: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return coefficients (features, labels) and bias (labels,) of one-against-the-rest support vector machines."""
    coefficients, bias = np.zeros((features.shape[1], count), np.float32), np.full(count, _ABSENT, np.float32)
    present = np.unique(codes)
    if len(present) == 1:  # a fold of a tiny file
        bias[present] = 0
        return coefficients, bias
    model = LinearSVC(C=_COST, random_state=0).fit(features, codes)
    if len(present) == 2:  # one machine for two labels: the second against the first
        coefficients[:, present] = np.column_stack([-model.coef_[0], model.coef_[0]]) / 2
        bias[present] = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
    else:
        coefficients[:, present], bias[present] = model.coef_.T, model.intercept_
    return coefficients, bias


def _fit_temperature(features: sp.csr_matrix, codes: NDArray[np.int64], count: int) -> float:
    """Return the factor on scores under which held-out labels are most likely."""
    scores = np.zeros((len(codes), count))
    for train, held in KFold(min(_FOLDS, len(codes)), shuffle=True, random_state=0).split(codes):
        coefficients, bias = _fit_linear(features[train], codes[train], count)
        scores[held] = features[held] @ coefficients + bias

    def surprise(logarithm: float) -> float:
        return -float(log_softmax(scores * np.exp(logarithm), axis=1)[np.arange(len(codes)), codes].mean())

    return float(np.exp(minimize_scalar(surprise, bounds=(-3, 4), method="bounded").x))
