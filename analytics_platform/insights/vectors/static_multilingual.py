"""Static vectors of a hundred languages: texts to unit-length vectors, without a neural network or network access.

A text's vector is the direction of the sum of its words' vectors, and a word's vector the sum of its pieces' vectors.
``training/vectors`` fits the pieces' vectors so that texts get the vectors of multilingual-e5-small, without what e5's
vectors tell of the language. So texts of one meaning are near to each other across languages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from analytics_platform.insights.encoders.words import WORDS_REVISION, Words, split_words
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform.model.tables.insight_tables import EMBEDDING_DIMENSIONS
from analytics_platform.system.word_cache import WordCache

VECTORS_FILE = Path(__file__).with_name("data") / "static_multilingual.safetensors"
_REVISION = "2"
"""Increase the number when the file or the arithmetic changes, so that stored vectors become stale."""
ENCODER_NAME = f"multilingual-static-{EMBEDDING_DIMENSIONS}/{_REVISION}/{WORDS_REVISION}"
"""Name of the encoder: a stored vector of another name is stale."""
_UNKNOWN_SCORE = -30.0
"""Logarithm of the probability of a character outside the vocabulary; lower than that of every piece."""
_LONGEST_WORD = 256
"""Most characters of a word that are encoded, so that a megabyte without a space costs no more than a word."""
_BATCH = 65_536


class StaticEncoder:
    """Sums of static vectors of 256 dimensions; safe to share between threads.

    Equal texts always get equal vectors, bit for bit, in every batch. Languages without spaces need no splitter of
    their own: what stands between two spaces or punctuation marks is cut into the most probable pieces.

    Args:
        path: File with the tensors ``vectors`` (int8; pieces, 256), ``scales`` (pieces,), ``scores`` (logarithms of the
            pieces' probabilities) and ``pieces`` (UTF-8, separated by line feeds; a piece that begins a word begins
            with ``▁``).
    """

    def __init__(self, path: Path = VECTORS_FILE) -> None:
        tensors = load_file(path)
        self._codes = tensors["vectors"]
        self._scales = tensors["scales"].astype(np.float32)
        self._tokenizer = make_tokenizer(tensors["pieces"].tobytes().decode().split("\n"), tensors["scores"])
        self._pieces = WordCache(partial(find_pieces, self._tokenizer))
        self.name = ENCODER_NAME

    def encode(self, texts: pa.ChunkedArray | pa.Array | Sequence[str]) -> NDArray[np.float32]:
        """Encode texts.

        Args:
            texts: Any number of texts; null counts as empty.

        Returns:
            Unit-length vectors of shape (texts, 256); all zeros for a text without a known piece.
        """
        vectors = np.zeros((len(texts), EMBEDDING_DIMENSIONS), np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            vectors[start : start + _BATCH] = unit(self.sum_words(split_words(batch)))
        return vectors

    def sum_words(self, words: Words) -> NDArray[np.float32]:
        """Return the sum of each text's word vectors; shape (texts, 256)."""
        return np.asarray(words.incidence() @ words.of_vocabulary(self.encode_words, self.encode_words))

    def encode_words(self, words: pa.StringArray) -> NDArray[np.float32]:
        """Return the vector of each word: the sum of its pieces' vectors, not of unit length; shape (words, 256)."""
        counts = count_pieces(self._tokenizer, words, self._pieces.results)
        distinct, codes = np.unique(counts.indices, return_inverse=True)
        pieces = self._codes[distinct] * self._scales[distinct, None]
        used = sp.csr_matrix((counts.data, codes, counts.indptr), shape=(len(words), len(distinct)))
        return np.asarray(used @ pieces, np.float32)


def make_tokenizer(pieces: list[str], scores: NDArray[np.floating]) -> Tokenizer:
    """Return the tokenizer that cuts a word into its most probable pieces; token 0 is a character without a piece."""
    vocabulary = [("<unk>", _UNKNOWN_SCORE), *zip(pieces, scores.astype(float).tolist(), strict=True)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def find_pieces(tokenizer: Tokenizer, words: list[str]) -> list[list[int]]:
    """Return the tokens of each word."""
    return [item.ids for item in tokenizer.encode_batch_fast(words, add_special_tokens=False)]


def count_pieces(
    tokenizer: Tokenizer,
    words: pa.StringArray,
    pieces: Callable[[list[str]], list[list[int]]] | None = None,
) -> sp.csr_matrix:
    """Return the pieces of each word, in their order; characters without a piece are left out.

    Args:
        tokenizer: Cuts words into pieces.
        words: The words.
        pieces: Returns the tokens of each word as ``find_pieces`` does; the tokenizer is asked when None.

    Returns:
        Sparse matrix of ones with shape (words, pieces); a piece that a word has twice has two entries.
    """
    short = pc.utf8_slice_codeunits(words, 0, _LONGEST_WORD).to_pylist()
    tokens = pieces(short) if pieces else find_pieces(tokenizer, short)
    offsets = np.concatenate(([0], np.cumsum([len(ids) for ids in tokens], dtype=np.int64)))
    flat = np.fromiter((token for ids in tokens for token in ids), np.int64, int(offsets[-1])) - 1
    known = flat >= 0
    offsets = np.concatenate(([0], np.cumsum(known)))[offsets]
    ones = np.ones(int(offsets[-1]), np.float32)
    return sp.csr_matrix((ones, flat[known], offsets), shape=(len(short), tokenizer.get_vocab_size() - 1))


@lru_cache(maxsize=1)
def static_encoder() -> StaticEncoder:
    """Return the process's static encoder of many languages, loaded once."""
    return StaticEncoder()
