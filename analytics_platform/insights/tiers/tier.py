"""The interface of the engine's tiers: documents in, labels with confidence and reasons out.

A document is a weighted group of messages, so that a tier treats one message and one conversation alike: the static
tier pools the evidence of the parts, and a transformer encodes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from analytics_platform.errors import UserError
from analytics_platform.insights.encoders.words import Words

Kind = Literal["topic", "intent", "sentiment", "urgency", "resolution"]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

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
        readings: A transformer's vectors of parts read so far, by index of the part; shared by all documents made of
            the same parts, so that each part is read only once.
    """

    texts: list[str]
    words: Words
    vectors: Floats
    weights: sp.csr_matrix
    readings: dict[int, Singles] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        """Return the number of documents."""
        return int(self.weights.shape[0])

    @cached_property
    def masses(self) -> Floats:
        """Weight of each part's vector in a pooled vector: its number of words, at most 40; shape (parts,)."""
        return np.minimum(self.words.lengths, 40).astype(np.float64)

    @classmethod
    def of_single(cls, texts: list[str], words: Words, vectors: np.ndarray) -> Documents:
        """Return documents with one part each."""
        return cls(texts, words, vectors.astype(np.float64), sp.identity(len(texts), format="csr"))

    def regroup(self, weights: sp.csr_matrix) -> Documents:
        """Return other documents made of the same parts."""
        return replace(self, weights=weights)


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
    """

    part: int
    words: tuple[str, ...]
    weight: float


class Tier(Protocol):
    """A method of labelling documents; implementations are safe to share between threads."""

    @property
    def name(self) -> str:
        """Name of the tier, one of ``TIERS``."""
        ...

    @property
    def version(self) -> str:
        """Hash of everything that the answers depend on, except the documents."""
        ...

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each label of ``kind`` for each document."""
        ...

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the reason of each document's label; ``chosen`` contains column numbers of ``classify``.

        A reason is None if no part supports the label, as for ``other``.
        """
        ...
