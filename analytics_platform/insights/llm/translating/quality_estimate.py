"""Estimates of a translation's quality without a second LLM: similarity of meaning across languages, and length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_DECIMALS = 4


class Encoder(Protocol):
    """Encodes texts of many languages to vectors of unit length; all zeros for a text that it does not know."""

    def encode(self, texts: Any) -> NDArray[np.float32]:
        """Return vectors of shape (texts, dimensions)."""
        ...


@dataclass(frozen=True)
class QualityScale:
    """How an encoder's cosine similarities become a quality from 0 to 1.

    Attributes:
        name: Name of the encoder, as part of provenance.
        unrelated: Median similarity of unrelated texts of different languages: quality 0.
        translated: Median similarity of texts and their translations: quality 1.
    """

    name: str
    unrelated: float
    translated: float

    def quality(self, similarity: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the quality of each similarity; NaN stays NaN."""
        scaled = (similarity.astype(np.float64) - self.unrelated) / (self.translated - self.unrelated)
        return np.asarray(np.round(np.clip(scaled, 0, 1), _DECIMALS))


STATIC_SCALE = QualityScale("static", unrelated=0.04, translated=0.47)
E5_SCALE = QualityScale("e5", unrelated=0.81, translated=0.905)
"""docs/llm.md has the measurements."""
LOW_QUALITY = 0.3
"""Below it are 3 % of good translations (e5: 2 %) and 88 % of unrelated texts (e5: 87 %)."""
LENGTH_RATIOS = (0.35, 2.8)
"""At least 998 of 1,000 good translations are between these ratios."""


@dataclass(frozen=True)
class QualityEstimate:
    """Estimates the quality of translations.

    Attributes:
        scale: Scale of the encoder's similarities.
        encoder: Returns the encoder; called at first use.
        detect: Returns the language of each text, ``und`` if unclear.
    """

    scale: QualityScale
    encoder: Callable[[], Encoder]
    detect: Callable[[pa.Array], pa.Array]

    def of(self, originals: pa.Array, translations: pa.Array, source_languages: pa.Array) -> NDArray[np.float64]:
        """Return the quality of each translation, from 0 to 1.

        A translation that is still in the language of its original has quality 0, because a copy has the same vector.

        Args:
            originals: The original texts.
            translations: Their translations.
            source_languages: Languages of the originals.

        Returns:
            Qualities of shape (texts,); NaN if the encoder knows no word of one of the two texts.
        """
        if not len(originals):
            return np.zeros(0)
        before, after = (self.encoder().encode(texts.to_pylist()) for texts in (originals, translations))
        similarity = np.einsum("td,td->t", before, after)
        similarity[~(before.any(axis=1) & after.any(axis=1))] = np.nan
        left = pc.equal(self.detect(translations), source_languages).to_numpy(zero_copy_only=False)
        return np.where(left, 0.0, self.scale.quality(similarity))


def letters(texts: pa.Array) -> NDArray[np.int64]:
    """Return the length of each text in letters.

    A Chinese character says as much as three letters of an alphabet, a Japanese or Korean syllable as much as two.
    """
    counts = [
        pc.utf8_length(texts),
        pc.multiply(pc.count_substring_regex(texts, r"\p{Han}"), 2),
        pc.count_substring_regex(texts, r"[\p{Hiragana}\p{Katakana}\p{Hangul}]"),
    ]
    return np.asarray(np.sum([count.to_numpy(zero_copy_only=False).astype(np.int64) for count in counts], axis=0))


def length_ratios(originals: pa.Array, translations: pa.Array) -> NDArray[np.float64]:
    """Return the length of each translation divided by that of its original, both by ``letters``."""
    return np.asarray(np.round(letters(translations) / np.maximum(letters(originals), 1), _DECIMALS))
