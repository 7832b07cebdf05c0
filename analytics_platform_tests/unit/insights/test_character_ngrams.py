"""Character n-grams of words, against scikit-learn's counts."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from analytics_platform.insights.encoders.character_ngrams import CharacterNgrams, is_countable

LENGTHS = (2, 5)


def fitted(words: list[str], most: int | None = None) -> CountVectorizer:
    return CountVectorizer(
        analyzer="char_wb", ngram_range=LENGTHS, lowercase=False, dtype=np.float32, max_features=most
    ).fit(words)


@pytest.mark.parametrize("most", [None, 40])
def test_ngrams_are_counted_as_scikit_learn_counts_them(most: int | None) -> None:
    """A different count would change every label."""
    random = np.random.default_rng(0)
    letters = list("abcdeéß'你好😀\U0001f1e9")
    words = ["".join(random.choice(letters, size)) for size in random.integers(1, 12, 300)]
    expected = fitted(words[:150], most)

    counts = CharacterNgrams(expected.vocabulary_, LENGTHS).count(words)

    assert (counts != expected.transform(words)).nnz == 0
    assert counts.dtype == np.float32
    assert counts.has_sorted_indices


def test_ngrams_of_no_word_and_of_unknown_letters_are_none() -> None:
    """A block may have no word, and a word no letter of the training texts."""
    ngrams = CharacterNgrams(fitted(["abc", "bcd"]).vocabulary_, LENGTHS)

    assert ngrams.count([]).shape == (0, len(fitted(["abc", "bcd"]).vocabulary_))
    assert ngrams.count(["xyz", "ж"]).nnz == 0


def test_too_many_letters_for_an_integer_are_refused() -> None:
    """Keys beyond 64 bits would count one n-gram as another one."""
    vocabulary = {chr(0x4E00 + row) * 2: row for row in range(8_000)}

    assert not is_countable(vocabulary, LENGTHS)
    with pytest.raises(ValueError, match="64 bits"):
        CharacterNgrams(vocabulary, LENGTHS)
