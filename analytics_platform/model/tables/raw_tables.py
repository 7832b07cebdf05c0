"""Tables of the ``raw`` group: typed rows of the source, conversations, and rows that could not be used.

``INPUT_COLUMNS`` is the contract with every source, after field mapping.
"""

from __future__ import annotations

from analytics_platform.model.table import DATE, INTEGER, NUMBER, STRING, TIMESTAMP, Column, Table
from analytics_platform.model.word_sets.outcome_words import OUTCOME_RANGES

ROLES = frozenset({"user", "assistant", "agent", "system", "tool"})

DATE_COLUMN = Column("date", DATE, "Partition: UTC day on which the conversation started.")

MAX_TEXT_CHARACTERS = 500_000
"""Longest ``text`` and ``extra``, and longest stored content of a quarantined row, in characters.

A MongoDB document has at most 16 MiB. Cleaning may turn a character of 4 bytes into 12 (Unicode normalisation), and a
message's document contains inline code twice: 500,000 times 12 + 4 bytes is 8 MB, and the rest is reserve.
"""

MAX_VALUE_CHARACTERS = 512
"""Longest identifier, name or label of the input."""

MAX_NUMBER = 1_000_000_000_000
"""Largest rating, cost in USD and number of tokens of a row; a rating may be as low as its negative.

Sums of millions of such numbers fit an int64, and a float can be rounded to nine digits without overflow.
"""

TIME_SOURCES = ("message", "conversation", "day", "file")
"""Where the time of a message comes from, the most exact first."""

REQUIRED_INPUT = ("conversation_id", "role", "text", "timestamp")
"""Input columns that every source must provide."""

INPUT_COLUMNS: tuple[Column, ...] = (
    Column("conversation_id", STRING, "Identifier of the conversation, as the source gives it."),
    Column(
        "message_id",
        STRING,
        "Identifier of the message within its conversation, as the source gives it; derived from the row when the "
        "source gives none.",
    ),
    Column("user_id", STRING, "Identifier of the customer; null when the source names none.", nullable=True),
    Column(
        "agent_id",
        STRING,
        "Identifier of the person or assistant who answers; null when the source names none.",
        nullable=True,
    ),
    Column(
        "model",
        STRING,
        "Name of the LLM that answers as the assistant; null when the source names none.",
        nullable=True,
    ),
    Column(
        "channel",
        STRING,
        "Where the conversation takes place, such as a chat room; null when the source names none.",
        nullable=True,
    ),
    Column(
        "role",
        STRING,
        "Who speaks: user is the customer, agent and assistant answer, system and tool belong to neither side.",
        allowed=ROLES,
    ),
    Column(
        "text", STRING, "Text of the message, as the source gives it; may be empty when an assistant or a tool speaks."
    ),
    Column(
        "timestamp",
        TIMESTAMP,
        "Time at which the message was sent, UTC. Synthetic for the sample's tau-bench dialogues.",
    ),
    Column(
        "time_source",
        STRING,
        "What the timestamp is the time of: the message itself; its conversation, where the source states one time for "
        "several messages; the day, where the source states no time of the day; or the file, where it states no time.",
        allowed=frozenset(TIME_SOURCES),
    ),
    Column(
        "sequence",
        NUMBER,
        "Place of the message among messages of the same time, ascending; of a file that is written newest first, the "
        "negative row number; null when the source states none.",
        nullable=True,
    ),
    Column(
        "language",
        STRING,
        "Language code that the source states for the message; null when the source states none.",
        nullable=True,
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
        "Word with which the source says how the conversation ended, such as resolved; null when "
        "the source states none.",
        nullable=True,
    ),
    Column("variant", STRING, "Arm of an A/B test; null when the source states none.", nullable=True),
    Column(
        "tokens",
        INTEGER,
        "Number of LLM tokens that the source states for the message; null when the source states none.",
        nullable=True,
        minimum=0,
    ),
    Column(
        "input_tokens",
        INTEGER,
        "Number of LLM tokens that the model read for the message; null when the source states none.",
        nullable=True,
        minimum=0,
    ),
    Column(
        "output_tokens",
        INTEGER,
        "Number of LLM tokens that the model wrote for the message; null when the source states none.",
        nullable=True,
        minimum=0,
    ),
    Column(
        "cost",
        NUMBER,
        "LLM cost of the message, see cost_source; null when the source states neither a cost nor tokens with a price.",
        nullable=True,
        unit="USD",
        minimum=0,
    ),
)

RAW_MESSAGES = Table(
    name="raw_messages",
    grain="one row per message that the source holds and that could be used",
    columns=(
        DATE_COLUMN,
        *INPUT_COLUMNS,
        Column(
            "cost_source",
            STRING,
            "Where the cost comes from: stated by the source, or computed from model, input_tokens and output_tokens "
            "by ANALYTICS_PRICES; null without a cost.",
            allowed=frozenset({"stated", "computed"}),
            nullable=True,
        ),
        Column(
            "outcome_range",
            STRING,
            "Whether the outcomes of the whole source can be failures: both; or closings, where they only say that "
            "something was solved or closed; null without an outcome.",
            allowed=frozenset(OUTCOME_RANGES),
            nullable=True,
        ),
        Column(
            "extra",
            STRING,
            "All other columns of the source row, as a JSON object of texts with sorted keys, and values that could "
            "not be read, under unreadable.<input column>; null when there are none.",
            nullable=True,
        ),
        Column("source", STRING, "Name of the source: sample, files or nocodb."),
        Column(
            "source_file",
            STRING,
            "Name of the source's file or table that the row comes from; null when the source has neither.",
            nullable=True,
        ),
        Column(
            "source_row",
            INTEGER,
            "Number of the row within source_file, from 1; null when rows have no number.",
            nullable=True,
        ),
    ),
    key=("conversation_id", "message_id"),
    order=("conversation_id", "timestamp", "sequence", "source_file", "source_row", "message_id"),
)

