"""A small window tagger that labels which words are part of a person's name, for many texts at once.

Hashed pieces of a word's spelling give its vector. One hidden layer over the vectors of the word and its three
neighbours on either side gives the label. All steps are array operations. ``training/names`` of the repository fits the
weights.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

WORD = re.compile(r"[^\W_]+(?:[-'’](?!(?:s|t|re|ll|m|ve|d)\b)[^\W_]+)*|[^\w\s]|_|\n+")
"""A word, a punctuation mark or the end of a line."""
WINDOW = 3
BUCKETS = 1 << 15
FEATURES = 18
OUTSIDE, BEGIN, INSIDE = 0, 1, 2
PADDING = ""  # the word before the first and after the last word
_WEIGHTS = Path(__file__).parent / "names.safetensors"

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


def word_features(word: str) -> list[int]:
    """Return the feature buckets of a word: itself, its shape, its beginnings and endings, and its inner trigrams."""
    lower = word.lower().replace("’", "'")
    marked = f"^{lower[:12]}$"
    pieces = [
        "w" + lower,
        "s" + _shape(word),
        *(f"p{lower[:size]}" for size in (2, 3, 4)),
        *(f"e{lower[-size:]}" for size in (1, 2, 3, 4)),
        *(f"t{marked[place : place + 3]}" for place in range(len(marked) - 2)),
    ]
    return [1 + zlib.crc32(piece.encode()) % (BUCKETS - 1) for piece in pieces[:FEATURES]]


def _shape(word: str) -> str:
    if word.isdigit():
        return f"9{min(len(word), 6)}"
    if not word[:1].isalpha():
        return word[:1]
    case = "X" if word.isupper() else "Xx" if word[0].isupper() else "x"
    return f"{case}{min(len(word), 4)}{'-' if '-' in word else ''}{'9' if any(map(str.isdigit, word)) else ''}"


def feature_matrix(words: Sequence[str]) -> npt.NDArray[np.int32]:
    """Return the buckets of each word as a (words, ``FEATURES``) matrix, filled up with 0."""
    matrix = np.zeros((len(words), FEATURES), np.int32)
    for row, word in enumerate(words):
        buckets = word_features(word)
        matrix[row, : len(buckets)] = buckets
    return matrix


@dataclass(frozen=True)
class Tagger:
    """The weights of the tagger.

    Attributes:
        embedding: (``BUCKETS``, size) vectors of feature buckets; the vector of bucket 0 is zero.
        window: (2 * ``WINDOW`` + 1, size, hidden) weights of each place in the window, from left to right.
        hidden_bias: (hidden,).
        output: (hidden, 3) weights of outside, begin, inside.
        output_bias: (3,).
    """

    embedding: Floats
    window: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats

    def vectors(self, words: Sequence[str]) -> Floats:
        """Return the (words, size) vectors: the mean of the vectors of each word's features."""
        features = feature_matrix(words)
        total = np.zeros((len(words), self.embedding.shape[1]), np.float32)
        for column in features.T:
            total += self.embedding[column]
        counts = np.maximum((features > 0).sum(axis=1, keepdims=True), 1)
        return np.asarray(total / counts, np.float32)

    def scores(self, vectors: Floats, words: Ids, texts: Ids) -> Floats:
        """Return (words, 3) log-odds of the labels.

        Args:
            vectors: Vectors of the distinct words, the vector of ``PADDING`` last.
            words: For each word of all texts, one text after the other, the row of its vector.
            texts: For each word, the number of its text, ascending.
        """
        padding = len(vectors) - 1
        hidden = np.repeat(self.hidden_bias[None], len(words), axis=0)
        for place, weights in enumerate(self.window):
            shift = place - WINDOW
            hidden += (vectors @ weights)[_shifted(words, texts, shift, padding)]
        return np.asarray(np.maximum(hidden, 0) @ self.output + self.output_bias, np.float32)


def _shifted(words: Ids, texts: Ids, shift: int, padding: int) -> Ids:
    """Return for each word the word ``shift`` places later in the same text, or the padding."""
    places = np.arange(len(words)) + shift
    inside = (places >= 0) & (places < len(words))
    places = np.clip(places, 0, max(len(words) - 1, 0))
    return np.where(inside & (texts[places] == texts), words[places], padding)


@cache
def load_tagger() -> Tagger:
    """Return the tagger with the weights shipped in the package."""
    stored = load_file(_WEIGHTS)
    scale = stored.pop("embedding_scale")
    floats = {name: np.asarray(array, np.float32) for name, array in stored.items()}
    floats["embedding"] *= scale.astype(np.float32)
    return Tagger(**floats)
