"""Sentiment that people teach: labelled texts and corrected documents vote beside the shipped sentiment head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics_platform.insights.encoders.device import CPU, Device
from analytics_platform.insights.heads.training_set import LabelledVectors, training_documents
from analytics_platform.insights.tiers.examples import general_texts
from analytics_platform.insights.tiers.sentiment import SentimentHead
from analytics_platform.insights.tiers.taught_head import TaughtHead, Voters
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, Documents, Floats
from analytics_platform.insights.vectors.document_vectors import pool_both
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder

_LABELS = tuple(SENTIMENT_VALUES)
_GENERAL = 400
"""Number of general texts, which vote for no label: a document that resembles them keeps the shipped head's
sentiment."""


@dataclass(frozen=True)
class TaughtSentiment:
    """What people taught about sentiment.

    Attributes:
        head: The labelled texts, the corrected documents and general texts, and their weight.
    """

    head: TaughtHead

    @classmethod
    def fit(
        cls,
        encoder: StaticEncoder,
        shipped: SentimentHead,
        labelled: Sequence[tuple[str, str]],
        corrected: LabelledVectors | None,
        device: Device = CPU,
    ) -> TaughtSentiment:
        """Fit; there must be a labelled text or a corrected document.

        Args:
            encoder: Makes the static vectors.
            shipped: The shipped head.
            labelled: Texts of labelled files and their labels.
            corrected: Corrected documents.
            device: Device of the products with voters.
        """
        texts, names = [text for text, _ in labelled], [name for _, name in labelled]
        documents = training_documents(texts, encoder)
        general = training_documents(general_texts(_GENERAL), encoder)
        vectors = [pool_both(documents, np.arange(len(texts))), pool_both(general, np.arange(_GENERAL))]
        weights = [np.ones(len(texts) + _GENERAL)]
        codes = np.array([*map(_LABELS.index, names), *[len(_LABELS)] * _GENERAL], np.int64)
        if corrected is not None:
            vectors.append(corrected.vectors.astype(np.float32))
            weights.append(corrected.weights)
            codes = np.concatenate([codes, np.array([*map(_LABELS.index, corrected.labels)], np.int64)])
        own = shipped.classify(documents).confidence if texts else np.zeros((0, len(_LABELS)))
        voters = Voters(np.concatenate(vectors), codes, np.concatenate(weights))
        return cls(TaughtHead.fit(voters, own, np.arange(len(texts)), device))

    def adjust(self, confidence: Floats, documents: Documents) -> Floats:
        """Return the sentiments of documents with regard to what was taught; a document without words keeps its own.

        Args:
            confidence: Probabilities by a head that was not taught; shape (documents, labels).
            documents: The documents.
        """
        return self.head.adjust(confidence, pool_both(documents, np.arange(len(documents))))
