"""Scaling of vectors to unit length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unit(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    """Scale each row to unit length; rows of zeros stay zeros."""
    lengths = row_lengths(vectors)
    return vectors / np.where(lengths > 0, lengths, 1)


def row_lengths(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the length of each row, shape (rows, 1): the digits of ``np.linalg.norm`` without its copies."""
    return np.sqrt(np.add.reduce(vectors * vectors, axis=1, keepdims=True))
