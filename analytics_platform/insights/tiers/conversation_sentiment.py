"""Sentiment of conversations: what customers feel about the matter, from their first and last messages.

The head of ``tiers.sentiment`` judges sentences of reviews and comments, in which thanks and greetings are feelings. A
second head knows how customers write, in many languages, and that manners are neutral. A third one weighs both over a
conversation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from analytics_platform.insights.grouping import Conversations
from analytics_platform.insights.heads.linear import heaviest_per_row
from analytics_platform.insights.reasons.quotes import Quotes
from analytics_platform.insights.tiers.conversation_heads import (
    ConversationHead,
    EncoderName,
    shipped_conversation_heads,
)
from analytics_platform.insights.tiers.decisions import LEAST_WEIGHT
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
from analytics_platform.insights.vectors.document_vectors import read_parts
from analytics_platform.insights.vectors.text_encoder import TextEncoder

_ENDS = 2
"""Customer messages at the beginning, and at the end, of a conversation that are read."""
_EVEN_DEGREE = 0.2
"""Degree of a feeling that is as probable as none. Reports count feelings beyond 0.25, which are somewhat likelier than
none."""
_LABELS = tuple(SENTIMENT_VALUES)


@dataclass(frozen=True)
class ConversationSentiment:
    """Sentiments of a day's conversations, in the form of a tier's answers.

    Attributes:
        tier: Adjusts the sentiments to what people taught, and finds the words of reasons.
        head: Weighs the feelings of a conversation.
        feelings: Feelings of the messages that are read.
    """

    tier: Tier
    head: ConversationHead
    feelings: Feelings

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
        feelings = Feelings.of(said, conversations, parts, heads["mood", encoder], transformer)
        return cls(tier, heads["sentiment", encoder], feelings)

    def classify(self, kind: Kind, documents: Documents) -> Classified:  # noqa: ARG002
        """Return the sentiments with regard to labelled texts and corrections."""
        own = self.head.predict(self.feelings.evidence)
        return Classified(_LABELS, self.tier.teach_sentiment(own, documents))

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return for each conversation the message whose feeling speaks most for the label, by itself.

        Its words are those that speak for the label by the tier, or its first words if the tier finds none.
        """
        scores = self.head.logits(self.feelings.alone)
        scores -= scores.mean(axis=1, keepdims=True)
        group, places = self.feelings.conversation, np.arange(len(scores))
        shape = (len(documents), len(scores))
        speaks = sp.csr_matrix((scores[places, chosen[group]], (group, places)), shape=shape)
        rows, places, weights = heaviest_per_row(speaks)
        messages = self.feelings.messages[places]
        picked = sp.csr_matrix(
            (np.ones(len(rows)), (np.arange(len(rows)), messages)), shape=(len(rows), documents.weights.shape[1])
        )
        by_tier = self.tier.explain(kind, documents.regroup(picked), chosen[rows])
        words = [reason.words if reason else () for reason in by_tier]
        wordless = [message for message, some in zip(messages.tolist(), words, strict=True) if not some]
        openings = dict(zip(wordless, Quotes(documents.words, wordless).openings(), strict=True))
        reasons: list[Reason | None] = [None] * len(documents)
        for row, message, weight, some in zip(rows.tolist(), messages.tolist(), weights.tolist(), words, strict=True):
            reasons[row] = Reason(message, some or openings[message], max(weight, LEAST_WEIGHT))
        return reasons


@dataclass(frozen=True)
class Feelings:
    """Feelings of the first and last customer messages of conversations.

    Attributes:
        messages: Indices of the messages, in the order of their conversations and positions.
        conversation: Index of each message's conversation; shape (messages,).
        values: Their own sentiment, its opposite, and the log-odds of both feelings against none; shape (messages, 4).
        vectors: The transformer's vectors, shape (messages, dimensions); shape (messages, 0) without one, because
            static vectors beside the values lose more sentiments than they gain.
        count: Number of conversations.
    """

    messages: Ints
    conversation: Ints
    values: Floats
    vectors: Floats
    count: int

    @classmethod
    def of(
        cls,
        said: pa.Table,
        conversations: Conversations,
        parts: Documents,
        mood: ConversationHead,
        transformer: TextEncoder | None,
    ) -> Feelings:
        """Read messages.

        Args:
            said: The messages, with their own sentiment in the column sentiment.
            conversations: The conversations of the messages.
            parts: The messages as documents.
            mood: Judges single messages.
            transformer: Reads the messages; None for the static vectors.
        """
        chosen = conversations.customer_ends(_ENDS)
        vectors = read_parts(transformer, parts, chosen) if transformer else parts.vectors[chosen]
        negative, neutral, positive = mood.logits(vectors).T if len(chosen) else np.zeros((3, 0))
        own = said["sentiment"].to_numpy()[chosen]
        values = np.column_stack([own, -own, negative - neutral, positive - neutral])
        weighed = vectors if transformer else vectors[:, :0]
        return cls(chosen, conversations.of_message[chosen], values, weighed, len(conversations.ids))

    @property
    def evidence(self) -> Floats:
        """The largest and the last feelings of each conversation, and the vectors of its first and last messages.

        Zeros for a conversation without messages; shape (conversations, 8 + 2 * dimensions).
        """
        spoken, first, many = np.unique(self.conversation, return_index=True, return_counts=True)
        if not len(spoken):
            return np.zeros((self.count, 2 * (self.values.shape[1] + self.vectors.shape[1])))
        last = first + many - 1
        largest = np.maximum.reduceat(self.values, first)
        pieces = np.hstack([largest, self.values[last], self.vectors[first], self.vectors[last]])
        evidence = np.zeros((self.count, pieces.shape[1]))
        evidence[spoken] = pieces
        return evidence

    @property
    def alone(self) -> Floats:
        """The evidence of conversations of one message each; shape (messages, 8 + 2 * dimensions)."""
        return np.hstack([self.values, self.values, self.vectors, self.vectors])


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
