"""Tables of the ``insights`` group: vectors, topics, intents, sentiments and other labels."""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model.table import NUMBER, STRING, Column, Table
from analytics_platform.model.tables.clean_tables import CONVERSATION_ID, MESSAGE_ID
from analytics_platform.model.tables.raw_tables import DATE_COLUMN

EMBEDDING_DIMENSIONS = 256

URGENCIES = ("low", "normal", "high", "critical")
RESOLUTIONS = ("resolved", "partly_resolved", "unresolved", "unclear")

TOPICS_TYPE = pa.list_(
    pa.field(
        "item",
        pa.struct([pa.field("label", STRING, nullable=False), pa.field("confidence", NUMBER, nullable=False)]),
        nullable=False,
    )
)
REASONS_TYPE = pa.list_(
    pa.field(
        "item",
        pa.struct(
            [
                pa.field("kind", STRING, nullable=False),  # topic | intent | sentiment | urgency | resolution
                pa.field("label", STRING, nullable=False),
                pa.field("message_id", STRING, nullable=False),
                pa.field("words", pa.list_(pa.field("item", STRING, nullable=False)), nullable=False),
                pa.field("weight", NUMBER, nullable=False),
                pa.field("rule", STRING),  # rule that supports the label; null for other evidence
            ]
        ),
        nullable=False,
    )
)


def _confidence(name: str, of: str, note: str = "") -> Column:
    return Column(name, NUMBER, f"Estimated probability that the {of} is right{note}.", minimum=0, maximum=1)


_TOPICS = Column(
    "topics",
    TOPICS_TYPE,
    "Labels of the taxonomy, each with its confidence from 0 to 1, most confident first; at "
    "most three, and empty when no topic fits.",
)
_TIER = Column(
    "tier",
    STRING,
    "Tier of the insight engine that gave the labels.",
    allowed=frozenset({"static", "cascade", "transformer", "llm"}),
)
_SENTIMENT = Column(
    "sentiment",
    NUMBER,
    "Sentiment of the message, from -1, very negative, over 0, neutral, to 1, very positive.",
    minimum=-1,
    maximum=1,
)
_INTENT = Column("intent", STRING, "What the speaker wants: a label of the taxonomy; other when none fits.")
_URGENCY = Column(
    "urgency",
    STRING,
    "How soon the customer needs an answer, judged by the customer's words.",
    allowed=frozenset(URGENCIES),
)
_RESOLUTION = Column(
    "resolution",
    STRING,
    "Whether the customer's concern was settled: as a person corrected it, else as the source "
    "states it, else an estimate from the ending, which is unclear when the words do not tell.",
    allowed=frozenset(RESOLUTIONS),
)

_EMBEDDING = Column(
    "embedding",
    pa.list_(pa.field("item", pa.float16(), nullable=False), EMBEDDING_DIMENSIONS),
    "Vector of the meaning of the text, of length 1; all zeros when the encoder knows no token of the text.",
)
_ENCODER = Column(
    "encoder",
    STRING,
    "Name and version of the encoder that made the vector; vectors of different encoders cannot be compared.",
)

MESSAGE_EMBEDDINGS = Table(
    name="message_embeddings",
    grain="one row per message that has text and is said by a person or an assistant",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        MESSAGE_ID,
        _EMBEDDING,
        _ENCODER,
    ),
    key=("conversation_id", "message_id"),
    order=("conversation_id", "message_id"),
)

CONVERSATION_EMBEDDINGS = Table(
    name="conversation_embeddings",
    grain="one row per conversation in which a message has an embedding",
    columns=(DATE_COLUMN, CONVERSATION_ID, _EMBEDDING, _ENCODER),
    key=("conversation_id",),
)

MESSAGE_INSIGHTS = Table(
    name="message_insights",
    grain="one row per message that has an embedding",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        MESSAGE_ID,
        _SENTIMENT,
        _confidence("sentiment_confidence", "sentiment"),
        _INTENT,
        _confidence("intent_confidence", "intent"),
        _TOPICS,
        _TIER,
    ),
    key=("conversation_id", "message_id"),
    order=("conversation_id", "message_id"),
)

CONVERSATION_INSIGHTS = Table(
    name="conversation_insights",
    grain="one row per conversation",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        _TOPICS,
        Column("primary_topic", STRING, "Topic with the highest confidence; other when no topic fits."),
        Column("intent", STRING, "What the customer wants: a label of the taxonomy; other when none fits."),
        _confidence("intent_confidence", "intent"),
        Column(
            "sentiment",
            NUMBER,
            "Sentiment of the customer, from -1, very negative, over 0, neutral, to 1, very positive; "
            "the ending of the conversation weighs most. 0 when the customer wrote no text.",
            minimum=-1,
            maximum=1,
        ),
        _confidence("sentiment_confidence", "sentiment"),
        Column(
            "sentiment_change",
            NUMBER,
            "Sentiment of the customer's last message minus that of the first one, as message_insights has them: "
            "above 0, the customer ends happier; null when the customer wrote fewer than two messages with text.",
            nullable=True,
            minimum=-2,
            maximum=2,
        ),
        _URGENCY,
        _confidence("urgency_confidence", "urgency", "; calibrated on labelled conversations"),
        _RESOLUTION,
        _confidence(
            "resolution_confidence",
            "resolution",
            "; 1 when the source or a person states the outcome, otherwise calibrated on labelled conversations",
        ),
        Column(
            "confidence",
            NUMBER,
            "Geometric mean of the confidence in topic, intent and sentiment; 0 when there is no text.",
            minimum=0,
            maximum=1,
        ),
        Column(
            "reasons",
            REASONS_TYPE,
            "Evidence for each label: the message; its words without function words, or the phrase that "
            "decided; the weight; and the rule, of the taxonomy or of urgency and resolution, that spoke "
            "for the label. The weight is in log-odds, and a confidence in reasons of the LLM. A label "
            "that a rule of the taxonomy forces has a confidence of at least 0.5, though "
            "it is not certainly right. The rule `corrected by a person` marks a label that a person gave, whose "
            "confidence is 1.",
        ),
        _TIER,
        Column("taxonomy_version", STRING, "Hash of the taxonomy that the labels come from."),
    ),
    key=("conversation_id",),
)
