"""The transformers of the slower tiers, ONNX on the CPU, half precision on a GPU.

multilingual-e5-small reads every language, and all-MiniLM-L6-v2 English texts beside it. The CPU needs no download. For
a GPU, sentence-transformers fetches the models from Hugging Face unless its cache has them.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from analytics_platform.insights.encoders.device import DeviceChoice
from analytics_platform.insights.tiers.tier import TierError
from analytics_platform.insights.vectors.multilingual_transformer import (
    LONGEST,
    MULTILINGUAL_DIMENSIONS,
    PREFIX,
    multilingual_encoder,
)

_LOG = logging.getLogger(__name__)

GPU_MODEL, ENGLISH_GPU_MODEL = "intfloat/multilingual-e5-small", "sentence-transformers/all-MiniLM-L6-v2"


class TextEncoder(Protocol):
    """Encodes texts to unit-length vectors; implementations are safe to share between threads.

    Attributes:
        name: Model, precision and version.
        device: Device of the computation.
    """

    name: str
    device: Literal["cpu", "gpu"]

    @property
    def english_encoder(self) -> TextEncoder | None:
        """Reads English texts beside it; None where there is none."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit-length vectors of shape (texts, ``MULTILINGUAL_DIMENSIONS``)."""
        ...


class CudaEncoder:
    """The full model in half precision on a GPU, through sentence-transformers.

    No GPU has run this class so far. The model is downloaded from Hugging Face at first use; a machine without network
    access needs it in the cache (``HF_HOME``), or in a folder whose path is ``model``.

    Args:
        model: Name or folder of the model.
        prefix: Stands before every text, as in the model's training.

    Raises:
        TierError: If sentence-transformers, a GPU, or the model is missing.
    """

    device: Literal["cpu", "gpu"] = "gpu"

    def __init__(self, model: str = GPU_MODEL, prefix: str = PREFIX) -> None:
        try:
            library = importlib.import_module("sentence_transformers")
            torch = importlib.import_module("torch")
        except ImportError as error:
            raise TierError(f"transformer on gpu: {error}; install the extra transformer-gpu") from error
        if not torch.cuda.is_available():
            raise TierError("transformer on gpu: PyTorch finds no CUDA device; use auto or cpu")
        try:
            self._model = library.SentenceTransformer(model, device="cuda").half()
            self._model.max_seq_length = LONGEST  # as on the CPU
        except OSError as error:
            raise TierError(f"transformer on gpu: the model {model} cannot be loaded: {error}") from error
        self.name = f"{model}/fp16"
        self._prefix = prefix

    @cached_property
    def english_encoder(self) -> CudaEncoder | None:
        """Reads English texts beside it; loaded at its first use."""
        return CudaEncoder(ENGLISH_GPU_MODEL, "") if self.name.startswith(GPU_MODEL) else None

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of shape (texts, 384); the library batches by length."""
        prefixed = [self._prefix + text for text in texts]
        vectors = self._model.encode(prefixed, batch_size=512, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32).reshape(len(texts), MULTILINGUAL_DIMENSIONS)


def names_of(encoder: TextEncoder) -> str:
    """Return the names of an encoder and of the one that reads English texts beside it."""
    english = encoder.english_encoder
    return f"{encoder.name}+{english.name}" if english else encoder.name


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
        return multilingual_encoder()
    try:
        encoder: TextEncoder = CudaEncoder()
        names_of(encoder)  # loads the English model, too
    except TierError as error:
        encoder = multilingual_encoder()
        _LOG.info("the transformer runs on the CPU: %s (%s)", encoder.name, error)
    else:
        _LOG.info("the transformer runs on the GPU: %s", encoder.name)
    return encoder
