"""The static tier: taxonomy examples and keywords over static vectors, without a neural network at run time.

`heads.likeness` fits the weights; this module makes linear heads from the weights and the keywords.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from scipy.special import softmax

from analytics_platform.insights.encoders.device import CPU, Device
from analytics_platform.insights.encoders.encoder import StaticEncoder
from analytics_platform.insights.encoders.words import TermMatcher, split_words
from analytics_platform.insights.heads.label_model import LabelModel
from analytics_platform.insights.heads.likeness import Lessons, Likeness, all_lessons, labels_of
from analytics_platform.insights.heads.linear import LinearHead
from analytics_platform.insights.taxonomies.taxonomy import REMAINDERS, Label, Taxonomy
from analytics_platform.insights.tiers import sentiment
from analytics_platform.insights.tiers.tier import Classified, Documents, Floats, Ints, Kind, Reason
from analytics_platform.model.code_version import code_version

# Chosen with the constants of ``likeness``, on the same 50 conversations.
_KEYWORD_STRENGTH = 2.0
_PHRASE_BONUS = 0.5
"""Relative increase of a keyword's strength with each further word of a phrase."""
_SHARPNESS: dict[Kind, float] = {"topic": 1.2, "intent": 0.6}
"""Factor of the log-odds of a kind; it calibrates confidence on conversations. Of 139 gold intents 61 % are right, at a
mean confidence of 0.64 with the factor; a smaller factor would give too little confidence on texts like the training
texts. Of 136 gold topics 76 % are right, at a mean confidence of 0.71 with the factor and 0.65 without it, and the
log-loss decreases from 1.16 to 1.15. In this tier the factor changes a label only where rules apply; in a tier with a
transformer it also changes the influence of this tier's opinion.
"""


class StaticTier:
    """Labels documents by linear evidence: similarity to a label's examples, and its keywords.

    Args:
        encoder: Makes the vectors of examples and words.
        content: The taxonomy.
        device: Device of the heads' computation.
        model: The trained heads; fitted on the taxonomy and the shipped slice when None.
    """

    name = "static"

    def __init__(
        self, encoder: StaticEncoder, content: Taxonomy, device: Device = CPU, model: LabelModel | None = None
    ) -> None:
        self._encoder = encoder
        self._taxonomy = content
        fitted = model.likeness if model else {kind: one.fit() for kind, one in self._lessons.items()}
        further: dict[Kind, Sequence[Label]] = {"urgency": content.urgencies, "resolution": content.resolutions}
        heads: dict[Kind, LinearHead] = {
            "sentiment": sentiment.load_sentiment(),
            **{kind: _head(kind, labels, fitted[kind]) for kind, labels in labels_of(content).items()},
            **{
                kind: _head(kind, labels, Lessons.of(encoder.encode, labels, kind).fit())
                for kind, labels in further.items()
            },
        }
        self._heads = {kind: replace(head, device=device) for kind, head in heads.items()}
        code = code_version(sys.modules[__name__])  # with the shipped slice and weights
        parts = [content.version.encode(), encoder.name.encode(), model.content if model else b"", code.encode()]
        self.version = hashlib.sha256(b"\x1f".join(parts)).hexdigest()[:16]

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each label of ``kind`` for each document."""
        return self._heads[kind].classify(documents)

    def classify_unseen(self, kind: Kind) -> Floats:
        """Return leave-one-out confidence in each label for the texts by which a head is judged.

        Args:
            kind: ``topic`` or ``intent``.

        Returns:
            Shape (rows of ``Lessons.judged``, labels); training documents of a trained model are not considered.
        """
        head, lessons = self._heads[kind], self._lessons[kind]
        by_words = replace(head, vector_weights=np.zeros_like(head.vector_weights), bias=np.zeros_like(head.bias))
        texts = lessons.texts
        known = by_words.classify(Documents.of_single(texts, split_words(texts), self._encoder.encode(texts)))
        return np.asarray(softmax(np.log(known.confidence) + lessons.left_out() * _SHARPNESS[kind], axis=1))

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the reason of each document's label; None for a remainder label, and if no word is known."""
        head = self._heads[kind]
        reasons = head.explain(documents, chosen, self._encoder.encode_words)
        remainder = None if kind == "sentiment" else REMAINDERS[kind]  # a neutral sentiment has words of its own
        return [
            None if head.labels[column] == remainder else reason for column, reason in zip(chosen, reasons, strict=True)
        ]

    @cached_property
    def _lessons(self) -> dict[Kind, Lessons]:
        return all_lessons(self._encoder.encode, self._taxonomy)


def _head(kind: Kind, labels: Sequence[Label], fitted: Likeness) -> LinearHead:
    """Make the head of one kind of label from similarity to the examples and from keyword weights."""
    vector_weights, bias = fitted
    matcher, term_weights = _keyword_weights(labels)
    sharpness = _SHARPNESS.get(kind, 1.0)
    return LinearHead(
        labels=(*(label.label for label in labels), REMAINDERS[kind]),
        matcher=matcher,
        vector_weights=vector_weights * sharpness,
        term_weights=term_weights * sharpness,
        bias=bias * sharpness,
    )


def _keyword_weights(labels: Sequence[Label]) -> tuple[TermMatcher, np.ndarray]:
    """Return the matcher of all keywords and their weights; labels with the same keyword share its weight."""
    owners: dict[str, set[int]] = {}
    for column, label in enumerate(labels):
        split = split_words(label.keywords)
        names = split.vocabulary.to_pylist()
        for keyword, start, end in zip(label.keywords, split.offsets[:-1], split.offsets[1:], strict=True):
            normal = " ".join(names[code] for code in split.codes[start:end]) + ("*" if keyword.endswith("*") else "")
            owners.setdefault(normal, set()).add(column)
    weights = np.zeros((len(owners), len(labels) + 1))
    for row, (keyword, columns) in enumerate(owners.items()):
        strength = _KEYWORD_STRENGTH * (1 + _PHRASE_BONUS * keyword.count(" "))
        weights[row, sorted(columns)] = strength / len(columns)
    return TermMatcher(tuple(owners)), weights
