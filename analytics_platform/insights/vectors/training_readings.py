"""A transformer's vectors of training texts, read once in a process, because many fits have the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from analytics_platform.insights.vectors.text_encoder import TextEncoder

MOST_TEXTS = 20_000
"""Texts whose vectors are in memory at once; more would need more than 30 MB."""
_READ: WeakKeyDictionary[TextEncoder, dict[str, NDArray[np.float32]]] = WeakKeyDictionary()


class TrainingReader:
    """Encodes training texts as another encoder does, and each of them once.

    Args:
        encoder: Reads the texts that no training reader of it has read yet.
    """

    english_encoder = None

    def __init__(self, encoder: TextEncoder) -> None:
        self.name = encoder.name
        self.device: Literal["cpu", "gpu"] = encoder.device
        self._encoder = encoder

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit-length vectors; shape (texts, dimensions)."""
        read = dict(_READ.get(self._encoder, {}))
        new = [text for text in dict.fromkeys(texts) if text not in read]
        if new:
            read.update(zip(new, self._encoder.encode(new), strict=True))
        vectors = np.array([read[text] for text in texts], np.float32)
        _READ[self._encoder] = read if len(read) <= MOST_TEXTS else {}
        return vectors
