"""The interface of the engine's tiers: documents in, labels with confidence and reasons out.

A document is a weighted group of messages, so that a tier treats one message and one conversation alike: the static
tier pools the evidence of the parts, and a transformer encodes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from analytics_platform.errors import UserError
from analytics_platform.insights.encoders.words import Words
from analytics_platform.insights.vectors.unit_length import row_lengths

Kind = Literal["topic", "intent", "sentiment", "urgency", "resolution"]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

LEAST_REMAINDER = 0.35
"""Least probability of a chosen remainder. On public texts of 77 and of 10 labels, 0.35 costs 0.004 and 0.002 of the
accuracy against 0.5 where every text fits a label, and recognises a quarter of the texts that fit none; without a
least probability it costs 0.014 and 0.018 and recognises two fifths."""
SENTIMENT_VALUES = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}
TIERS = ("static", "cascade", "transformer", "llm")


class TierError(UserError, ValueError):
    """A requested tier or device is unknown or not available; the message names it."""


def require_tier(name: str) -> None:
    """Refuse a tier that the engine cannot run.

    Raises:
        TierError: If the tier is unknown, or is ``llm``, which `insights.llm` runs outside the engine.
    """
    if name not in TIERS:
        raise TierError(f"tier {name!r} is unknown; known are {', '.join(TIERS)}")
    if name == "llm":
        raise TierError(
            "tier 'llm' labels into tables of its own, beside this engine's: set ANALYTICS_LLM_MODEL, see docs/llm.md; "
            "here use static, cascade or transformer"
        )


@dataclass(frozen=True)
class Documents:
    """Documents as weighted groups of parts.

    Attributes:
        texts: Texts of the parts.
        words: Words of the parts.
        vectors: Unit-length vectors of the parts; shape (parts, 256).
        weights: Weight of each part in each document; sparse, shape (documents, parts).
        grouped: Whether the documents are conversations, of which a cascade's transformer reads each one.
        readings: Transformers' vectors of parts read so far, by name of the transformer and index of the part; shared
            by all documents made of the same parts, so that each part is read only once.
        memory: Further vectors of all parts, by the name of their encoder; shared likewise.
        views: These documents with further vectors, by the name of their encoder.
    """

    texts: list[str]
    words: Words
    vectors: Floats
    weights: sp.csr_matrix
    grouped: bool = False
    readings: dict[tuple[str, int], Singles] = field(default_factory=dict, repr=False, compare=False)
    memory: dict[str, Singles] = field(default_factory=dict, repr=False, compare=False)
    views: dict[str, Documents] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        """Return the number of documents."""
        return int(self.weights.shape[0])

    @cached_property
    def masses(self) -> Floats:
        """Weight of each part's vector in a pooled vector: its number of words, at most 40; shape (parts,)."""
        return np.minimum(self.words.lengths, 40).astype(np.float64)

    @cached_property
    def is_single(self) -> bool:
        """Whether each document is the part of its own number, with weight 1."""
        weights = self.weights
        count = len(self)
        return bool(
            weights.shape[1] == count
            and weights.nnz == count
            and (weights.indices == np.arange(count)).all()
            and (weights.indptr == np.arange(count + 1)).all()
            and (weights.data == 1).all()
        )

    @cached_property
    def pooled(self) -> tuple[Floats, Floats]:
        """Pooled vectors, the weighted sums of the parts' vectors, by direction and length.

        The directions have unit length, or are zeros for a document without a vector; shapes (documents, 256) and
        (documents, 1).
        """
        if self.is_single:
            sums = self.masses[:, None] * self.vectors
            sums += 0.0  # no negative zero, as in a sum
        else:
            sums = np.asarray(self.weights.multiply(self.masses[None, :]).tocsr() @ self.vectors)
        lengths = np.asarray(row_lengths(sums), np.float64)
        sums /= np.where(lengths > 0, lengths, 1)
        return sums, lengths

    def take(self, rows: Ints) -> Documents:
        """Return some of the documents, made of the same parts."""
        if len(rows) == len(self) and (rows == np.arange(len(self))).all():
            return self
        taken = replace(self, weights=self.weights[rows])
        directions, lengths = self.pooled
        taken.__dict__["pooled"] = directions[rows], lengths[rows]
        return taken

    def view(self, encoder: str, encode: Callable[[], Singles]) -> Documents:
        """Return these documents with the parts' vectors of another encoder; both are remembered.

        Args:
            encoder: Name of the encoder.
            encode: Makes the vectors; shape (parts, dimensions).
        """
        if encoder not in self.views:
            if encoder not in self.memory:
                self.memory[encoder] = encode()
            self.views[encoder] = replace(self, vectors=self.memory[encoder].astype(np.float64))
        return self.views[encoder]

    @classmethod
    def of_single(cls, texts: list[str], words: Words, vectors: np.ndarray) -> Documents:
        """Return documents with one part each."""
        return cls(texts, words, vectors.astype(np.float64), sp.identity(len(texts), format="csr"))

    def single(self, rows: Ints) -> Documents:
        """Return some of the documents, which have one part each."""
        texts = [self.texts[row] for row in rows]
        return Documents.of_single(texts, self.words.take(rows), self.vectors[rows])

    def regroup(self, weights: sp.csr_matrix) -> Documents:
        """Return conversations made of the same parts."""
        return replace(self, weights=weights, grouped=True)


