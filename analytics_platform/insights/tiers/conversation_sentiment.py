"""Sentiment of conversations: what customers feel about the matter, from their first and last messages.

The head of ``tiers.sentiment`` judges sentences of reviews and comments, in which thanks and greetings are feelings. A
second head knows how customers write, in many languages, and that manners are neutral. A third one weighs both over a
conversation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from analytics_platform.insights.grouping import Conversations
from analytics_platform.insights.heads.classifier import read_parts
from analytics_platform.insights.tiers.conversation_heads import (
    ConversationHead,
    EncoderName,
    shipped_conversation_heads,
)
from analytics_platform.insights.tiers.tier import (
    SENTIMENT_VALUES,
    Classified,
    Documents,
    Floats,
    Ints,
    Kind,
    Reason,
    Tier,
)
from analytics_platform.insights.vectors.text_encoder import TextEncoder

_ENDS = 2
"""Customer messages at the beginning, and at the end, of a conversation that are read."""
_EVEN_DEGREE = 0.2
"""Degree of a feeling that is as probable as none. Reports count feelings beyond 0.25, and ``benchmarks/gold.py``
beyond 0.15."""
_LABELS = tuple(SENTIMENT_VALUES)


@dataclass(frozen=True)
class ConversationSentiment:
    """Sentiments of a day's conversations, in the form of a tier's answers.

    Attributes:
        tier: Adjusts the sentiments to what people taught, and gives the reasons.
        own: Sentiments by the shipped heads.
    """

    tier: Tier
    own: Classified

    @classmethod
    def of(
        cls, tier: Tier, said: pa.Table, conversations: Conversations, parts: Documents, transformer: TextEncoder | None
    ) -> ConversationSentiment:
        """Judge conversations.

        Args:
            tier: The tier.
            said: The messages, with their own sentiment in the column sentiment.
            conversations: The conversations of the messages.
            parts: The messages as documents.
            transformer: Reads the messages; None for the static vectors.
        """
        encoder: EncoderName = "transformer" if transformer else "static"
        heads = shipped_conversation_heads()
        evidence = sentiment_evidence(said, conversations, parts, heads["mood", encoder], transformer)
        return cls(tier, Classified(_LABELS, heads["sentiment", encoder].predict(evidence)))

    def classify(self, kind: Kind, documents: Documents) -> Classified:  # noqa: ARG002
        """Return the sentiments with regard to labelled texts and corrections."""
        return Classified(self.own.labels, self.tier.teach_sentiment(self.own.confidence, documents))

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the tier's reasons."""
        return self.tier.explain(kind, documents, chosen)


def sentiment_evidence(
    said: pa.Table,
    conversations: Conversations,
    parts: Documents,
    mood: ConversationHead,
    transformer: TextEncoder | None,
) -> Floats:
    """Return the largest and the last feelings of each conversation's first and last customer messages.

    Args:
        said: The messages, with their own sentiment in the column sentiment.
        conversations: The conversations of the messages.
        parts: The messages as documents.
        mood: Judges single messages.
        transformer: Reads the messages; None for the static vectors.

    Returns:
        Zeros for a conversation without a customer's message; shape (conversations, 8).
    """
    chosen = conversations.customer_ends(_ENDS)
    vectors = read_parts(transformer, parts, chosen) if transformer else parts.vectors[chosen]
    negative, neutral, positive = mood.logits(vectors).T if len(chosen) else np.zeros((3, 0))
    own = said["sentiment"].to_numpy()[chosen]
    feelings = np.column_stack([own, -own, negative - neutral, positive - neutral])
    return np.hstack(_over_conversations(feelings, conversations.of_message[chosen], len(conversations.ids)))


def _over_conversations(values: Floats, group: Ints, count: int) -> tuple[Floats, Floats]:
    """Return the largest and the last values of each conversation.

    Args:
        values: Of messages, in the order of their conversations and positions; shape (messages, values).
        group: Index of each message's conversation.
        count: Number of conversations.
    """
    largest, last = np.zeros((2, count, values.shape[1]))
    spoken, first, many = np.unique(group, return_index=True, return_counts=True)
    if len(spoken):
        largest[spoken] = np.maximum.reduceat(values, first)
        last[spoken] = values[first + many - 1]
    return largest, last


def degree_of_feeling(answer: Classified) -> Floats:
    """Return sentiments from -1 to 1: how much each feeling outweighs having none; shape (documents,).

    >>> degree_of_feeling(Classified(("negative", "neutral", "positive"), np.array([[0, 1, 0], [0, 0.5, 0.5]])))
    array([0. , 0.2])
    """
    by_name = dict(zip(answer.labels, answer.confidence.T, strict=True))
    power = np.log(_EVEN_DEGREE) / np.log(0.5)

    def degree(feeling: str) -> Floats:
        together = by_name[feeling] + by_name["neutral"]
        return np.asarray((by_name[feeling] / np.where(together > 0, together, 1)) ** power)

    return degree("positive") - degree("negative")
