"""The tiers with a transformer: it reads every document, or only those that the static tier is uncertain about."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow.parquet as pq
from scipy.special import softmax

from analytics_platform.insights.encoders.device import CPU, Device
from analytics_platform.insights.encoders.valence import read_valence
from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.heads.classifier import READS, Classifier
from analytics_platform.insights.heads.label_model import LabelModel
from analytics_platform.insights.heads.routing import pool_opinions, uncertainty
from analytics_platform.insights.heads.training_set import TrainingSet, labels_of, training_sets_of
from analytics_platform.insights.keeping.kept_classifiers import NOT_KEPT, KeptClassifiers
from analytics_platform.insights.learning.training_files import NOTHING, Training
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy
from analytics_platform.insights.tiers.label_versions import reading_version
from analytics_platform.insights.tiers.sentiment import SLICE_PATH, weigh_evidence
from analytics_platform.insights.tiers.static import StaticTier
from analytics_platform.insights.tiers.tier import Classified, Documents, Floats, Ints, Kind, Reason
from analytics_platform.insights.tiers.transformer_sentiment import BUDGET, WEIGHTS, load_reader
from analytics_platform.insights.vectors.document_vectors import read_rows
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder
from analytics_platform.insights.vectors.text_encoder import TextEncoder, names_of

_EVERY = 4
"""Every fourth general text is used to estimate the share of messages above a threshold, to a few thousandths."""
_MOSTLY = 0.5


class TransformerTier:
    """Labels documents as the static tier does, and with a transformer's vectors.

    Args:
        static: Answers first, and gives the reasons.
        encoder: Makes the static vectors.
        content: The taxonomy.
        transformer: Encodes the documents' texts.
        everywhere: Whether the transformer reads every document (tier transformer) or uncertain ones (tier cascade).
        model: What corrections taught; None without.
        training: Labelled texts, which teach beside the taxonomy's examples.
        kept: Keeps the fitted classifiers of topic and intent.
        device: Device of the classifiers' products.
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
        training: Training = NOTHING,
        kept: KeptClassifiers = NOT_KEPT,
        device: Device = CPU,
    ) -> None:
        self.name = "transformer" if everywhere else "cascade"
        self._static = static
        self._encoder = encoder
        self._taxonomy = content
        self.transformer = transformer
        self._everywhere = everywhere
        self._model = model
        self._training = training
        self._kept = kept
        self._device = device
        self._reader = load_reader()
        self.version = reading_version(static.version, names_of(transformer))

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each label of ``kind`` for each document."""
        if kind in labels_of(self._taxonomy):
            return self._classifiers[kind].classify(documents)
        if kind != "sentiment":  # urgency and resolution depend on few words, and on a conversation's end
            return self._static.classify(kind, documents)
        first = self._static.untaught_sentiment(documents)
        confidence = first.confidence.copy()
        rows = self._choose_rows(documents, confidence)
        if len(rows):
            read = read_rows(self.transformer, documents, rows)
            opinion = softmax(read @ self._reader.sentiment_weights + self._reader.sentiment_bias, axis=1)
            confidence[rows] = pool_opinions(confidence[rows], opinion, WEIGHTS)
        return Classified(first.labels, self._static.teach_sentiment(confidence, documents))

    def teach_sentiment(self, confidence: Floats, documents: Documents) -> Floats:
        """Return sentiments with regard to labelled texts and corrections, as the static tier does."""
        return self._static.teach_sentiment(confidence, documents)

    def _choose_rows(self, documents: Documents, confidence: Floats) -> Ints:
        """Return the documents whose sentiment the transformer reads.

        The cascade reads uncertain documents, and documents in a language other than English without a word of
        feeling, because the static tier has no evidence about them. The choice depends on the document alone, so that
        a document has the same label in any batch.
        """
        spoken = np.asarray(documents.weights.getnnz(axis=1) > 0)
        if self._everywhere:
            return np.flatnonzero(spoken)
        evidence = weigh_evidence(documents, read_valence(documents.words))
        unseen = (evidence.english[:, 0] < _MOSTLY) & ~evidence.features.any(axis=1)
        uncertainties = _uncertainty(confidence)
        return np.flatnonzero(spoken & (unseen | (uncertainties >= self._threshold)))

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the reason of each document's label from static vectors and words; a transformer gives no reasons."""
        if kind in labels_of(self._taxonomy):
            return self._classifiers[kind].explain(documents, chosen)
        return self._static.explain(kind, documents, chosen)

    @cached_property
    def _classifiers(self) -> dict[Kind, Classifier]:
        """Classifiers of topic and intent, read or fitted at their first use.

        The transformer reads the training texts of a fit, which takes minutes.
        """

        def learn() -> dict[Kind, TrainingSet]:
            taught = self._model.taught(names_of(self.transformer)) if self._model else None
            return training_sets_of(self._taxonomy, taught, self._training.texts)

        return self._kept.of_kinds(
            self._encoder,
            labels_of(self._taxonomy),
            learn,
            self.version,
            labelled=self._training.version if self._training.teaches else "",
            transformer=self.transformer,
            reads=READS[self.name],
            device=self._device,
        )

    @cached_property
    def _threshold(self) -> float:
        """Least uncertainty about sentiment of a document that the transformer reads."""
        every = pq.read_table(SLICE_PATH)["text"]
        texts = every.take(np.arange(0, len(every), _EVERY))
        single = Documents.of_single(texts.to_pylist(), split_words(texts), self._encoder.encode(texts))
        uncertainties = _uncertainty(self._static.classify("sentiment", single).confidence)
        return float(np.quantile(uncertainties, 1 - BUDGET))


def _uncertainty(confidence: Floats) -> Floats:
    """Return the uncertainty of each answer, rounded so that no threshold separates equal answers."""
    return np.round(uncertainty(confidence), 9)
