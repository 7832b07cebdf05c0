"""What a conversation's topic and intent say about its stakes: whether anything was asked, and whether it can wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics_platform.insights.taxonomies.taxonomy import Label, Taxonomy
from analytics_platform.insights.tiers.decisions import Decision
from analytics_platform.insights.verdicts.cue_matching import Mask

_LEAST_CONFIDENCE = 0.6
"""Least confidence of a topic or an intent whose stakes count."""


@dataclass(frozen=True)
class Stakes:
    """Stakes of conversations.

    Attributes:
        none: Whether nothing was asked; shape (conversations,).
        low: Whether a wait costs little; includes the conversations in which nothing was asked.
    """

    none: Mask
    low: Mask

    @classmethod
    def of(cls, taxonomy: Taxonomy, topic: Decision, intent: Decision) -> Stakes:
        """Return the stakes that the taxonomy states for the conversations' labels.

        Args:
            taxonomy: States the stakes of labels.
            topic: Topics of the conversations.
            intent: Intents of the conversations.
        """
        low = _has(intent, [label for label in taxonomy.intents if label.stakes != "normal"])
        none = _has(intent, [label for label in taxonomy.intents if label.stakes != "normal" and label.social])
        return cls(none, low | _has(topic, [label for label in taxonomy.topics if label.stakes != "normal"]))


def _has(decision: Decision, labels: Sequence[Label]) -> Mask:
    """Return which documents have, with some confidence, one of some labels."""
    names = {label.label for label in labels}
    of_column = np.array([name in names for name in decision.answer.labels])
    return np.asarray(of_column[decision.chosen] & (decision.best >= _LEAST_CONFIDENCE))
