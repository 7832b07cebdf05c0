"""Features of texts for a linear model: word and character n-grams, static vectors, and the valence of words.

`experts` fits the models; this module makes the features and multiplies them by coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from analytics_platform.insights.encoders.encoder import StaticEncoder, unit
from analytics_platform.insights.encoders.valence import measure_valence
from analytics_platform.insights.encoders.words import TermMatcher, Words, normalize, split_words
from analytics_platform.insights.tiers.tier import Singles
from analytics_platform.model.insight_tables import EMBEDDING_DIMENSIONS

_CHARACTER_NGRAMS = (2, 5)
LONGEST_TEXT = 4096
"""Most characters of a text that become features; a text states its subject earlier."""
_LONGEST_WORD = 40
"""Most characters of a word whose n-grams are counted; it bounds the cost of a thousand letters without a space."""
_MOST_COEFFICIENTS = 20_000_000
"""Most features times outputs, 80 MB; if there are more n-grams, the most frequent ones are kept."""
_VECTOR_WEIGHT = 1.5
_VALENCE_WEIGHT = 2.0
_DENSE = EMBEDDING_DIMENSIONS + 1
"""Number of columns after the n-grams: the static vector and the valence."""
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Prepared:
    """Texts that are split and encoded once, for all experts.

    Attributes:
        texts: The texts.
        words: Words of the texts.
        vectors: Unit-length static vectors of the texts; shape (texts, 256).
    """

    texts: list[str]
    words: Words
    vectors: Singles

    def take(self, rows: NDArray[np.int64]) -> Prepared:
        """Return the texts in these rows."""
        return Prepared([self.texts[row] for row in rows], self.words.take(rows), self.vectors[rows])


def prepare(texts: Sequence[str], encoder: StaticEncoder) -> Prepared:
    """Split and encode texts."""
    short = [text[:LONGEST_TEXT] for text in texts]
    words = split_words(short)
    return Prepared(short, words, np.asarray(unit(encoder.sum_words(words)), np.float32))


class Features:
    """TF-IDF of words and word pairs, TF-IDF of character n-grams within words, static vectors, valence.

    Character n-grams are counted once per distinct word and summed over a text's words by a matrix product, which makes
    scoring fast.

    Args:
        outputs: Number of columns of the coefficients. It bounds the number of word and character n-grams, so that the
            coefficients take at most 80 MB.
    """

    def __init__(self, outputs: int = 1) -> None:
        self._most = _MOST_COEFFICIENTS // 2 // outputs
        self._characters = CountVectorizer(
            analyzer="char_wb",
            ngram_range=_CHARACTER_NGRAMS,
            lowercase=False,
            dtype=np.float32,
            max_features=self._most,
        )
        self._word_weights = TfidfTransformer(sublinear_tf=True)
        self._character_weights = TfidfTransformer()

    def fit(self, prepared: Prepared) -> Self:
        """Fit vocabulary and inverse document frequencies."""
        words = prepared.words
        pairs = CountVectorizer(
            tokenizer=str.split, token_pattern=None, lowercase=False, ngram_range=(1, 2), max_features=self._most
        )
        normal = normalize(pa.array(prepared.texts, pa.string())).to_pylist()
        self._terms = TermMatcher(sorted(pairs.fit(normal).vocabulary_))
        self._word_weights.fit(self._terms.count(words))
        self._characters.fit(_short_words(words))
        self._character_weights.fit(words.incidence() @ self._count_characters(words))
        return self

    def transform(self, prepared: Prepared) -> sp.csr_matrix:
        """Return the features of texts; sparse, single precision, shape (texts, features)."""
        words = prepared.words
        characters = self._character_weights.transform(words.incidence() @ self._count_characters(words))
        blocks = (self._transform_terms(words), characters, sp.csr_matrix(self._transform_dense(prepared)))
        return sp.hstack(blocks, format="csr", dtype=np.float32)

    @staticmethod
    def likeness(features: sp.csr_matrix) -> Singles:
        """Return the scalar products of all pairs of rows of ``transform``; shape (texts, texts).

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

    def score(self, prepared: Prepared, coefficients: Singles) -> Singles:
        """Return ``transform(prepared) @ coefficients``, shape (texts, outputs), without the texts' character features.

        Character features are sums over a text's words, so each distinct word is multiplied once.
        """
        words = prepared.words
        by_term, by_character, by_dense = np.split(coefficients, self._boundaries)
        weighted = self._count_characters(words).multiply(self._character_weights.idf_).tocsr().astype(np.float32)
        incidence = words.incidence()
        lengths = _row_norms(incidence @ weighted)
        characters = (incidence @ (weighted @ by_character)) / np.where(lengths > 0, lengths, 1)[:, None]
        scores = self._transform_terms(words) @ by_term + characters + self._transform_dense(prepared) @ by_dense
        return np.asarray(scores, np.float32)

    @property
    def _boundaries(self) -> tuple[int, int]:
        terms = len(self._terms.terms)
        return terms, terms + len(self._characters.vocabulary_)

    def _count_characters(self, words: Words) -> sp.csr_matrix:
        """Return the counts of character n-grams of each distinct word; sparse, shape (words, n-grams)."""
        return self._characters.transform(_short_words(words))

    def _transform_terms(self, words: Words) -> sp.csr_matrix:
        return self._word_weights.transform(self._terms.count(words)).astype(np.float32)

    @staticmethod
    def _transform_dense(prepared: Prepared) -> Singles:
        valence = measure_valence(prepared.words) * _VALENCE_WEIGHT
        return np.column_stack([prepared.vectors * _VECTOR_WEIGHT, valence]).astype(np.float32)


def _short_words(words: Words) -> list[str]:
    return [word[:_LONGEST_WORD] for word in words.vocabulary.to_pylist()]


def _row_norms(matrix: sp.csr_matrix) -> Singles:
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), np.float32).ravel())
