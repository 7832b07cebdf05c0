"""The tiers with a transformer: it reads every document, or only the documents that the static tier is uncertain about.

`minilm` is the transformer; `reading_model` contains its vectors of the shipped slices.
"""

from __future__ import annotations

import hashlib
import sys
from functools import cached_property

import numpy as np
import pyarrow.parquet as pq
from scipy.special import softmax

from analytics_platform.insights.encoders.encoder import StaticEncoder, unit
from analytics_platform.insights.encoders.minilm import TextEncoder
from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.heads.label_model import LabelModel
from analytics_platform.insights.heads.likeness import Lessons, Likeness, all_lessons
from analytics_platform.insights.heads.routing import Route, doubt, pool_opinions
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy
from analytics_platform.insights.tiers.reading_model import BUDGET, WEIGHTS, load_reader
from analytics_platform.insights.tiers.sentiment import SLICE_PATH
from analytics_platform.insights.tiers.static import StaticTier
from analytics_platform.insights.tiers.tier import Classified, Documents, Floats, Ints, Kind, Reason
from analytics_platform.model.code_version import code_version

_EVERY = 4
"""Every fourth general text is used to estimate the share of messages above a threshold, to a few thousandths."""


class ReadingTier:
    """The static tier, pooled with a transformer's opinion by ``WEIGHTS``.

    Args:
        static: Answers first, and gives the reasons.
        encoder: Makes the static vectors of the general texts that bound the cascade's threshold.
        content: The taxonomy.
        transformer: Encodes the documents' texts.
        everywhere: Whether the transformer reads every document (tier transformer) or uncertain ones (tier cascade).
        model: The trained heads; fitted on the taxonomy and the shipped slice when None, or when the model has no heads
            for this transformer.
    """

    def __init__(
        self,
        static: StaticTier,
        encoder: StaticEncoder,
        content: Taxonomy,
        transformer: TextEncoder,
        *,
        everywhere: bool,
        model: LabelModel | None = None,
    ) -> None:
        self.name = "transformer" if everywhere else "cascade"
        self._static = static
        self._encoder = encoder
        self._taxonomy = content
        self.transformer = transformer
        self._everywhere = everywhere
        self._model = model
        self._reader = load_reader()
        code = code_version(sys.modules[__name__])  # with the shipped slices and vectors
        self.version = hashlib.sha256("\x1f".join((static.version, transformer.name, code)).encode()).hexdigest()[:16]

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each label of ``kind`` for each document."""
        first = self._static.classify(kind, documents)
        if kind not in self._heads:  # urgency and resolution depend on few words, and on a conversation's end
            return first
        confidence = first.confidence.copy()
        spoken = np.asarray(documents.weights.getnnz(axis=1) > 0)
        rows = np.flatnonzero(spoken & (self._everywhere | (_doubt(confidence) >= self._thresholds[kind])))
        if len(rows):
            weights, bias = self._heads[kind]
            opinion = softmax(self.read(documents, rows) @ weights + bias, axis=1)
            confidence[rows] = pool_opinions(confidence[rows], opinion, WEIGHTS[kind])
        return Classified(first.labels, confidence)

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the reasons of each document's label from the static tier; a transformer gives no reasons."""
        return self._static.explain(kind, documents, chosen)

    def read(self, documents: Documents, rows: Ints) -> Floats:
        """Return the transformer's vectors of some documents; the transformer reads each part only once.

        Returns:
            Unit-length vectors, zeros for a document without parts; shape (rows, dimensions).
        """
        weights = documents.weights[rows]
        parts = np.unique(weights.indices)
        readings = documents.readings
        new = [part for part in parts.tolist() if part not in readings]
        if new:
            readings.update(zip(new, self.transformer.encode([documents.texts[part] for part in new]), strict=True))
        vectors = np.array([readings[part] for part in parts.tolist()], np.float64).reshape(len(parts), -1)
        heavy = weights[:, parts].multiply(documents.masses[None, parts]).tocsr()
        return np.asarray(unit(np.asarray(heavy @ vectors)))

    @cached_property
    def _lessons(self) -> dict[Kind, Lessons]:
        """Training sets of topic and intent; the transformer reads the taxonomy for them, which takes seconds."""
        return all_lessons(self.transformer.encode, self._taxonomy, slice_vectors=self._reader.slice_vectors)

    @cached_property
    def _heads(self) -> dict[Kind, Likeness]:
        taught = self._model.reading(self.transformer) if self._model else {}
        return {
            **(taught or {kind: lessons.fit() for kind, lessons in self._lessons.items()}),
            "sentiment": (self._reader.sentiment_weights, self._reader.sentiment_bias),
        }

    @cached_property
    def _thresholds(self) -> dict[Kind, float]:
        """Least uncertainty of a document that the transformer reads, by kind of label.

        It is the larger one of two thresholds: the one that pays on labelled texts by out-of-sample answers, and the
            one that
        keeps the share of general messages within ``BUDGET``.
        """
        if self._everywhere:
            return dict.fromkeys(self._heads, 0.0)
        every = pq.read_table(SLICE_PATH)["text"]
        texts = every.take(np.arange(0, len(every), _EVERY))
        single = Documents.of_single(texts.to_pylist(), split_words(texts), self._encoder.encode(texts))
        doubts = {kind: _doubt(self._static.classify(kind, single).confidence) for kind in self._heads}
        pays = {
            **{kind: self._pays(kind) for kind in self._lessons},
            "sentiment": float(self._reader.sentiment_threshold),
        }
        return {kind: max(pays[kind], float(np.quantile(doubts[kind], 1 - BUDGET))) for kind in self._heads}

    def _pays(self, kind: Kind) -> float:
        """Return the least uncertainty at which the pooled opinion is more accurate than the static one.

        The comparison uses out-of-sample answers, within ``BUDGET``, so the share is also bounded on texts of the
        taxonomy's subjects.
        """
        lessons, before = self._lessons[kind], self._static.classify_unseen(kind)
        after = pool_opinions(before, softmax(lessons.left_out(), axis=1), WEIGHTS[kind])
        return Route.fit(before, after, lessons.codes, np.ones(len(before)), BUDGET).threshold


def _doubt(confidence: Floats) -> Floats:
    """Return the uncertainty of each answer, rounded so that no threshold separates equal answers."""
    return np.round(doubt(confidence), 9)
