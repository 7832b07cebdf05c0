"""Topics of conversations: most people write about something, so that fewer conversations than texts fit no topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.heads.training_set import UNKNOWN_TOPICS
from analytics_platform.insights.taxonomies.taxonomy import OTHER
from analytics_platform.insights.tiers.tier import Classified, Documents, Ints, Kind, Labeller, Reason

_UNKNOWN = 0.03
"""Share of conversations that raise a matter which fits no topic. With it, 0.04 to 0.07 more topics of each half of
``training/development`` are right in the tiers with a transformer than with the share of texts, and 0.02 more in the
tier static."""


@dataclass(frozen=True)
class ConversationTopics:
    """A tier's topics of conversations, with the share of conversations that fit no topic instead of that of texts.

    A conversation without a letter, such as one of emojis, has no matter, and keeps the tier's answer.

    Attributes:
        tier: Labels the topics.
    """

    tier: Labeller

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each topic for each conversation."""
        own = self.tier.classify(kind, documents)
        lettered = pc.match_substring_regex(pa.array(documents.texts, pa.string()), r"\pL").to_numpy(
            zero_copy_only=False
        )
        has_matter = documents.weights @ lettered.astype(np.float64) > 0
        expected = expect_other(own.confidence, own.labels)
        return Classified(own.labels, np.where(has_matter[:, None], expected, own.confidence))

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the tier's reasons."""
        return self.tier.explain(kind, documents, chosen)


def expect_other(confidence: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Return probabilities of topics as if ``_UNKNOWN`` of the documents fitted none; shape (documents, labels).

    Args:
        confidence: Probabilities for which ``UNKNOWN_TOPICS`` was assumed; a certain one stays certain.
        labels: Names of the columns.
    """
    factors = np.ones(len(labels))
    factors[labels.index(OTHER)] = _UNKNOWN / (1 - _UNKNOWN) / (UNKNOWN_TOPICS / (1 - UNKNOWN_TOPICS))
    shifted = confidence * factors
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
