"""Features of documents for a linear model: word and character n-grams, static vectors, and the valence of words.

`experts` fits the models; this module makes the features and multiplies them by coefficients. The features of a
document are sums over its parts, so a conversation and a single message have features of one form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from analytics_platform.insights.encoders.character_ngrams import CharacterNgrams, is_countable
from analytics_platform.insights.encoders.valence import measure_valence
from analytics_platform.insights.encoders.words import TermMatcher, Words, normalize
from analytics_platform.insights.heads.linear import pool
from analytics_platform.insights.keeping.packing import State
from analytics_platform.insights.tiers.tier import Documents, Singles
from analytics_platform.model.tables.insight_tables import EMBEDDING_DIMENSIONS

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import CountVectorizer

_CHARACTER_NGRAMS = (2, 5)
_LONGEST_WORD = 40
"""Most characters of a word whose n-grams are counted; it bounds the cost of a thousand letters without a space."""
_MOST_COEFFICIENTS = 20_000_000
"""Most features times outputs, 80 MB; if there are more n-grams, the most frequent ones are kept."""
_VECTOR_WEIGHT = 1.5
_VALENCE_WEIGHT = 2.0
_DENSE = EMBEDDING_DIMENSIONS + 1
"""Number of columns after the n-grams: the static vector and the valence."""
_ROWS_AT_ONCE = 512


class Features:
    """TF-IDF of words and word pairs, TF-IDF of character n-grams within words, static vectors, valence.

    Character n-grams are counted once per distinct word and summed over a document's words by a matrix product, which
    makes scoring fast.

    Args:
        outputs: Number of columns of the coefficients. It bounds the number of word and character n-grams, so that the
            coefficients take at most 80 MB.
    """

    def __init__(self, outputs: int = 1) -> None:
        self._most = _MOST_COEFFICIENTS // 2 // outputs

    def fit(self, documents: Documents) -> Self:
        """Fit vocabulary and inverse document frequencies."""
        from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415  (half a second; only to fit)

        words = documents.words
        pairs = CountVectorizer(
            tokenizer=str.split, token_pattern=None, lowercase=False, ngram_range=(1, 2), max_features=self._most
        )
        normal = normalize(pa.array(documents.texts, pa.string())).to_pylist()
        self._terms = TermMatcher(sorted(pairs.fit(normal).vocabulary_))
        self._word_weights = _Tfidf.fit(_mix(documents) @ self._terms.count(words))
        self._vocabulary: dict[str, int] = _vectorizer(self._most).fit(_short_words(words)).vocabulary_
        counts = _mix(documents) @ words.incidence() @ self._count_characters(words)
        self._character_weights = _Tfidf.fit(counts)
        return self

    @property
    def state(self) -> State:
        """What ``of_state`` needs to make the same features."""
        return {
            "terms": self._terms.terms,
            "ngrams": tuple(sorted(self._vocabulary, key=self._vocabulary.__getitem__)),
            "word_weights": self._word_weights.idf,
            "character_weights": self._character_weights.idf,
        }

    @classmethod
    def of_state(cls, state: State) -> Features:
        """Return the fitted features of a state."""
        features = cls()
        features._terms = TermMatcher(state["terms"])
        features._vocabulary = {ngram: column for column, ngram in enumerate(state["ngrams"])}
        features._word_weights = _Tfidf(state["word_weights"])
        features._character_weights = _Tfidf(state["character_weights"])
        return features

    def transform(self, documents: Documents) -> sp.csr_matrix:
        """Return the features of documents; sparse, single precision, shape (documents, features)."""
        words = documents.words
        counts = _mix(documents) @ words.incidence() @ self._count_characters(words)
        blocks = (
            self._transform_terms(documents),
            self._character_weights.transform(counts),
            sp.csr_matrix(self._transform_dense(documents)),
        )
        return sp.hstack(blocks, format="csr", dtype=np.float32)

    @staticmethod
    def products(features: sp.csr_matrix) -> Singles:
        """Return the scalar products of all pairs of rows of ``transform``; shape (documents, documents).

        The static vectors are multiplied densely and the n-grams in blocks of rows, so that memory holds little more
        than the result.
        """
        ngrams, dense = features[:, :-_DENSE], features[:, -_DENSE:].toarray()
        others = ngrams.T.tocsr()
        products = np.asarray(dense @ dense.T, np.float32)
        for start in range(0, len(products), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            products[rows] += (ngrams[rows] @ others).toarray()
        return products

    def score(self, documents: Documents, coefficients: Singles) -> Singles:
        """Return ``transform(documents) @ coefficients``, shape (documents, outputs).

        Character features are sums over a document's words, so each distinct word is multiplied once.
        """
        words = documents.words
        by_term, by_character, by_dense = np.split(coefficients, self._boundaries)
        weighted = self._weigh_characters(words)
        incidence = _mix(documents) @ words.incidence()
        lengths = _row_norms(incidence @ weighted)
        characters = (incidence @ (weighted @ by_character)) / np.where(lengths > 0, lengths, 1)[:, None]
        # In single precision, the number of documents would change the last digits of a product of dense matrices.
        meaning = self._transform_dense(documents).astype(np.float64) @ by_dense
        return np.asarray(self._transform_terms(documents) @ by_term + characters + meaning, np.float32)

    def score_words(self, words: Words, coefficients: Singles) -> Singles:
        """Return what each distinct word alone adds to each output, by itself and by its characters.

        Args:
            words: Words of texts; only the vocabulary is used.
            coefficients: As for ``score``.

        Returns:
            Shape (vocabulary, outputs).
        """
        by_term, by_character, _ = np.split(coefficients, self._boundaries)
        size = len(words.vocabulary)
        alone = Words(words.vocabulary, np.arange(size), np.arange(size + 1))
        if not size:
            return np.zeros((0, coefficients.shape[1]), np.float32)
        terms = self._terms.count(alone).multiply(self._word_weights.idf).tocsr()
        return np.asarray(terms @ by_term + self._weigh_characters(alone) @ by_character, np.float32)

    def vector_part(self, coefficients: Singles) -> Singles:
        """Return the change of each output with the static vector; shape (256, outputs)."""
        start = self._boundaries[1]
        return coefficients[start : start + EMBEDDING_DIMENSIONS] * np.float32(_VECTOR_WEIGHT)

    @property
    def _boundaries(self) -> tuple[int, int]:
        terms = len(self._terms.terms)
        return terms, terms + len(self._vocabulary)

    @cached_property
    def _ngrams(self) -> CharacterNgrams | None:
        """The fitted n-grams; None for the rare vocabulary that scikit-learn has to count."""
        if not is_countable(self._vocabulary, _CHARACTER_NGRAMS):
            return None
        return CharacterNgrams(self._vocabulary, _CHARACTER_NGRAMS)

    def _count_characters(self, words: Words) -> sp.csr_matrix:
        """Return the counts of character n-grams of each distinct word; sparse, shape (words, n-grams)."""
        count = self._ngrams.count if self._ngrams else _vectorizer(None, self._vocabulary).transform
        return count(_short_words(words))

    def _weigh_characters(self, words: Words) -> sp.csr_matrix:
        """Return the weighted n-grams of each distinct word, which the words remember; shape (words, n-grams)."""
        return words.remember((self, "characters"), lambda: self._weigh(self._count_characters(words)))

    def _weigh(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        weights = (counts.data * self._character_weights.idf[counts.indices]).astype(np.float32)
        return sp.csr_matrix((weights, counts.indices, counts.indptr), shape=counts.shape)

    def _transform_terms(self, documents: Documents) -> sp.csr_matrix:
        counts = (_mix(documents) @ self._terms.count(documents.words)).tocsr()
        counts.data = np.where(counts.data > 1, 1 + np.log(np.maximum(counts.data, 1)), counts.data)
        return self._word_weights.transform(counts).astype(np.float32)

    @staticmethod
    def _transform_dense(documents: Documents) -> Singles:
        valence = _mix(documents) @ measure_valence(documents.words) * _VALENCE_WEIGHT
        return np.column_stack([pool(documents) * _VECTOR_WEIGHT, valence]).astype(np.float32)


@dataclass(frozen=True)
class _Tfidf:
    """Weights of terms by their rarity; the products and lengths of scikit-learn's ``TfidfTransformer``, bit for bit.

    Attributes:
        idf: Inverse document frequency of each term; shape (terms,).
    """

    idf: np.ndarray

    @classmethod
    def fit(cls, counts: sp.csr_matrix) -> _Tfidf:
        from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415  (half a second; only to fit)

        return cls(TfidfTransformer().fit(counts).idf_)

    def transform(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        """Return weighted counts, each row of unit length or empty; shape (documents, terms)."""
        weighted = counts.tocsr(copy=True)
        if not np.issubdtype(weighted.dtype, np.floating):
            weighted = weighted.astype(np.float64)
        weighted.data *= self.idf[weighted.indices]
        row_of = np.repeat(np.arange(weighted.shape[0]), np.diff(weighted.indptr))
        lengths = np.sqrt(np.bincount(row_of, weighted.data * weighted.data, weighted.shape[0]))
        weighted.data = (weighted.data / np.where(lengths > 0, lengths, 1.0)[row_of]).astype(weighted.dtype)
        return weighted


def _vectorizer(most: int | None, vocabulary: dict[str, int] | None = None) -> CountVectorizer:
    """Return scikit-learn's counter of character n-grams.

    Args:
        most: The most n-grams that it fits; all when None.
        vocabulary: Column of each n-gram, instead of fitting.
    """
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415  (half a second; only to fit)

    return CountVectorizer(
        analyzer="char_wb",
        ngram_range=_CHARACTER_NGRAMS,
        lowercase=False,
        dtype=np.float32,
        max_features=most,
        vocabulary=vocabulary,
    )


def _mix(documents: Documents) -> sp.csr_matrix:
    """Return the weights of the parts, the heaviest part of each document counting once; shape (documents, parts)."""
    weights = documents.weights.tocsr().astype(np.float32)
    if not weights.shape[1]:  # the largest entry of no entries is undefined
        return weights
    most = weights.max(axis=1).toarray().ravel()
    return sp.diags(1 / np.where(most > 0, most, 1)).astype(np.float32) @ weights


def _short_words(words: Words) -> list[str]:
    return [word[:_LONGEST_WORD] for word in words.vocabulary.to_pylist()]


def _row_norms(matrix: sp.csr_matrix) -> Singles:
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), np.float32).ravel())
