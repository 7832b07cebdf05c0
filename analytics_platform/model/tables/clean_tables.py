"""Tables of the ``clean`` group: cleaned messages and conversations with their metrics."""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model.table import BOOLEAN, INTEGER, NUMBER, STRING, TIMESTAMP, Column, Table
from analytics_platform.model.tables.raw_tables import DATE_COLUMN, ROLES, TIME_SOURCES

CONVERSATION_ID = Column("conversation_id", STRING, "Identifier of the conversation.")
MESSAGE_ID = Column("message_id", STRING, "Identifier of the message within its conversation.")
USER_ID = Column(
    "user_id",
    STRING,
    "Identifier of the customer, or a pseudonym when ANALYTICS_PSEUDONYM_KEY is set; null when the source names none.",
    nullable=True,
)
AGENT_ID = Column(
    "agent_id",
    STRING,
    "Identifier of the person or assistant who answers; null when the source names none.",
    nullable=True,
)
MODEL = Column(
    "model", STRING, "Name of the LLM that answers as the assistant; null when the source names none.", nullable=True
)
CHANNEL = Column(
    "channel",
    STRING,
    "Where the conversation takes place, such as a chat room; null when the source names none.",
    nullable=True,
)

STAYS_IN_THE_LAKE = frozenset({"pii_spans"})
"""Columns of ``MESSAGES`` that no other table copies, so that readers of the copies never hold personal data, even
encrypted.
"""

