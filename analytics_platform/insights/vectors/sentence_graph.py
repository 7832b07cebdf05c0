"""Sentence vectors by a small transformer on ONNX Runtime: 8-bit integers, and weights that are bound when it loads.

The vector of a text does not depend on the other texts of a call, bit for bit: every token's state is quantised with a
scale of its own, sums are sums of integers, and a batch has texts of one length, so that nothing is padded.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics_platform.insights.tiers.tier import TierError
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform.system.cores import usable_cores

WIDTH = 384
LONGEST_CHARACTERS = 4096
"""Most characters of a text that are split into tokens."""
_BATCH_TOKENS = 256
"""Most tokens of a batch; the states of larger batches leave the processor's caches and are slower."""
_SLICE = 8192
"""Texts that are split into tokens at once."""
_LARGEST_WEIGHT = 63
"""7 bits: processors without VNNI add two products of 8 bits in 16 bits, which 8-bit weights overflow."""
_ZERO_POINT = 128

Tokens = list[list[int]]
Embed = Callable[[NDArray[np.int64]], NDArray[np.float32]]


class SentenceGraph:
    """A transformer; safe to share between threads.

    Args:
        runtime: The library ``onnxruntime``.
        graph: File of the computation without weights, by ``training/vectors/graph.py``.
        weights: Name and value of every weight that the graph leaves open.
        embed: Returns the sum of the embeddings of each token, shape (texts, length, 384), of tokens of the shape
            (texts, length).
    """

    def __init__(self, runtime: Any, graph: Path, weights: Iterable[tuple[str, NDArray[Any]]], embed: Embed) -> None:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1  # whole batches run side by side, which needs no waiting between operators
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        bound = {name: runtime.OrtValue.ortvalue_from_numpy(value) for name, value in weights}
        options.add_external_initializers(list(bound), list(bound.values()))
        self._session = runtime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._embed = embed
        self._threads = usable_cores()

    def encode(self, texts: Sequence[str], split: Callable[[Sequence[str]], Tokens]) -> NDArray[np.float32]:
        """Encode texts, on as many threads as the process has cores.

        Args:
            texts: Any number of texts.
            split: Returns the tokens of each text; none for a text without a visible character.

        Returns:
            Unit-length vectors of shape (texts, 384), zeros for a text without tokens.
        """
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        with ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(texts), _SLICE):
                part = vectors[start : start + _SLICE]
                tokens = split(texts[start : start + _SLICE])
                lengths = np.array([len(ids) for ids in tokens], np.int64)

                def encode_rows(rows: NDArray[np.int64], tokens: Tokens = tokens) -> NDArray[np.float32]:
                    return self._encode_batch(np.array([tokens[row] for row in rows], np.int64))

                batches = list(_batches(lengths))
                for rows, result in zip(batches, pool.map(encode_rows, batches), strict=True):
                    part[rows] = result
        return vectors

    def _encode_batch(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return unit-length vectors of texts of equal length; tokens have the shape (texts, length)."""
        zeros = np.full(tokens.size, _ZERO_POINT, np.uint8)
        last = self._session.run(None, {"states": self._embed(tokens), "zero_points": zeros})[0]
        return np.asarray(unit(last.mean(axis=1)), np.float32)


def layer_weights(
    layer: str, matrices: Mapping[str, NDArray[np.float32]], floats: Mapping[str, NDArray[np.float32]]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the weights of a layer as a graph names them.

    Args:
        layer: Name of the layer with a full stop.
        matrices: Matrices by name, in single precision; shape (outputs, inputs).
        floats: Other weights by name.
    """
    for name, matrix in matrices.items():
        scales = np.abs(matrix).max(axis=1) / _LARGEST_WEIGHT
        codes = np.rint(matrix / scales[:, None]).astype(np.int8)
        yield f"{layer}{name}.w", np.ascontiguousarray(codes.T)
        yield f"{layer}{name}.s", scales.astype(np.float32)
    for name, value in floats.items():
        yield f"{layer}{name}", value


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


def import_library(name: str) -> Any:
    """Import a library of the extra ``transformer``.

    Raises:
        TierError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise TierError(f"sentence vectors: {error}; install the extra transformer") from error
