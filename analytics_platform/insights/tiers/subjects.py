"""Topics with regard to intents: a greeting or a thank-you has no subject, whatever topic its words resemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics_platform.insights.taxonomies.taxonomy import OTHER
from analytics_platform.insights.tiers.tier import Classified, Documents, Floats, Ints, Kind, Labeller, Reason


@dataclass(frozen=True)
class TopicsOfSubjects:
    """A tier's topics; the probability that a document only greets or thanks goes to the remainder.

    Attributes:
        tier: Labels the topics.
        silence: Share of each document's probability that goes to the remainder; shape (documents,).
    """

    tier: Labeller
    silence: Floats

    @classmethod
    def of(cls, tier: Labeller, intents: Classified, silent: Sequence[str]) -> TopicsOfSubjects:
        """Return the topics of documents whose intents are known.

        Args:
            tier: Labels the topics.
            intents: Intents of the same documents.
            silent: Intents without a subject.
        """
        columns = [intents.labels.index(label) for label in silent]
        probability = intents.confidence[:, columns].sum(axis=1)
        return cls(tier, np.clip(2 * probability - 1, 0, 1))  # an intent that is less likely than not says nothing

    def classify(self, kind: Kind, documents: Documents) -> Classified:
        """Return the confidence in each topic for each document."""
        own = self.tier.classify(kind, documents)
        confidence = own.confidence * (1 - self.silence)[:, None]
        confidence[:, own.labels.index(OTHER)] += self.silence
        return Classified(own.labels, confidence)

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the tier's reasons."""
        return self.tier.explain(kind, documents, chosen)
