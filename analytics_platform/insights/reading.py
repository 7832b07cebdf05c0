"""The engine's tiers with a transformer: it reads every document, or those that the static tier is in doubt about.

Belongs here: how the static tier's answer and the transformer's become one. Does not belong here: the transformer
itself (``minilm``), and heads fitted on labelled files (``heads``). ``data/sentiment_minilm.safetensors`` holds the
sentiment head, fitted on ``data/sentiment.parquet``; run this module to write it anew.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file
from scipy.special import softmax

from analytics_platform.insights import minilm
from analytics_platform.insights.encoder import StaticEncoder, unit
from analytics_platform.insights.likeness import fit_likeness
from analytics_platform.insights.minilm import TextEncoder, transformer_encoder
from analytics_platform.insights.sentiment import SLICE_PATH
from analytics_platform.insights.static import StaticTier
from analytics_platform.insights.taxonomy import Taxonomy
from analytics_platform.insights.tier import SENTIMENT_VALUES, Classified, Documents, Floats, Ints, Kind, Reason
from analytics_platform.insights.words import split_words

SENTIMENT_PATH = Path(__file__).with_name("data") / "sentiment_minilm.safetensors"

_BUDGET = 0.09
"""Share of messages like those of the shipped slice that the cascade sends on, for each kind of label."""
_INVERSE_REGULARISATION = 3.0


class ReadingTier:
    """The static tier, with a transformer's opinion where it is wanted.

    The two opinions are pooled as equals: the geometric mean of their probabilities.

    Args:
        static: Answers first, and gives the reasons.
        encoder: Makes the static vectors of the messages that set the cascade's threshold.
        content: The taxonomy.
        transformer: Reads.
        everywhere: Whether it reads every document (tier transformer) or those in doubt (tier cascade).
    """

    def __init__(
        self,
        static: StaticTier,
        encoder: StaticEncoder,
        content: Taxonomy,
        transformer: TextEncoder,
        *,
        everywhere: bool,
    ) -> None:
        self.name = "transformer" if everywhere else "cascade"
        self._static = static
        self._encoder = encoder
        self._transformer = transformer
        self._everywhere = everywhere
        sentiment = load_file(SENTIMENT_PATH)
        self._heads: dict[Kind, tuple[Floats, Floats]] = {
            "topic": fit_likeness(transformer.encode, content.topics, "topic"),
            "intent": fit_likeness(transformer.encode, content.intents, "intent"),
            "sentiment": (sentiment["weights"].astype(np.float64), sentiment["bias"].astype(np.float64)),
        }
        code = [inspect.getsource(module) for module in (sys.modules[__name__], minilm)]
        parts = [
            static.version.encode(),
            transformer.name.encode(),
            SENTIMENT_PATH.read_bytes(),
            *map(str.encode, code),
        ]
        self.version = hashlib.sha256(b"\x1f".join(parts)).hexdigest()[:16]

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each label of ``kind`` for each document."""
        first = self._static.classify(kind, documents)
        if kind not in self._heads:  # urgency and resolution hang on few words, and on how a conversation ends
            return first
        confidence = first.confidence.copy()
        spoken = np.asarray(documents.weights.getnnz(axis=1) > 0)
        rows = np.flatnonzero(spoken & (self._everywhere | (_doubt(confidence) >= self._thresholds[kind])))
        if len(rows):
            weights, bias = self._heads[kind]
            opinion = softmax(self._pool(documents, rows) @ weights + bias, axis=1)
            pooled = np.sqrt(confidence[rows] * opinion)
            confidence[rows] = pooled / pooled.sum(axis=1, keepdims=True)
        return Classified(first.labels, confidence)

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return why each document got its label, as far as its words say; a transformer gives no reasons."""
        return self._static.explain(kind, documents, chosen)

    def _pool(self, documents: Documents, rows: Ints) -> Floats:
        """Return the unit-length vectors of some documents; only the parts that they are made of are read."""
        weights = documents.weights[rows]
        parts = np.unique(weights.indices)
        vectors = self._transformer.encode([documents.texts[part] for part in parts]).astype(np.float64)
        heavy = weights[:, parts].multiply(documents.masses[None, parts]).tocsr()
        return np.asarray(unit(np.asarray(heavy @ vectors)))

    @cached_property
    def _thresholds(self) -> dict[Kind, float]:
        """The doubt that the wanted share of the shipped slice's messages exceeds, for each kind of label."""
        if self._everywhere:
            return dict.fromkeys(self._heads, 0.0)
        texts = pq.read_table(SLICE_PATH)["text"]
        single = Documents.of_single(texts.to_pylist(), split_words(texts), self._encoder.encode(texts))
        doubts = {kind: _doubt(self._static.classify(kind, single).confidence) for kind in self._heads}
        return {kind: float(np.quantile(doubt, 1 - _BUDGET)) for kind, doubt in doubts.items()}


def _doubt(confidence: Floats) -> Floats:
    """Return the second label's probability, rounded so that no threshold falls between equals."""
    return np.round(np.partition(confidence, -2, axis=1)[:, -2], 9)


def fit_sentiment_reader(transformer: TextEncoder) -> dict[str, np.ndarray]:
    """Fit the sentiment head on the transformer's vectors of the shipped slice.

    Returns:
        weights, shape (384, 3), and bias, shape (3,), in the order of ``SENTIMENT_VALUES``.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (seconds; only fitting needs it)

    labelled = pq.read_table(SLICE_PATH)
    vectors = transformer.encode(labelled["text"].to_pylist())
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=2000).fit(vectors, labelled["label"].to_pylist())
    order = [list(model.classes_).index(label) for label in SENTIMENT_VALUES]
    return {
        "weights": np.ascontiguousarray(model.coef_[order].T, np.float32),
        "bias": np.ascontiguousarray(model.intercept_[order], np.float32),
    }


if __name__ == "__main__":
    save_file(fit_sentiment_reader(transformer_encoder("cpu")), SENTIMENT_PATH)
