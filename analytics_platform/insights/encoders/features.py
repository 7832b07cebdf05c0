"""Texts as features of a linear model: word and character n-grams, static vectors, and the valence of their words.

Belongs here: making features, and multiplying them by coefficients quickly. Does not belong here: fitting
(``experts``).
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
"""Characters of a text that are looked at: what a text is about, it says before."""
_LONGEST_WORD = 40
"""Characters of a word whose n-grams are counted, so that a thousand letters without a space cost no more."""
_MOST_COEFFICIENTS = 20_000_000
"""Features times outputs, 80 MB; of more n-grams the most frequent are kept."""
_VECTOR_WEIGHT = 1.5
_VALENCE_WEIGHT = 2.0
_DENSE = EMBEDDING_DIMENSIONS + 1
"""Columns behind the n-grams: the static vector and the valence."""
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Prepared:
    """Texts split and encoded once, for every expert.

    Attributes:
        texts: The texts.
        words: Their words.
        vectors: Their unit-length static vectors; shape (texts, 256).
    """

    texts: list[str]
    words: Words
    vectors: Singles

    def take(self, rows: NDArray[np.int64]) -> Prepared:
        """Return some of the texts."""
        return Prepared([self.texts[row] for row in rows], self.words.take(rows), self.vectors[rows])


def prepare(texts: Sequence[str], encoder: StaticEncoder) -> Prepared:
    """Split and encode texts."""
    short = [text[:LONGEST_TEXT] for text in texts]
    words = split_words(short)
    return Prepared(short, words, np.asarray(unit(encoder.sum_words(words)), np.float32))


class Features:
    """TF-IDF of words and word pairs, TF-IDF of characters within words, static vectors, valence.

    Character n-grams are counted once per distinct word and summed over a text's words by a matrix product, which
    is what makes scoring quick.

    Args:
        outputs: Columns of the coefficients that the features will be multiplied by. Words and characters get so many
            n-grams each that the coefficients stay within 80 MB.
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
        """Learn vocabulary and weights."""
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
        """Return the scalar products of all rows of ``transform``; shape (texts, texts).

        The static vectors are multiplied densely and the n-grams some rows at a time, so that no more than the result
        is in memory.
        """
        ngrams, dense = features[:, :-_DENSE], features[:, -_DENSE:].toarray()
        others = ngrams.T.tocsr()
        products = np.asarray(dense @ dense.T, np.float32)
        for start in range(0, len(products), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            products[rows] += (ngrams[rows] @ others).toarray()
        return products

    def score(self, prepared: Prepared, coefficients: Singles) -> Singles:
        """Return ``transform(prepared) @ coefficients`` without making the character features of every text.

        They are sums over a text's words, so each distinct word is multiplied once.
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
        """Return the character n-grams of each distinct word."""
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
