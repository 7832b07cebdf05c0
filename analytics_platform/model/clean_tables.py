"""Tables of the ``clean`` group: cleaned messages and conversations with their metrics."""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model.raw_tables import DATE_COLUMN, ROLES
from analytics_platform.model.table import BOOLEAN, INTEGER, NUMBER, STRING, TIMESTAMP, Column, Table

CONVERSATION_ID = Column("conversation_id", STRING, "The conversation.")
MESSAGE_ID = Column("message_id", STRING, "The message.")
USER_ID = Column("user_id", STRING, "The customer; null when the source does not say.", nullable=True)
AGENT_ID = Column("agent_id", STRING, "Who answers; null when unknown.", nullable=True)
MODEL = Column("model", STRING, "Name of the LLM behind the assistant; null for people.", nullable=True)
CHANNEL = Column("channel", STRING, "Where the conversation took place.", nullable=True)

STAYS_IN_THE_LAKE = frozenset({"pii_spans"})
"""Columns of ``MESSAGES`` that no other table takes over: whoever may read copies need not hold even sealed values."""

MESSAGES = Table(
    name="messages",
    grain="one row per message",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        MESSAGE_ID,
        Column("position", INTEGER, "Place within the conversation, from 0.", minimum=0),
        Column("role", STRING, "Who speaks.", allowed=ROLES),
        USER_ID,
        AGENT_ID,
        MODEL,
        CHANNEL,
        Column("sent_at", TIMESTAMP, "When it was said, UTC. Synthetic for the sample's tau-bench dialogues."),
        Column("text", STRING, "The cleaned text: no markup, control characters or code; may be empty."),
        Column(
            "code",
            pa.list_(pa.field("item", STRING, nullable=False)),
            "Code of the message: blocks, which are taken out of the text, then inline code, whose words stay in it.",
        ),
        Column(
            "pii",
            pa.list_(pa.field("item", STRING, nullable=False)),
            "Kinds of personal data found in the text, such as EMAIL, one entry per place; never the values.",
        ),
        Column(
            "pii_spans",
            pa.binary(),
            "Where personal data was found in text and code, its kind and the value that stood there, encrypted under "
            "ANALYTICS_PII_SPANS_KEY; null where nothing was found, and everywhere when no key is set.",
            nullable=True,
        ),
        Column("language", STRING, "ISO 639-1 code; und where unknown."),
        Column("character_count", INTEGER, "Characters of the cleaned text.", minimum=0),
        Column("word_count", INTEGER, "Words of the cleaned text.", minimum=0),
        Column("token_count", INTEGER, "Subword tokens of the cleaned text.", minimum=0),
        Column(
            "response_seconds",
            NUMBER,
            "For the first answer after the customer spoke: time since the first of the customer's messages "
            "that waited for it; null otherwise.",
            nullable=True,
            unit="s",
            minimum=0,
        ),
    ),
    key=("message_id",),
    order=("conversation_id", "position"),
)

CONVERSATIONS = Table(
    name="conversations",
    grain="one row per conversation",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        USER_ID,
        AGENT_ID,
        MODEL,
        CHANNEL,
        Column(
            "language",
            STRING,
            "What the source states, else the language of most of the customer's words; und where unknown.",
        ),
        Column("started_at", TIMESTAMP, "Time of the first message, UTC."),
        Column("ended_at", TIMESTAMP, "Time of the last message, UTC."),
        Column("duration_seconds", NUMBER, "From first to last message.", unit="s", minimum=0),
        Column("message_count", INTEGER, "Messages of any role.", minimum=1),
        Column("user_message_count", INTEGER, "Messages by the customer.", minimum=0),
        Column("agent_message_count", INTEGER, "Messages by agents or assistants.", minimum=0),
        Column("turn_count", INTEGER, "Runs of messages by the same side (customer or agent).", minimum=0),
        Column(
            "first_response_seconds",
            NUMBER,
            "From the customer's first message to the first answer; null when unanswered.",
            nullable=True,
            unit="s",
            minimum=0,
        ),
        Column(
            "response_seconds_p50",
            NUMBER,
            "Median response time; null when unanswered.",
            nullable=True,
            unit="s",
            minimum=0,
        ),
        Column(
            "response_seconds_p90", NUMBER, "90th percentile of response times.", nullable=True, unit="s", minimum=0
        ),
        Column(
            "agent_talk_ratio",
            NUMBER,
            "Share of words said by the agent's side; null when nobody said a word.",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column("token_count", INTEGER, "Subword tokens of all cleaned texts.", minimum=0),
        Column("rating", NUMBER, "Rating by the customer on the source's own scale.", nullable=True),
        Column("outcome", STRING, "Outcome that the source states.", nullable=True),
        Column(
            "resolved",
            BOOLEAN,
            "Whether the stated outcome is a success; null when none is stated, or one that is known as neither "
            "success nor failure.",
            nullable=True,
        ),
        Column(
            "quality_score",
            NUMBER,
            "0 to 1: how well the service went by answered turns, speed and balance; see docs/data-model.md.",
            minimum=0,
            maximum=1,
        ),
        Column("variant", STRING, "Arm of an A/B test; null outside tests.", nullable=True),
        Column("tokens", INTEGER, "LLM tokens that the source states.", nullable=True, minimum=0),
        Column("cost", NUMBER, "LLM cost that the source states.", nullable=True, unit="USD", minimum=0),
    ),
    key=("conversation_id",),
)
