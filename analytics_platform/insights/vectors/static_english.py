"""Static word vectors: texts to unit-length vectors, without a neural network and without network access.

The vectors are files of the ``wordllama`` wheel.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from analytics_platform.insights.encoders.words import WORDS_REVISION, Words, split_words
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform.model.tables.insight_tables import EMBEDDING_DIMENSIONS
from analytics_platform.system.word_cache import WordCache

_PACKAGE = "wordllama"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_MISSING = f"static vectors: the package {_PACKAGE} is not installed"
_FIRST_MEANINGFUL_TOKEN = 259
"""Id of the first subword token; smaller ids are control tokens and single bytes, which carry no meaning."""
_LONGEST_WORD = 256
"""Most characters of a word that are encoded, so that a megabyte without a space costs no more than a word."""
_BATCH = 65_536


class EncoderError(RuntimeError):
    """The static vectors cannot be loaded; the message names the missing package or file."""


class EnglishEncoder:
    """Mean-pooled static vectors of English words, 256 dimensions; safe to share between threads.

    Equal texts always get equal vectors, bit for bit, in every batch.

    Raises:
        EncoderError: If the package with the vectors is not installed, or lacks its files.
    """

    def __init__(self) -> None:
        self.name = english_name()
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise EncoderError(_MISSING)
        folder = Path(next(iter(spec.submodule_search_locations)))
        for name in (_WEIGHTS, _TOKENIZER):
            if not (folder / name).is_file():
                raise EncoderError(f"static vectors: the installed {_PACKAGE} has no {name}")
        self._table = load_file(folder / _WEIGHTS)["embedding.weight"].astype(np.float16)
        self._table[:_FIRST_MEANINGFUL_TOKEN] = 0
        self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        self._tokens = WordCache(self._tokenize)

    def encode(self, texts: pa.ChunkedArray | pa.Array | Sequence[str]) -> NDArray[np.float32]:
        """Encode texts.

        Args:
            texts: Any number of texts; null counts as empty.

        Returns:
            Unit-length vectors of shape (texts, 256); all zeros for a text without a known word.
        """
        vectors = np.zeros((len(texts), EMBEDDING_DIMENSIONS), np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            vectors[start : start + _BATCH] = unit(self.sum_words(split_words(batch)))
        return vectors

    def sum_words(self, words: Words) -> NDArray[np.float32]:
        """Return the sum of each text's word vectors; shape (texts, 256)."""
        return np.asarray(words.incidence() @ self.encode_words(words.vocabulary))

    def encode_words(self, words: pa.StringArray) -> NDArray[np.float32]:
        """Return the vector of each word: the sum of its subword vectors, not of unit length; shape (words, 256)."""
        short = pc.utf8_slice_codeunits(words, 0, _LONGEST_WORD).to_pylist()
        tokens = self._tokens.results(short)
        offsets = np.concatenate(([0], np.cumsum([len(ids) for ids in tokens], dtype=np.int64)))
        flat = np.fromiter((token for ids in tokens for token in ids), np.int64, int(offsets[-1]))
        distinct, codes = np.unique(flat, return_inverse=True)
        used = sp.csr_matrix((np.ones(len(flat), np.float32), codes, offsets), shape=(len(short), len(distinct)))
        return np.asarray(used @ self._table[distinct].astype(np.float32))

    def _tokenize(self, words: list[str]) -> list[list[int]]:
        return [item.ids for item in self._tokenizer.encode_batch_fast(words, add_special_tokens=False)]


@cache
def english_name() -> str:
    """Return the name of the encoder of English words, with the version of its vectors; nothing is loaded.

    Raises:
        EncoderError: If the package with the vectors is not installed.
    """
    try:
        installed = importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise EncoderError(_MISSING) from None
    return f"{_PACKAGE}-l2-supercat-{EMBEDDING_DIMENSIONS}/{installed}/{WORDS_REVISION}"


@lru_cache(maxsize=1)
def english_encoder() -> EnglishEncoder:
    """Return the process's encoder of English words, loaded once in about half a second and 50 MB."""
    return EnglishEncoder()
