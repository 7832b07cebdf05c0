"""The static tier: a taxonomy's labels by static vectors, without a neural network at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from analytics_platform.insights.encoders.blas_threads import one_blas_thread
from analytics_platform.insights.encoders.device import CPU, Device
from analytics_platform.insights.heads.classifier import Classifier
from analytics_platform.insights.heads.experts import KeywordExpert
from analytics_platform.insights.heads.label_model import LabelModel
from analytics_platform.insights.heads.linear import LinearHead
from analytics_platform.insights.heads.prototype_classifier import fit_prototypes
from analytics_platform.insights.heads.training_set import TrainingSet, labels_of, training_sets_of
from analytics_platform.insights.keeping.kept_classifiers import NOT_KEPT, KeptClassifiers
from analytics_platform.insights.learning.training_files import NOTHING, Training
from analytics_platform.insights.taxonomies.taxonomy import REMAINDERS, Label, Taxonomy
from analytics_platform.insights.tiers.label_versions import static_version
from analytics_platform.insights.tiers.sentiment import SentimentHead, load_sentiment
from analytics_platform.insights.tiers.taught_sentiment import TaughtSentiment
from analytics_platform.insights.tiers.tier import Classified, Documents, Floats, Ints, Kind, Reason
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder

_KEYWORD_STRENGTH = 2.0
"""Log-odds of a keyword of urgency and resolution; chosen on 50 hand-labelled conversations."""


class StaticTier:
    """Labels documents by static vectors, words and keywords.

    Args:
        encoder: Makes the vectors of examples and words.
        content: The taxonomy.
        device: Device of the heads' computation.
        model: What corrections taught; None without.
        training: Labelled texts, which teach beside the taxonomy's examples.
        kept: Keeps the fitted classifiers of topic and intent.
    """

    name = "static"

    def __init__(
        self,
        encoder: StaticEncoder,
        content: Taxonomy,
        device: Device = CPU,
        model: LabelModel | None = None,
        training: Training = NOTHING,
        kept: KeptClassifiers = NOT_KEPT,
    ) -> None:
        self._encoder = encoder
        self._taxonomy = content
        self._device = device
        self._model = model
        self._training = training
        self._kept = kept
        self._sentiment = replace(load_sentiment(), device=device)
        further: dict[Kind, Sequence[Label]] = {"urgency": content.urgencies, "resolution": content.resolutions}
        self._heads: dict[Kind, LinearHead | SentimentHead] = {
            "sentiment": self._sentiment,
            **{kind: replace(_head(kind, labels, encoder), device=device) for kind, labels in further.items()},
        }
        self.version = static_version(content, model, training)

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each label of ``kind`` for each document."""
        if kind in labels_of(self._taxonomy):
            return self._classifiers[kind].classify(documents)
        if kind == "sentiment":
            own = self.untaught_sentiment(documents)
            return Classified(own.labels, self.teach_sentiment(own.confidence, documents))
        with one_blas_thread():
            return self._heads[kind].classify(documents)

    def untaught_sentiment(self, documents: Documents) -> Classified:
        """Return the sentiment of each document by the shipped head alone."""
        with one_blas_thread():
            return self._sentiment.classify(documents)

    def teach_sentiment(self, confidence: Floats, documents: Documents) -> Floats:
        """Return sentiments with regard to labelled texts and corrections; the same where nothing was taught.

        Args:
            confidence: Probabilities by heads that were not taught; shape (documents, labels).
            documents: The documents.
        """
        if self._taught_sentiment is None:
            return confidence
        with one_blas_thread():
            return self._taught_sentiment.adjust(confidence, documents)

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the reason of each document's label; None for a remainder label, and if no word is known."""
        if kind in labels_of(self._taxonomy):
            return self._classifiers[kind].explain(documents, chosen)
        head = self._heads[kind]
        with one_blas_thread():
            reasons = head.explain(documents, chosen, self._encoder.encode_words)
        remainder = None if kind == "sentiment" else REMAINDERS[kind]  # a neutral sentiment has words of its own
        return [
            None if head.labels[column] == remainder else reason for column, reason in zip(chosen, reasons, strict=True)
        ]

    @cached_property
    def _taught_sentiment(self) -> TaughtSentiment | None:
        labelled = self._training.texts.get("sentiment", ())
        corrected = self._model.taught().get("sentiment") if self._model else None
        if not labelled and corrected is None:
            return None
        with one_blas_thread():
            return TaughtSentiment.fit(self._encoder, self._sentiment, labelled, corrected, self._device)

    @cached_property
    def _classifiers(self) -> dict[Kind, Classifier]:
        """Classifiers of topic and intent, read or fitted at their first use; fitting takes a second or two each."""

        def learn() -> dict[Kind, TrainingSet]:
            return training_sets_of(self._taxonomy, self._model.taught() if self._model else None, self._training.texts)

        return self._kept.of_kinds(
            self._encoder,
            labels_of(self._taxonomy),
            learn,
            self.version,
            labelled=self._training.version if self._training.teaches else "",
            device=self._device,
        )


def _head(kind: Kind, labels: Sequence[Label], encoder: StaticEncoder) -> LinearHead:
    """Make the head of urgency or resolution from similarity to the examples and from keywords."""
    vector_weights, bias = fit_prototypes(encoder.encode, labels, kind)
    names = [label.label for label in labels]
    keywords = KeywordExpert({label.label: label.keywords for label in labels}, names)
    return LinearHead(
        labels=(*names, REMAINDERS[kind]),
        matcher=keywords.matcher,
        vector_weights=vector_weights,
        term_weights=np.column_stack([keywords.weights, np.zeros(len(keywords.weights))]) * _KEYWORD_STRENGTH,
        bias=bias,
    )