@dataclass(frozen=True)
class Classified:
    """A tier's answer for one kind of label.

    Attributes:
        labels: Names of the columns.
        confidence: Probabilities; shape (documents, labels), each row sums to 1.
    """

    labels: tuple[str, ...]
    confidence: Floats


@dataclass(frozen=True)
class Reason:
    """The strongest evidence for one label of one document.

    Attributes:
        part: Index of the part with the largest contribution.
        words: Words of the part with the largest contributions, largest first.
        weight: The part's contribution to the label's log-odds.
        rule: Name of the rule that decided, if no words did.
        is_phrase: Whether the words are a phrase that decided as a whole, and are quoted with its function words.
    """

    part: int
    words: tuple[str, ...]
    weight: float
    rule: str | None = None
    is_phrase: bool = False


def choose(confidence: Floats, closing: int | None) -> Ints:
    """Return the column of the chosen label of each document: the most probable label, digits beyond the ninth ignored.

    The remainder is chosen only if it is more probable than each label and than ``LEAST_REMAINDER``: a label that is
    the best of many improbable ones is more useful than ``other``, and its confidence says how sure it is.

    Args:
        confidence: Probabilities; shape (documents, labels).
        closing: Column of the remainder; None if there is none.
    """
    rounded = np.round(confidence, 9)
    if closing is None or rounded.shape[1] == 1:
        return np.asarray(rounded.argmax(axis=1), np.int64)
    others = np.delete(rounded, closing, axis=1).argmax(axis=1)
    others += others >= closing
    best = rounded[np.arange(len(rounded)), others]
    fits_nowhere = (rounded[:, closing] > best) & (rounded[:, closing] >= LEAST_REMAINDER)
    return np.where(fits_nowhere, closing, others).astype(np.int64)


class Labeller(Protocol):
    """A method of answering for one or more kinds of label, with reasons."""

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each label of ``kind`` for each document."""
        ...

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the reason of each document's label; ``chosen`` contains column numbers of ``classify``.

        A reason is None if no part supports the label, as for ``other``.
        """
        ...


class Tier(Labeller, Protocol):
    """A method of labelling documents; implementations are safe to share between threads."""

    def teach_sentiment(self, confidence: Floats, documents: Documents) -> Floats:
        """Return sentiments with regard to labelled texts and corrections; the same where nothing was taught.

        Args:
            confidence: Probabilities by heads that were not taught; shape (documents, labels).
            documents: The documents.
        """
        ...

    @property
    def name(self) -> str:
        """Name of the tier, one of ``TIERS``."""
        ...

    @property
    def version(self) -> str:
        """Hash of everything that the answers depend on, except the documents."""
        ...
