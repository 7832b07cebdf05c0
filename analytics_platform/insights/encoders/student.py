"""A distilled encoder: it predicts a transformer's vectors from a text's n-grams and words, without a neural network.

The encoder is a linear map from ``Features`` to the transformer's vectors, fitted without labels on texts that the
transformer reads during the fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics_platform.insights.encoders.encoder import StaticEncoder, unit
from analytics_platform.insights.encoders.features import Features, Prepared, prepare
from analytics_platform.insights.encoders.minilm import TextEncoder
from analytics_platform.insights.heads.ridge import fit_ridge
from analytics_platform.insights.tiers.sentiment import SLICE_PATH
from analytics_platform.insights.tiers.tier import Singles

_RIDGE = 0.3
_DIMENSIONS = 128
"""Dimensions of the predicted vectors: the directions of largest variance. More are slower and no more accurate."""
_FEWEST_READ, _MOST_READ = 5_000, 10_000
"""Bounds of the number of texts that the map is fitted on. If there are fewer training texts, general texts are added,
because few texts cover too little of the language. If there are more, a random choice of them is used, because the cost
grows with the third power of their number.
"""
_GENERAL_SOURCE = "goemotions"


def general_texts() -> list[str]:
    """Return about 7,000 short texts on any subject from the shipped sentiment slice (see ``data/NOTICE``)."""
    table = pq.read_table(SLICE_PATH)
    texts: list[str] = table.filter(pc.equal(table["source"], _GENERAL_SOURCE))["text"].to_pylist()
    return texts


class Student:
    """Predicts a transformer's vectors.

    Args:
        encoder: Makes the static vectors among the features.
        transformer: The transformer whose vectors are predicted; used only by ``fit``.
        further: General texts, added to training texts that are fewer than ``_FEWEST_READ``.
    """

    def __init__(self, encoder: StaticEncoder, transformer: TextEncoder, further: Sequence[str] = ()) -> None:
        self._encoder = encoder
        self._transformer = transformer
        self._further = further

    def fit(self, texts: list[str], vectors: Singles | None = None) -> Singles:
        """Fit the map to the transformer's vectors, and return leave-one-out predictions of the training texts.

        The map is fitted on at most ``_MOST_READ`` randomly chosen texts; every other text gets the fitted map's
        prediction.

        Args:
            texts: Training texts.
            vectors: The transformer's vectors of all training texts, if known; shape (texts, dimensions).

        Returns:
            Unit-length predictions, as ``encode`` makes them; shape (texts, at most 128).
        """
        kept = np.sort(np.random.default_rng(0).permutation(len(texts))[:_MOST_READ])
        further = list(self._further[: max(0, _FEWEST_READ - len(kept))])
        known = self._transformer.encode([texts[row] for row in kept]) if vectors is None else vectors[kept]
        if further:
            known = np.concatenate([known, self._transformer.encode(further)])
        prepared = prepare([*texts, *further], self._encoder)
        self._features = Features(_DIMENSIONS).fit(prepared)
        features = self._features.transform(prepared)
        read = features[np.concatenate([kept, np.arange(len(texts), len(prepared.texts))])]
        weights, guesses = fit_ridge(Features.likeness(read), _RIDGE, known - known.mean(axis=0))
        _, directions = np.linalg.eigh(guesses.T @ guesses)
        directions = directions[:, : -_DIMENSIONS - 1 : -1]
        self._coefficients = np.asarray(read.T @ (weights @ directions), np.float32)
        result = np.asarray(features[: len(texts)] @ self._coefficients, np.float32)
        result[kept] = guesses[: len(kept)] @ directions
        return np.asarray(unit(result), np.float32)

    def encode(self, prepared: Prepared) -> Singles:
        """Return unit-length predictions of the transformer's vectors; shape (texts, at most 128)."""
        return np.asarray(unit(self._features.score(prepared, self._coefficients)), np.float32)
