"""A transformer's vectors, guessed without the transformer: what a text's n-grams and words say its vector will be.

Belongs here: a linear map from ``Features`` to the transformer's vectors, learnt from texts that it has read while
fitting. Does not belong here: labels, which the map never sees. Guessing runs no neural network.
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
"""Of the vectors guessed: the directions in which guesses differ most. More are no more right, and slower."""
_FEWEST_READ, _MOST_READ = 5_000, 10_000
"""Texts that the map is learnt from. Fewer training texts than the first say too little of the language, and general
texts are read beside them; of more than the second a random choice is read, since the cost grows with the third power.
"""
_GENERAL_SOURCE = "goemotions"


def general_texts() -> list[str]:
    """Return some 7,000 short texts about anything, from the slice that is shipped (see ``data/NOTICE``)."""
    table = pq.read_table(SLICE_PATH)
    texts: list[str] = table.filter(pc.equal(table["source"], _GENERAL_SOURCE))["text"].to_pylist()
    return texts


class Student:
    """Guesses a transformer's vectors.

    Args:
        encoder: Makes the static vectors among the features.
        transformer: Whose vectors are guessed; asked only while fitting.
        further: Texts about anything, of which as many are read as training texts are too few.
    """

    def __init__(self, encoder: StaticEncoder, transformer: TextEncoder, further: Sequence[str] = ()) -> None:
        self._encoder = encoder
        self._transformer = transformer
        self._further = further

    def fit(self, texts: list[str], vectors: Singles | None = None) -> Singles:
        """Learn from texts that the transformer reads, and return the guesses had the map not seen each of them.

        Args:
            texts: Training texts.
            vectors: Of the transformer, where it has read all of them already; shape (texts, dimensions).

        Returns:
            Unit-length guesses, as ``encode`` makes them; shape (texts, at most 128).
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
        """Return unit-length guesses; shape (texts, at most 128)."""
        return np.asarray(unit(self._features.score(prepared, self._coefficients)), np.float32)
