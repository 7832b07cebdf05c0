"""Sentiment that people teach: labelled texts and corrected documents vote beside the shipped sentiment head.

Labelled files also say how often each sentiment occurs and how far the shipped head can be trusted. Corrections do not:
people correct what is wrong, so that a head judged by corrections alone would seem to be wrong everywhere. They change
the sentiment of documents that resemble them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics_platform.insights.encoders.device import CPU, Device
from analytics_platform.insights.heads.classifier import pool_both
from analytics_platform.insights.heads.experts import MOST_EXACT, NeighbourExpert
from analytics_platform.insights.heads.stacking import Stack
from analytics_platform.insights.heads.training_set import LabelledVectors, training_documents
from analytics_platform.insights.tiers.examples import general_texts
from analytics_platform.insights.tiers.sentiment import SentimentHead
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, Documents, Floats, Singles
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder

_LABELS = tuple(SENTIMENT_VALUES)
_USUAL, _MOST = (1.0, 4.0), (2.0, 20.0)
"""Usual and largest weights of the shipped head and of the votes. With 4, a text that repeats a correction gets its
label. With it, 100 labelled sentences of the UCI data raised the share of the others that got the right one of three
labels from 0.48 to 0.80, and 300 to 0.86."""
_MOST_SHIFT = 10.0
_FEWEST_OF_A_LABEL = 10
"""Fewest texts of a second label in files that say how often each label occurs."""
_GENERAL = 400
"""Number of general texts, which vote for no label: a document that resembles them keeps the shipped head's
sentiment."""


@dataclass(frozen=True)
class TaughtSentiment:
    """What people taught about sentiment.

    Attributes:
        voters: The labelled texts, the corrected documents, and general texts.
        stack: Weights of the shipped head and of the votes, and the shift of each label.
    """

    voters: NeighbourExpert
    stack: Stack

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
        voters = NeighbourExpert(MOST_EXACT, device)
        votes = voters.fit(np.concatenate(vectors), codes, len(_LABELS), np.concatenate(weights)).scores[: len(texts)]
        of_files = codes[: len(texts)]
        shifts = np.partition(np.bincount(of_files, minlength=len(_LABELS)), -2)[-2] >= _FEWEST_OF_A_LABEL
        usual, most = [*_USUAL, *[1.0] * len(_LABELS)], [*_MOST, *[_MOST_SHIFT if shifts else 1.0] * len(_LABELS)]
        stack = Stack(np.array(usual))
        if texts:
            own = shipped.classify(documents).confidence
            stack = Stack.fit(_evidence(own, votes, shifts=shifts), of_files, usual, most)
        return cls(voters, Stack(stack.weights if shifts else np.array([*stack.weights[:2], 1.0, 1.0, 1.0])))

    def adjust(self, confidence: Floats, documents: Documents) -> Floats:
        """Return the sentiments of documents with regard to what was taught; a document without words keeps its own.

        Args:
            confidence: Probabilities by a head that was not taught; shape (documents, labels).
            documents: The documents.
        """
        vectors = pool_both(documents, np.arange(len(documents)))
        votes = self.voters.score(vectors)[0]
        taught = self.stack.predict(_evidence(confidence, votes, shifts=True))
        return np.where(np.any(vectors, axis=1, keepdims=True), taught, confidence)


def _evidence(confidence: Floats, votes: Singles, *, shifts: bool) -> list[Singles]:
    """Return the scores that a stack weighs: of the shipped head, of the votes, and a constant for each label.

    Args:
        confidence: Probabilities; shape (documents, labels).
        votes: Shape (documents, labels).
        shifts: Whether the constants count.
    """
    constants = np.eye(len(_LABELS), dtype=np.float32)[:, None, :] * float(shifts)
    logits = np.log(np.maximum(confidence, 1e-6)).astype(np.float32)
    return [logits, votes, *(np.repeat(one, len(votes), axis=0).astype(np.float32) for one in constants)]
