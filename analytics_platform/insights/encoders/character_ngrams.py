"""Counts of character n-grams within words, for all words at once.

The counts are those of scikit-learn's ``CountVectorizer`` with the analyzer ``char_wb``, which loops over words and
n-grams in Python and takes several times as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from analytics_platform.insights.encoders.words import is_matchable

Ints = NDArray[np.int64]


class CharacterNgrams:
    """Counts the n-grams of a vocabulary in words; a word begins and ends with a space.

    An n-gram is one 64-bit integer, so that all n-grams of all words are looked up at once.

    Args:
        vocabulary: Column of each n-gram.
        lengths: Fewest and most characters of an n-gram.

    Raises:
        ValueError: If the vocabulary has too many different characters; see ``is_countable``.
    """

    def __init__(self, vocabulary: Mapping[str, int], lengths: tuple[int, int]) -> None:
        if not is_countable(vocabulary, lengths):
            raise ValueError(f"n-grams of {len(set().union(*vocabulary))} characters do not fit into 64 bits")
        self._lengths = lengths
        self._size = len(vocabulary)
        self._alphabet = np.unique(_code_points("".join(vocabulary)))
        self._base = len(self._alphabet) + 1
        keys, columns = [], []
        terms = list(vocabulary)
        for length in range(lengths[0], lengths[1] + 1):
            chosen = [term for term in terms if len(term) == length]
            codes = self._codes("".join(chosen)).reshape(-1, length)
            key = np.zeros(len(chosen), np.int64)
            for step in range(length):
                key = key * self._base + codes[:, step]
            keys.append(key)
            columns.append(np.array([vocabulary[term] for term in chosen], np.int64))
        self._keys, self._columns = pa.array(np.concatenate(keys)), np.concatenate(columns)

    def count(self, words: Sequence[str]) -> sp.csr_matrix:
        """Return the number of occurrences of each n-gram in each word; single precision, shape (words, n-grams)."""
        sizes = np.array([len(word) + 2 for word in words], np.int64)
        codes = self._codes("".join(f" {word} " for word in words))
        word_of = np.repeat(np.arange(len(words)), sizes)
        ends = np.cumsum(sizes)[word_of]
        starts, keys = (np.concatenate(column) for column in zip(*self._windows(codes, ends), strict=True))
        place = pc.index_in(pa.array(keys), value_set=self._keys).fill_null(-1).to_numpy()  # faster than searching
        hit = np.flatnonzero(place >= 0)
        row, column = word_of[starts[hit]], self._columns[place[hit]]
        return sp.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(len(words), self._size))

    def _windows(self, codes: Ints, ends: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Yield start and key of the n-grams of each length whose characters are all in the alphabet.

        Args:
            codes: Number of each character, 0 for one outside the alphabet.
            ends: End of the word of each character.
        """
        starts = np.flatnonzero(codes)
        keys = codes[starts]
        for length in range(1, self._lengths[1] + 1):
            if length >= self._lengths[0]:
                yield starts, keys
            inside = starts + length < ends[starts]
            starts, keys = starts[inside], keys[inside]
            following = codes[starts + length]
            known = following > 0
            starts, keys = starts[known], keys[known] * self._base + following[known]

    def _codes(self, text: str) -> Ints:
        """Return the number of each character, from 1, and 0 for a character outside the alphabet."""
        points = _code_points(text)
        if not len(self._alphabet):
            return np.zeros(len(points), np.int64)
        place = np.minimum(np.searchsorted(self._alphabet, points), len(self._alphabet) - 1)
        return np.where(self._alphabet[place] == points, place + 1, 0).astype(np.int64)


def is_countable(vocabulary: Mapping[str, int], lengths: tuple[int, int]) -> bool:
    """Tell whether the longest n-grams fit into 64 bits, as up to 6,000 different characters of five do."""
    return is_matchable(len(set().union(*vocabulary)), lengths[1])


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
