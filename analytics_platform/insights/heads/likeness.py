"""Likeness: how much a vector resembles the examples of each label, fitted in closed form.

Belongs here: the regression, and what is fitted on: the taxonomy, the shipped slice, documents that people corrected.
Does not belong here: keywords (``static``), or how a fitted model is kept (``label_model``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow.compute as pc
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve

from analytics_platform.insights.taxonomies.taxonomy import OTHER, Label, Taxonomy
from analytics_platform.insights.tiers.examples import shipped_slice, slice_texts
from analytics_platform.insights.tiers.tier import Floats, Ints, Kind

# Chosen on 50 conversations labelled by hand, for the likelihood of the right labels; more digits they could not tell.
_VECTOR_STRENGTH = 8.0
_REMAINDER_STRENGTH: dict[Kind, float] = {"topic": 3.0, "intent": 2.0, "urgency": 4.5, "resolution": 2.0}
"""Log-odds of ``other``, or what stands for it, before any evidence: how much it takes to name a label at all."""
_KEYWORD_SAMPLE_WEIGHT = 0.3
"""How much a keyword counts as an example when label vectors are fitted."""
_RIDGE = 1.0
_SLICE_WEIGHT = 30.0
"""Examples that the slice's texts of one label count for together. On 805 and 680 other texts of the same data sets it
takes topics from 0.59 to 0.88 right and intents from 0.53 to 0.82, and costs the gold labels next to nothing (0.75 to
0.76 and 0.63 to 0.61); when it was chosen, twice as much began to cost those."""

Encode = Callable[[Sequence[str]], np.ndarray]

Likeness = tuple[Floats, Floats]
"""Weights, shape (dimensions, labels), and bias, shape (labels,); the last label is what remains when none fits."""


@dataclass(frozen=True)
class Taught:
    """Labelled documents of one kind to learn from beside the taxonomy.

    Attributes:
        vectors: Unit-length vectors; shape (documents, dimensions).
        labels: The right label of each; ``other`` is likeness to none.
        weights: How much each counts against an example of the taxonomy; shape (documents,).
    """

    vectors: Floats
    labels: Sequence[str]
    weights: Floats


def labels_of(content: Taxonomy) -> dict[Kind, tuple[Label, ...]]:
    """Return the taxonomy's labels of each kind that more than the taxonomy teaches."""
    return {"topic": content.topics, "intent": content.intents}


