"""Documents with known answers, and the experts' scores of them: what every weight of a classifier is fitted on.

Four groups of documents are tried: training documents, each left out of the training set; training documents that fit
no label; training documents as if their label did not exist; and general texts, which fit no label either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analytics_platform.insights.heads.training_set import TrainingSet, training_documents
from analytics_platform.insights.tiers.examples import general_texts
from analytics_platform.insights.tiers.tier import Documents, Floats, Ints, Singles
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder

_GENERAL = 400
"""Number of general texts."""
_SHARES = (1.0, 0.25, 1.0)
"""Relative weights of the groups of documents that fit no label: training documents, training documents whose label is
left out, general texts. The second weighs little, because in a taxonomy of many labels its documents resemble the
labels that are left."""


@dataclass(frozen=True)
class Trial:
    """One expert's scores of the documents that are tried.

    Attributes:
        scores: Shape (documents, labels).
        nearness: Cosine to the nearest training document, shape (documents,); None for an expert without vectors.
    """

    scores: Singles
    nearness: Singles | None = None

    def take(self, rows: Ints) -> Trial:
        """Return the scores of some of the documents."""
        return Trial(self.scores[rows], None if self.nearness is None else self.nearness[rows])


@dataclass(frozen=True)
class Trials:
    """The documents that are tried, in the order: left out, fitting no label, label left out, general.

    Attributes:
        codes: Index of each training document's label; ``count`` for one that fits no label.
        count: Number of labels.
        judged: Rows of the training documents that are left out one by one.
        outside: Rows of the training documents that fit no label.
        general: General texts; None if every document fits a label.
        exact: Whether the votes of every document can be computed as if its label did not exist.
        unknown: Share of documents without a fitting label that novelty and calibration assume.
    """

    codes: Ints
    count: int
    judged: Ints
    outside: Ints
    general: Documents | None
    exact: bool
    unknown: float

    @classmethod
    def of(cls, training_set: TrainingSet, encoder: StaticEncoder, *, exact: bool) -> Trials:
        """Choose the documents of a training set."""
        codes, count = training_set.codes, len(training_set.labels)
        known = codes < count
        typical = training_set.typical if training_set.typical[known].any() else np.ones(len(codes), np.bool_)
        general = None
        if training_set.remainder is not None:
            general = training_documents(general_texts(_GENERAL), encoder)
        outside = np.flatnonzero(~known)
        return cls(codes, count, np.flatnonzero(known & typical), outside, general, exact, training_set.unknown)

    @property
    def open(self) -> bool:
        """Whether a document may fit no label."""
        return self.general is not None

    @property
    def forgets(self) -> bool:
        """Whether documents are tried as if their label did not exist; without the only label nothing is known."""
        return self.exact and self.count > 1

    @property
    def closing(self) -> int | None:
        """Column of the remainder; None if every document fits a label."""
        return self.count if self.open else None

    @cached_property
    def truth(self) -> Ints:
        """Index of each document's right label."""
        truth = np.full(sum(self._sizes), self.count, np.int64)
        truth[: len(self.judged)] = self.codes[self.judged]
        return truth

    @cached_property
    def importance(self) -> Floats:
        """Weight of each document; the groups without a fitting label share the weight that is expected of them."""
        sizes = np.array(self._sizes[1:])
        shares = np.where(sizes > 0, _SHARES, 0.0)
        unknown = self.unknown / (1 - self.unknown) * len(self.judged)
        weights = [
            np.full(size, unknown * share / shares.sum() / size)
            for size, share in zip(sizes.tolist(), shares.tolist(), strict=True)
            if size
        ]
        return np.concatenate([np.ones(len(self.judged)), *weights])

    @property
    def _sizes(self) -> tuple[int, int, int, int]:
        if self.general is None:
            return len(self.judged), 0, 0, 0
        return len(self.judged), len(self.outside), len(self.judged) if self.forgets else 0, len(self.general)

    def restrict(self, kept: np.ndarray) -> tuple[Ints, Trials]:
        """Return the rows of some of the judged documents, with all that fit no label, and these documents alone.

        Args:
            kept: Whether each judged document is kept; shape (judged documents,).
        """
        judged, outside, forgotten, general = self._sizes
        rest = np.ones(outside, np.bool_), kept[:forgotten], np.ones(general, np.bool_)
        rows = np.flatnonzero(np.concatenate([kept[:judged], *rest]))
        return rows, replace(self, judged=self.judged[kept])

    def assemble(self, left_out: Singles, without: Singles | None, general: Singles | None) -> Singles:
        """Return an expert's scores, or nearness, of all documents in their order.

        Args:
            left_out: Of each training document, without this document; shape (training documents, …).
            without: Of each training document, without its label; None to take ``left_out`` and make the own label's
                score the lowest.
            general: Of each general text.
        """
        parts = [left_out[self.judged]]
        if general is not None:
            parts.append(left_out[self.outside])
            if self.forgets:
                parts.append(self._forget(left_out) if without is None else without[self.judged])
            parts.append(general)
        return np.concatenate(parts).astype(np.float32)

    def _forget(self, scores: Singles) -> Singles:
        """Return the judged documents' scores with the lowest score for their own label."""
        result, own = scores[self.judged].copy(), self.codes[self.judged]
        rows = np.arange(len(own))
        result[rows, own] = np.inf
        result[rows, own] = np.where(self.count > 1, result.min(axis=1), 0)
        return result
