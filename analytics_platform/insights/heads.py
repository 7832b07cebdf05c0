"""Label heads fitted on labelled texts, in three tiers: each text is asked of dearer experts only when that helps.

Belongs here: the order of the experts, and the calibrated decision who is asked. Does not belong here: the experts,
files, and measures (``evaluate``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from analytics_platform.insights.device import CPU, Device
from analytics_platform.insights.encoder import StaticEncoder
from analytics_platform.insights.experts import Codes, LinearExpert, NeighbourExpert
from analytics_platform.insights.features import Prepared, Singles, prepare
from analytics_platform.insights.minilm import TextEncoder
from analytics_platform.insights.stacking import Calibration, Stack
from analytics_platform.insights.student import Student
from analytics_platform.insights.tier import Floats

Reads = Literal["nothing", "doubtful", "everything"]
"""What the transformer reads when scoring: the tiers static, cascade and transformer."""

OUT_OF_SCOPE = "oos"
"""The label of texts that belong to no class, as clinc150 names it."""

_OUTSIDE_EXPECTED = 0.2
"""Share of texts out of scope that confidence reckons with: training files are collected for the classes and hold
hardly any of them, use does."""
_OUTSIDE_ADMITTED = 0.03
"""Share that the choice of a label reckons with: more would call more texts in scope foreign than it is worth."""
_NEIGHBOUR_BUDGET = 0.25
"""Largest share of texts whose neighbours are asked in the static tier, to keep within 50 µs a text."""
_MOST_NEIGHBOURS, _MOST_READERS = 10_000, 20_000
"""Training texts that vote by guessed vectors, and by the transformer's own, next to whose cost theirs is small."""
_TRANSFORMER_BUDGET = 0.095
"""Largest share of texts that the cascade sends to the transformer: what keeps it 8 times as quick."""
_WORTHWHILE = 5e-4
"""Accuracy that a larger share must win for a text to be sent on."""
_STEPS = 20
_BATCH = 32_768
"""Texts scored together: each distinct word of a batch is taken apart once, in Python."""


@dataclass(frozen=True)
class Route:
    """Which texts go on to the next expert: those whose doubt exceeds a threshold.

    Attributes:
        threshold: Of ``doubt``.
        share: Of the training texts that exceed it, by importance.
    """

    threshold: float
    share: float

    @classmethod
    def fit(cls, before: Floats, after: Floats, codes: Codes, importance: Floats, budget: float) -> Route:
        """Choose the smallest share that is as right as any within the budget.

        Args:
            before: Probabilities without the next expert, of texts that no expert had seen.
            after: Probabilities with it.
            codes: Number of each text's label.
            importance: How much each text counts.
            budget: Largest share that may go on, 0 to 1.
        """
        doubts = doubt(before)
        order = np.argsort(-doubts, kind="stable")
        weight = importance[order] / importance.sum()
        gain = ((after.argmax(axis=1) == codes).astype(np.float64) - (before.argmax(axis=1) == codes))[order]
        reached, won = np.cumsum(weight), np.cumsum(weight * gain)
        ends = np.searchsorted(reached, np.linspace(0, budget, _STEPS + 1)[1:] + 1e-9, side="right")
        tied = ends < len(order)  # texts of equal doubt go on together, or not at all
        ends[tied] = np.searchsorted(-doubts[order], -doubts[order[ends[tied]]], side="left")
        gains = np.concatenate(([0.0], won))[ends]
        good = np.flatnonzero(gains >= gains.max() - _WORTHWHILE)
        end = int(ends[good[0]])
        if gains.max() < _WORTHWHILE or end == 0:
            return cls(np.inf, 0.0)
        return cls(float(doubts[order[end - 1]]), float(reached[end - 1]))

    def select(self, before: Floats) -> Codes:
        """Return the rows that go on."""
        return np.flatnonzero(doubt(before) >= self.threshold)

    def take(self, before: Floats, after: Floats) -> Floats:
        """Return the answers before, save for the rows that go on, which get the answers after."""
        return np.where((doubt(before) >= self.threshold)[:, None], after, before)


def doubt(probabilities: Floats) -> Floats:
    """Return how torn an answer is: the second label's probability, which a text unlike everything does not raise."""
    return np.asarray(np.partition(probabilities, -2, axis=1)[:, -2])


