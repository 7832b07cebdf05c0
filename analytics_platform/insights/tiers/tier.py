"""What every tier of the engine is: documents in, labels with confidence and reasons out.

Belongs here: the interface and the shapes that cross it. Does not belong here: any one way to answer.
A document is a weighted group of messages, so that one message and one conversation are the same thing to a
tier: the static tier pools the evidence of the parts, a transformer may encode them, an LLM may read the transcript.
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
    """A tier or device was asked for that is unknown or not available; the message says which."""


def require_tier(name: str) -> None:
    """Refuse a tier that the engine cannot run.

    Raises:
        TierError: If the tier is unknown, or is the LLM, which answers conversations one by one and elsewhere.
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
        texts: The parts' texts.
        words: The parts' words.
        vectors: The parts' unit-length vectors; shape (parts, 256).
        weights: How much each part counts in each document; sparse, shape (documents, parts).
        readings: Vectors of parts that a transformer has read so far, by number of the part; shared by all documents
            made of the same parts, so that none is read twice.
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
        """How much each part's vector weighs in a pooled one: its words, so that «ok» does not drown a question."""
        return np.minimum(self.words.lengths, 40).astype(np.float64)

    @classmethod
    def of_single(cls, texts: list[str], words: Words, vectors: np.ndarray) -> Documents:
        """Return documents of one part each."""
        return cls(texts, words, vectors.astype(np.float64), sp.identity(len(texts), format="csr"))

    def regroup(self, weights: sp.csr_matrix) -> Documents:
        """Return other documents made of the same parts."""
        return replace(self, weights=weights)


@dataclass(frozen=True)
class Classified:
    """A tier's answer for one kind of label.

    Attributes:
        labels: Names, in the order of the columns.
        confidence: Probabilities; shape (documents, labels), rows add up to 1.
    """

    labels: tuple[str, ...]
    confidence: Floats


@dataclass(frozen=True)
class Reason:
    """What decided one label of one document.

    Attributes:
        part: Index of the part that weighed most.
        words: Its words that weighed most, heaviest first.
        weight: The part's contribution to the label's log-odds.
    """

    part: int
    words: tuple[str, ...]
    weight: float


class Tier(Protocol):
    """One way to label documents. Implementations are safe to use from several threads."""

    @property
    def name(self) -> str:
        """Which tier it is, one of ``TIERS``."""
        ...

    @property
    def version(self) -> str:
        """Hash of everything that the answers depend on beside the documents."""
        ...

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each label of ``kind`` for each document."""
        ...

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return why each document got its label, ``chosen`` being column numbers of ``classify``.

        None where no part speaks for the label, as for ``other``.
        """
        ...