RAW_CONVERSATIONS = Table(
    name="raw_conversations",
    grain="one row per conversation that the source holds",
    columns=(
        DATE_COLUMN,
        Column("conversation_id", STRING, "Identifier of the conversation, as the source gives it."),
        Column(
            "user_id",
            STRING,
            "Identifier of the customer: the first that a message of the customer names, or else any message; null "
            "when no message names one.",
            nullable=True,
        ),
        Column(
            "agent_id",
            STRING,
            "Identifier of the agent who sent the most messages, on a tie the first to speak; null when "
            "no message names one.",
            nullable=True,
        ),
        Column(
            "model",
            STRING,
            "Name of the LLM that sent most messages, on a tie the first to speak; null when no message names one.",
            nullable=True,
        ),
        Column(
            "channel",
            STRING,
            "Where the conversation took place: the first channel that a message names; null when no "
            "message names one.",
            nullable=True,
        ),
        Column(
            "language",
            STRING,
            "Language code: the first that a message states; null when no message states one.",
            nullable=True,
        ),
        Column("started_at", TIMESTAMP, "Time of the first message, UTC."),
        Column("ended_at", TIMESTAMP, "Time of the last message, UTC."),
        Column(
            "time_source",
            STRING,
            "The least exact time_source of the messages: message, conversation, day or file.",
            allowed=frozenset(TIME_SOURCES),
        ),
        Column("message_count", INTEGER, "Number of messages of any role.", minimum=1),
        Column(
            "rating",
            NUMBER,
            "Rating by the customer: the last that a message states; null when no message states one.",
            nullable=True,
        ),
        Column(
            "outcome",
            STRING,
            "Outcome: the last word that a message states; null when no message states one.",
            nullable=True,
        ),
        Column(
            "outcome_range",
            STRING,
            "Whether the outcomes of the whole source can be failures: both; or closings, where they only say that "
            "something was solved or closed; null without an outcome.",
            allowed=frozenset(OUTCOME_RANGES),
            nullable=True,
        ),
        Column(
            "variant",
            STRING,
            "Arm of an A/B test: the first that a message states; null when no message states one.",
            nullable=True,
        ),
        Column(
            "tokens",
            INTEGER,
            "Sum of the LLM tokens that the messages state; null when no message states any.",
            nullable=True,
            minimum=0,
        ),
        Column(
            "cost",
            NUMBER,
            "Sum of the LLM cost of the messages; null when no message has one.",
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

QUARANTINE_REASONS = frozenset(
    {
        "unreadable_row",
        "invalid_utf8",
        "missing_conversation_id",
        "missing_role",
        "unknown_role",
        "missing_text",
        "text_too_long",
        "value_too_long",
        "missing_timestamp",
        "bad_timestamp",
        "outside_partitions",
        "conflicting_duplicate",
    }
)

QUARANTINED_ROWS = Table(
    name="quarantined_rows",
    grain="one row per source row that could not be used",
    columns=(
        Column(
            "date",
            DATE,
            "Partition: UTC day on which the row's conversation started; unplaced_rows has the rows of no such day.",
        ),
        Column("quarantine_id", STRING, "Identifier of the row: a hash of its place and content."),
        Column("source", STRING, "Name of the source: sample, files or nocodb."),
        Column(
            "source_file",
            STRING,
            "Name of the source's file or table that the row comes from; null when the source has neither.",
            nullable=True,
        ),
        Column(
            "source_row",
            INTEGER,
            "Number of the row within source_file, from 1; null when rows have no number.",
            nullable=True,
        ),
        Column(
            "conversation_id",
            STRING,
            "Conversation that the row names; null when the row names none or could not be read.",
            nullable=True,
        ),
        Column("reason", STRING, "Why the row cannot be used.", allowed=QUARANTINE_REASONS),
        Column(
            "detail", STRING, "Field and value that make the row unusable, as a sentence for whoever mends the source."
        ),
        Column(
            "content",
            STRING,
            "The original row: a JSON object, or the line as it stood (undecodable bytes escaped). "
            f"Cut after {MAX_TEXT_CHARACTERS:,} characters; detail then says its full length and SHA-256.",
        ),
    ),
    key=("quarantine_id",),
    order=("source_file", "source_row", "quarantine_id"),
)

UNPLACED_ROWS = Table(
    name="unplaced_rows",
    grain="one row per source row that could not be used and whose conversation starts on no day that is kept",
    columns=tuple(column for column in QUARANTINED_ROWS.columns if column.name != "date"),
    key=QUARANTINED_ROWS.key,
    order=QUARANTINED_ROWS.order,
)
"""The rows that no day of ``quarantined_rows`` has; one partition holds all of them."""