MESSAGES = Table(
    name="messages",
    grain="one row per message",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        MESSAGE_ID,
        Column("position", INTEGER, "Place of the message within its conversation, from 0.", minimum=0),
        Column(
            "role",
            STRING,
            "Who speaks: user is the customer, agent and assistant answer, system and tool belong to neither side.",
            allowed=ROLES,
        ),
        USER_ID,
        AGENT_ID,
        MODEL,
        CHANNEL,
        Column(
            "sent_at",
            TIMESTAMP,
            "Time at which the message was sent, UTC. Synthetic for the sample's tau-bench dialogues.",
        ),
        Column(
            "time_source",
            STRING,
            "What sent_at is the time of: the message itself; its conversation, where the source states one time for "
            "several messages; the day, where the source states no time of the day; or the file, where it states none.",
            allowed=frozenset(TIME_SOURCES),
        ),
        Column(
            "text",
            STRING,
            "Cleaned text: without markup, control characters, code blocks, quoted mails and signatures, personal data "
            "replaced by its kind; may be empty.",
        ),
        Column(
            "code",
            pa.list_(pa.field("item", STRING, nullable=False)),
            "Pieces of code in the message: first the blocks, which are taken out of the text, then "
            "inline code, whose words stay in the text; empty when there are none.",
        ),
        Column(
            "quoted_text",
            STRING,
            "Quoted mails and signatures, which are taken out of the text, personal data replaced by its kind; null "
            "when there are none.",
            nullable=True,
        ),
        Column(
            "pii",
            pa.list_(pa.field("item", STRING, nullable=False)),
            "Kinds of personal data found in the text, such as EMAIL, one entry for each place; never "
            "the values. Empty when nothing was found.",
        ),
        Column(
            "pii_spans",
            pa.binary(),
            "Place, kind and value of the personal data found in text and code, encrypted under "
            "ANALYTICS_PII_SPANS_KEY; null when nothing was found, and in every row when no key is "
            "set.",
            nullable=True,
        ),
        Column(
            "language",
            STRING,
            "ISO 639-1 code of the text's language: what the source states, else what the detector "
            "finds; und when unknown.",
        ),
        Column("character_count", INTEGER, "Number of characters of the cleaned text.", minimum=0),
        Column(
            "word_count", INTEGER, "Number of words of the cleaned text, without markers such as [image].", minimum=0
        ),
        Column(
            "token_count",
            INTEGER,
            "Number of subword tokens of the cleaned text, in the vocabulary of Llama 2, whichever model answered.",
            minimum=0,
        ),
        Column(
            "response_seconds",
            NUMBER,
            "Time that the customer waited for this message: set on the answer that ends a wait, from "
            "the customer's first message of that wait; null on all other messages, and where the source states no "
            "time for one of the two messages.",
            nullable=True,
            unit="s",
            minimum=0,
        ),
    ),
    key=("conversation_id", "message_id"),
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
            "ISO 639-1 code: what the source states, else the language of most of the customer's "
            "words; und when unknown.",
        ),
        Column("started_at", TIMESTAMP, "Time of the first message, UTC."),
        Column("ended_at", TIMESTAMP, "Time of the last message, UTC."),
        Column(
            "time_source",
            STRING,
            "The least exact time_source of the messages: message, conversation, day or file. Times between messages "
            "are known where it is message.",
            allowed=frozenset(TIME_SOURCES),
        ),
        Column(
            "duration_seconds",
            NUMBER,
            "Time from the first to the last message; 0 for a single message; null unless time_source is message.",
            nullable=True,
            unit="s",
            minimum=0,
        ),
        Column("message_count", INTEGER, "Number of messages of any role.", minimum=1),
        Column("user_message_count", INTEGER, "Number of messages by the customer.", minimum=0),
        Column("agent_message_count", INTEGER, "Number of messages by agents and assistants.", minimum=0),
        Column(
            "turn_count", INTEGER, "Number of turns: runs of messages by the same side, customer or agent.", minimum=0
        ),
        Column("answer_count", INTEGER, "Number of the customer's waits that an answer ended.", minimum=0),
        Column(
            "first_response_seconds",
            NUMBER,
            "Time from the customer's first message to the first answer; null when the conversation has no answer, or "
            "the source states no time for one of the two messages.",
            nullable=True,
            unit="s",
            minimum=0,
        ),
        Column(
            "response_seconds_p50",
            NUMBER,
            "Median of the response times of the conversation; null when it has none.",
            nullable=True,
            unit="s",
            minimum=0,
        ),
        Column(
            "response_seconds_p90",
            NUMBER,
            "90th percentile of the response times of the conversation; null when it has none.",
            nullable=True,
            unit="s",
            minimum=0,
        ),
        Column(
            "agent_talk_ratio",
            NUMBER,
            "Words by agents and assistants divided by words of both sides; null when neither side said a word.",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column(
            "token_count",
            INTEGER,
            "Number of subword tokens of all cleaned texts, in the vocabulary of Llama 2.",
            minimum=0,
        ),
        Column(
            "rating",
            NUMBER,
            "Rating by the customer, on the source's own scale; null when the source states none.",
            nullable=True,
        ),
        Column(
            "outcome",
            STRING,
            "Word with which the source says how the conversation ended; null when the source states none.",
            nullable=True,
        ),
        Column(
            "resolved",
            BOOLEAN,
            "Whether the stated outcome is a success (true) or a failure (false); null when the "
            "source states none, a word that means neither, or no failure anywhere: closed is no success.",
            nullable=True,
        ),
        Column(
            "closed",
            BOOLEAN,
            "Whether the source says that the conversation is over, such as solved or closed, without a way to say "
            "that it failed; null when it states no outcome.",
            nullable=True,
        ),
        Column(
            "quality_score",
            NUMBER,
            "How well the service went, by share of answered waits, speed and balance; "
            "docs/data-model.md has the formula. Without times of messages, speed is left out; other parts that cannot "
            "be measured count 0.",
            minimum=0,
            maximum=1,
        ),
        Column("variant", STRING, "Arm of an A/B test; null when the source states none.", nullable=True),
        Column(
            "tokens",
            INTEGER,
            "Number of LLM tokens that the source states for the conversation; null when the source states none.",
            nullable=True,
            minimum=0,
        ),
        Column(
            "cost",
            NUMBER,
            "LLM cost of the conversation, as stated or computed from tokens; null when there is none.",
            nullable=True,
            unit="USD",
            minimum=0,
        ),
        Column(
            "cost_source",
            STRING,
            "Where the cost comes from: stated by the source, computed from model and tokens by ANALYTICS_PRICES, or "
            "mixed; null without a cost.",
            allowed=frozenset({"stated", "computed", "mixed"}),
            nullable=True,
        ),
    ),
    key=("conversation_id",),
)
