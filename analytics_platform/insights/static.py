"""The static tier: taxonomy examples and keywords over static vectors; no neural network at run time.

Belongs here: how a taxonomy becomes linear heads. Does not belong here: other tiers, and tables.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np
from scipy.linalg import solve

from analytics_platform.insights import encoder as encoder_module
from analytics_platform.insights import linear, sentiment, taxonomy, words
from analytics_platform.insights.device import CPU, Device
from analytics_platform.insights.encoder import StaticEncoder
from analytics_platform.insights.linear import LinearHead
from analytics_platform.insights.taxonomy import OTHER, Label, Taxonomy
from analytics_platform.insights.tier import Classified, Documents, Floats, Ints, Kind, Reason
from analytics_platform.insights.words import TermMatcher, split_words

# Chosen on 50 conversations labelled by hand, for the likelihood of the right labels; more digits they could not tell.
_VECTOR_STRENGTH = 8.0
_KEYWORD_STRENGTH = 2.0
_PHRASE_BONUS = 0.5
"""What each further word of a phrase adds to its keyword's strength."""
_OTHER_STRENGTH: dict[Kind, float] = {"topic": 3.0, "intent": 2.0}
"""Log-odds of ``other`` before any evidence: how much it takes to name a label at all."""
_KEYWORD_SAMPLE_WEIGHT = 0.3
"""How much a keyword counts as an example when label vectors are fitted."""
_RIDGE = 1.0


class StaticTier:
    """Labels documents by linear evidence: similarity to a label's examples, and its keywords.

    Args:
        encoder: Makes the vectors of examples and words.
        content: The taxonomy.
        device: Where the heads compute.
    """

    name = "static"

    def __init__(self, encoder: StaticEncoder, content: Taxonomy, device: Device = CPU) -> None:
        self._encoder = encoder
        heads: dict[Kind, LinearHead] = {
            "topic": _fit_labels(encoder, content.topics, "topic"),
            "intent": _fit_labels(encoder, content.intents, "intent"),
            "sentiment": sentiment.load_sentiment(),
        }
        self._heads = {kind: replace(head, device=device) for kind, head in heads.items()}
        parts = [content.version.encode(), encoder.name.encode(), sentiment.WEIGHTS_PATH.read_bytes()]
        parts += [
            _source(module) for module in (words, encoder_module, linear, taxonomy, inspect.getmodule(StaticTier))
        ]
        self.version = hashlib.sha256(b"\x1f".join(parts)).hexdigest()[:16]

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each label of ``kind`` for each document."""
        return self._heads[kind].classify(documents)

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return why each document got its label; None for ``other`` and where no word is known."""
        head = self._heads[kind]
        reasons = head.explain(documents, chosen, self._encoder.encode_words)
        return [
            None if head.labels[column] == OTHER else reason for column, reason in zip(chosen, reasons, strict=True)
        ]


def _source(module: ModuleType | None) -> bytes:
    return inspect.getsource(module).encode() if module else b""


def _fit_labels(encoder: StaticEncoder, labels: Sequence[Label], kind: Kind) -> LinearHead:
    """Make the head of one kind of label: likeness to the examples, plus the keywords' weights."""
    vector_weights, bias = fit_likeness(encoder.encode, labels, kind)
    matcher, term_weights = _keyword_weights(labels)
    return LinearHead(
        labels=(*(label.label for label in labels), OTHER),
        matcher=matcher,
        vector_weights=vector_weights,
        term_weights=term_weights,
        bias=bias,
    )


def fit_likeness(
    encode: Callable[[Sequence[str]], np.ndarray], labels: Sequence[Label], kind: Kind
) -> tuple[Floats, Floats]:
    """Return weights and bias of likeness to the labels' examples, as log-odds; the last column is ``other``.

    Ridge regression is solved in closed form in double precision, so every machine gets the same weights to
    twelve digits, which an iterative optimiser would not promise.

    Args:
        encode: Makes unit-length vectors of texts.
        labels: Labels of one kind.
        kind: That kind.
    """
    texts: list[str] = []
    columns: list[int] = []
    weights: list[float] = []
    for column, label in enumerate(labels):
        for group, weight in (((label.description, *label.examples), 1.0), (label.keywords, _KEYWORD_SAMPLE_WEIGHT)):
            texts += group
            columns += [column] * len(group)
            weights += [weight] * len(group)
    vectors = encode(texts).astype(np.float64)
    weighted = vectors.T * weights
    gram = weighted @ vectors + _RIDGE * np.eye(vectors.shape[1])
    likeness = solve(gram, weighted @ np.eye(len(labels))[columns], assume_a="pos")
    return (
        np.column_stack([likeness * _VECTOR_STRENGTH, np.zeros(vectors.shape[1])]),
        np.array([0.0] * len(labels) + [_OTHER_STRENGTH[kind]]),
    )


def _keyword_weights(labels: Sequence[Label]) -> tuple[TermMatcher, np.ndarray]:
    """Return the matcher of all keywords and their weights, shared by the labels that name the same keyword."""
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