class LabelHead:
    """A classifier whose confidence and whose routes are calibrated on texts held out of the fit.

    Args:
        encoder: Makes the static vectors.
        transformer: Reads the training texts, so that vectors like its own can be guessed for the neighbours, and what
            ``reads`` says. Without it the neighbours' vectors are the static ones.
        reads: What the transformer reads when scoring.
        further: Texts about anything, read while fitting where training texts are too few to guess by.
        device: Where products with neighbours are computed.
    """

    def __init__(
        self,
        encoder: StaticEncoder,
        transformer: TextEncoder | None = None,
        *,
        reads: Reads = "nothing",
        further: Sequence[str] = (),
        device: Device = CPU,
    ) -> None:
        self._encoder = encoder
        self._transformer = transformer
        self._reads = reads
        self._student = Student(encoder, transformer, further) if transformer is not None else None
        self._linear = LinearExpert()
        self._neighbours = NeighbourExpert(_MOST_NEIGHBOURS, device)
        self._readers = NeighbourExpert(_MOST_READERS, device)

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Fit on labelled texts; the same input gives the same head.

        Args:
            texts: Texts.
            labels: One label each; at least two different ones.
        """
        names, codes = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
        self.labels: tuple[str, ...] = tuple(names)
        count, outside = len(names), self.labels.index(OUT_OF_SCOPE) if OUT_OF_SCOPE in self.labels else None
        admitted, expected = (_importance(codes, outside, share) for share in (_OUTSIDE_ADMITTED, _OUTSIDE_EXPECTED))
        prepared = prepare(texts, self._encoder)
        vectors, read = prepared.vectors, None
        if self._transformer is not None and self._student is not None:
            read = self._transformer.encode(prepared.texts)
            vectors = self._student.fit(prepared.texts, read)
        scores = [self._linear.fit(prepared, codes, count), self._neighbours.fit(vectors, codes, count)]
        self._first = Stack.fit(scores[:1], codes, admitted, outside)
        self._second = Stack.fit(scores, codes, admitted, outside)
        answers, better = self._first.predict(scores[:1]), self._second.predict(scores)
        self._to_neighbours = Route.fit(answers, better, codes, expected, _NEIGHBOUR_BUDGET)
        answers = self._to_neighbours.take(answers, better)
        if read is not None and self._reads != "nothing":
            scores.append(self._readers.fit(read, codes, count))
            self._third = Stack.fit(scores, codes, admitted, outside)
            better = self._third.predict(scores)
            self._to_transformer = Route.fit(answers, better, codes, expected, _TRANSFORMER_BUDGET)
            answers = better if self._reads == "everything" else self._to_transformer.take(answers, better)
        self._calibration = Calibration.fit(answers, codes, expected, outside)
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Share of texts that each expert beyond the first is expected to read."""
        everything = self._reads == "everything"
        shares = {"neighbours": 1.0 if everything else self._to_neighbours.share}
        if self._reads != "nothing":
            shares["transformer"] = 1.0 if everything else self._to_transformer.share
        return shares

    def predict(self, texts: Sequence[str]) -> Floats:
        """Return the probability of each label; shape (texts, labels)."""
        batches = [
            self._calibration.apply(self._answer(texts[start : start + _BATCH]))
            for start in range(0, len(texts), _BATCH)
        ]
        return np.concatenate(batches) if batches else np.zeros((0, len(self.labels)))

    def _answer(self, texts: Sequence[str]) -> Floats:
        prepared = prepare(texts, self._encoder)
        linear = self._linear.score(prepared)
        if self._reads == "everything":
            return self._read(prepared, linear)
        answers = self._first.predict([linear])
        rows = self._to_neighbours.select(answers)
        if len(rows):
            answers[rows] = self._second.predict([linear[rows], self._ask_neighbours(prepared.take(rows))])
        if self._reads == "doubtful":
            rows = self._to_transformer.select(answers)
            if len(rows):
                answers[rows] = self._read(prepared.take(rows), linear[rows])
        return answers

    def _ask_neighbours(self, prepared: Prepared) -> Singles:
        vectors = prepared.vectors if self._student is None else self._student.encode(prepared)
        return self._neighbours.score(vectors)

    def _read(self, prepared: Prepared, linear: Singles) -> Floats:
        """Return the answers of all experts together."""
        assert self._transformer is not None
        read = self._readers.score(self._transformer.encode(prepared.texts))
        return self._third.predict([linear, self._ask_neighbours(prepared), read])


def _importance(codes: Codes, outside: int | None, wanted: float) -> Floats:
    """Return how much each text counts: all the same, save that those out of scope make up at least a wanted share."""
    importance = np.ones(len(codes))
    if outside is not None:
        share = float((codes == outside).mean())
        importance[codes == outside] = max(1.0, wanted / (1 - wanted) * (1 - share) / share)
    return importance
