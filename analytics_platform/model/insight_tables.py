"""Tables of the ``insights`` group: vectors, and what each message and conversation was about."""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model.clean_tables import CONVERSATION_ID, MESSAGE_ID
from analytics_platform.model.raw_tables import DATE_COLUMN
from analytics_platform.model.table import NUMBER, STRING, Column, Table

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
                pa.field("rule", STRING),  # the taxonomy's rule that spoke for the label; null for other evidence
            ]
        ),
        nullable=False,
    )
)


def _confidence(name: str, of: str) -> Column:
    return Column(name, NUMBER, f"Confidence in the {of}, 0 to 1.", minimum=0, maximum=1)


_TOPICS = Column(
    "topics", TOPICS_TYPE, "Topics of the taxonomy with their confidence, most confident first; may be empty."
)
_TIER = Column("tier", STRING, "Which tier answered.", allowed=frozenset({"static", "cascade", "transformer", "llm"}))
_SENTIMENT = Column("sentiment", NUMBER, "From -1, very negative, to 1, very positive.", minimum=-1, maximum=1)
_INTENT = Column("intent", STRING, "What the speaker wants, a label of the taxonomy; other when none fits.")
_URGENCY = Column(
    "urgency", STRING, "How soon the customer needs an answer, as the words say.", allowed=frozenset(URGENCIES)
)
_RESOLUTION = Column(
    "resolution",
    STRING,
    "Whether what the customer came for was settled: what the source states where it states an outcome (then it agrees "
    "with resolved), else an estimate from the ending; unclear where the words do not tell.",
    allowed=frozenset(RESOLUTIONS),
)

_EMBEDDING = Column(
    "embedding",
    pa.list_(pa.field("item", pa.float16(), nullable=False), EMBEDDING_DIMENSIONS),
    "Unit-length vector; all zeros where no token is known.",
)
_ENCODER = Column("encoder", STRING, "Which encoder made the vector.")

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
    key=("message_id",),
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
    key=("message_id",),
    order=("conversation_id", "message_id"),
)

CONVERSATION_INSIGHTS = Table(
    name="conversation_insights",
    grain="one row per conversation",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        _TOPICS,
        Column("primary_topic", STRING, "The most confident topic; other when none fits."),
        _INTENT,
        _confidence("intent_confidence", "intent"),
        Column(
            "sentiment", NUMBER, "The customer's sentiment, the ending weighing most; -1 to 1.", minimum=-1, maximum=1
        ),
        _confidence("sentiment_confidence", "sentiment"),
        _URGENCY,
        _confidence("urgency_confidence", "urgency; not calibrated"),
        _RESOLUTION,
        _confidence("resolution_confidence", "resolution; 1 where the source states the outcome; not calibrated"),
        Column(
            "confidence",
            NUMBER,
            "Confidence in topic, intent and sentiment taken together, 0 to 1.",
            minimum=0,
            maximum=1,
        ),
        Column(
            "reasons",
            REASONS_TYPE,
            "What decided each label: the message, its words, and the taxonomy's rule where one fired for the label. "
            "A label that a rule forces has a confidence of at least 0.5: chosen for certain, not certainly right.",
        ),
        _TIER,
        Column("taxonomy_version", STRING, "Hash of the taxonomy that the labels come from."),
    ),
    key=("conversation_id",),
)
