"""Tables of the ``insights`` group: vectors, and what each message and conversation was about."""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model.clean import CONVERSATION_ID, MESSAGE_ID
from analytics_platform.model.raw import DATE_COLUMN
from analytics_platform.model.table import NUMBER, STRING, Column, Table

EMBEDDING_DIMENSIONS = 256

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
                pa.field("kind", STRING, nullable=False),  # topic | intent | sentiment
                pa.field("label", STRING, nullable=False),
                pa.field("message_id", STRING, nullable=False),
                pa.field("words", pa.list_(pa.field("item", STRING, nullable=False)), nullable=False),
                pa.field("weight", NUMBER, nullable=False),
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
        _confidence("confidence", "labels of this row taken together"),
        Column("reasons", REASONS_TYPE, "What decided each label: the message and its words."),
        _TIER,
        Column("taxonomy_version", STRING, "Hash of the taxonomy that the labels come from."),
    ),
    key=("conversation_id",),
)