@dataclass(frozen=True)
class Lessons:
    """Everything that one kind of label is learnt from.

    Attributes:
        kind: Kind of label.
        vectors: Unit-length vectors; shape (documents, dimensions).
        targets: Which label each is of, none for ``other``; shape (documents, labels). Sparse, because a dense matrix
            takes 4.8 GB for ten thousand labels with six examples each.
        weights: How much each counts; shape (documents,).
        judged: Rows that tell how right and how much in doubt a head is: the shipped slice where it teaches this
            taxonomy, otherwise the labels' descriptions and examples.
        texts: The texts of those rows.
    """

    kind: Kind
    vectors: Floats
    targets: sp.csr_matrix
    weights: Floats
    judged: Ints
    texts: list[str]

    @classmethod
    def of(
        cls,
        encode: Encode,
        labels: Sequence[Label],
        kind: Kind,
        taught: Sequence[Taught] = (),
        judged: Sequence[str] = (),
    ) -> Lessons:
        """Return the labels' descriptions, examples and keywords, and behind them what else is taught.

        Args:
            encode: Makes unit-length vectors of texts.
            labels: Labels of one kind.
            kind: That kind.
            taught: Further documents to learn from.
            judged: Texts of the last of them, where a head is to be judged by those.
        """
        texts: list[str] = []
        names: list[str] = []
        weights: list[float] = []
        for label in labels:
            for group, weight in (
                ((label.description, *label.examples), 1.0),
                (label.keywords, _KEYWORD_SAMPLE_WEIGHT),
            ):
                texts += group
                names += [label.label] * len(group)
                weights += [weight] * len(group)
        names += [name for part in taught for name in part.labels]
        rows = np.flatnonzero(np.array(weights) == 1) if not judged else np.arange(len(names) - len(judged), len(names))
        return cls(
            kind,
            np.vstack([encode(texts).astype(np.float64), *(part.vectors for part in taught)]),
            _targets(names, [label.label for label in labels]),
            np.concatenate([weights, *(part.weights for part in taught)]),
            rows,
            list(judged) or [texts[row] for row in rows],
        )

    def fit(self) -> Likeness:
        """Return weights and bias of likeness to each label, as log-odds; the last column is what remains.

        Ridge regression is solved in closed form in double precision, so every machine gets the same weights to
        twelve digits, which an iterative optimiser would not promise.
        """
        weights = cho_solve(self._factor, (self.vectors.T * self.weights) @ self.targets)
        return (
            np.column_stack([weights * _VECTOR_STRENGTH, np.zeros(len(weights))]),
            np.array([0.0] * self.targets.shape[1] + [_REMAINDER_STRENGTH[self.kind]]),
        )

    def left_out(self) -> Floats:
        """Return the log-odds of the judged rows' labels, had each row not been learnt from; exact, in one go.

        Returns:
            Shape (judged, labels and what remains).
        """
        weights, bias = self.fit()
        vectors, counted = self.vectors[self.judged], self.weights[self.judged]
        pull = (counted * (vectors.T * cho_solve(self._factor, vectors.T)).sum(axis=0))[:, None]
        known = np.column_stack([self.targets[self.judged].toarray() * _VECTOR_STRENGTH, np.zeros(len(vectors))])
        return np.asarray((vectors @ weights - pull * known) / (1 - pull) + bias)

    @property
    def codes(self) -> Ints:
        """Column of each judged row's label; the last stands for what remains."""
        targets = self.targets[self.judged]
        codes = np.full(targets.shape[0], targets.shape[1], np.int64)
        rows, columns = targets.nonzero()
        codes[rows] = columns
        return codes

    @cached_property
    def _factor(self) -> tuple[Floats, bool]:
        gram = (self.vectors.T * self.weights) @ self.vectors + _RIDGE * np.eye(self.vectors.shape[1])
        factor: tuple[Floats, bool] = cho_factor(gram, overwrite_a=True)
        return factor


def _targets(names: Sequence[str], labels: Sequence[str]) -> sp.csr_matrix:
    """Return which of the labels each name is, as 0 and 1; shape (names, labels)."""
    column = {label: place for place, label in enumerate(labels)}
    entries = [(row, column[name]) for row, name in enumerate(names) if name in column]
    rows, columns = np.array(entries, np.int64).reshape(-1, 2).T
    return sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(names), len(labels)))


def all_lessons(
    encode: Encode,
    content: Taxonomy,
    taught: Mapping[Kind, Taught] | None = None,
    slice_vectors: Floats | None = None,
) -> dict[Kind, Lessons]:
    """Return what topic and intent are learnt from: the taxonomy, what else is taught, and the shipped slice, last.

    Args:
        encode: Makes unit-length vectors of texts.
        content: The taxonomy.
        taught: Corrected documents by kind.
        slice_vectors: Vectors of the slice, where they are known already; shape (texts, dimensions).
    """
    rows, texts = shipped_slice(), slice_texts()
    vectors = encode(texts) if slice_vectors is None else slice_vectors
    lessons: dict[Kind, Lessons] = {}
    for kind, labels in labels_of(content).items():
        given = [part for part in [(taught or {}).get(kind)] if part is not None]
        shipped = slice_rows(labels, kind)
        if len(shipped):
            given.append(_slice(rows["label"].take(shipped).to_pylist(), vectors[shipped]))
        lessons[kind] = Lessons.of(encode, labels, kind, given, [texts[row] for row in shipped])
    return lessons


def slice_rows(labels: Sequence[Label], kind: Kind) -> Ints:
    """Return the rows of the shipped slice that teach a kind: none where the taxonomy lacks a label of theirs.

    Then the slice is another taxonomy's.
    """
    rows = np.flatnonzero(pc.equal(shipped_slice()["kind"], kind).to_numpy())
    names = set(shipped_slice()["label"].take(rows).to_pylist())
    return rows if {label.label for label in labels} >= names - {OTHER} else rows[:0]


def _slice(names: Sequence[str], vectors: np.ndarray) -> Taught:
    """Return what the shipped slice teaches of a kind: all texts of one label together count for so many examples."""
    _, of_text, counts = np.unique(names, return_inverse=True, return_counts=True)
    return Taught(vectors.astype(np.float64), names, _SLICE_WEIGHT / counts[of_text])
