"""Tables of the ``raw`` group: rows as the source gave them, typed, and the rows that could not be used.

``INPUT_COLUMNS`` is the contract with every source (after field mapping).
"""

from __future__ import annotations

from analytics_platform.model.table import DATE, INTEGER, NUMBER, STRING, TIMESTAMP, Column, Table

ROLES = frozenset({"user", "assistant", "agent", "system", "tool"})

DATE_COLUMN = Column("date", DATE, "UTC day on which the conversation started; the partition.")

MAX_TEXT_CHARACTERS = 500_000
"""Longest text, longest ``extra``, and what is kept of a quarantined row's content.

A MongoDB document has at most 16 MiB. Cleaning may write a character of 4 bytes as 12 (Unicode's normal form), and
inline code stands in a message's document once more: 500,000 times 12 + 4 bytes is 8 MB, and the other half is room.
"""

MAX_VALUE_CHARACTERS = 512
"""Longest identifier, name or label of the input."""

MAX_NUMBER = 1_000_000_000_000
"""Largest rating, cost in USD and number of tokens of a row, and smallest rating with a minus sign.

Sums of millions of such numbers fit an int64, and a float can be rounded to nine digits without overflowing.
"""

REQUIRED_INPUT = ("conversation_id", "role", "text", "timestamp")
"""Input columns that every source must provide."""

INPUT_COLUMNS: tuple[Column, ...] = (
    Column("conversation_id", STRING, "Identifier of the conversation at the source."),
    Column("message_id", STRING, "Identifier of the message; derived from the row's content when the source has none."),
    Column(
        "user_id", STRING, "The customer the conversation is with; null when the source does not say.", nullable=True
    ),
    Column("agent_id", STRING, "Who answers: a support person or an assistant; null when unknown.", nullable=True),
    Column("model", STRING, "Name of the LLM behind the assistant; null for people.", nullable=True),
    Column("channel", STRING, "Where the conversation took place; null when unknown.", nullable=True),
    Column("role", STRING, "Who speaks.", allowed=ROLES),
    Column("text", STRING, "What was said, as the source gave it."),
    Column("timestamp", TIMESTAMP, "When it was said, UTC. Synthetic for the sample's tau-bench dialogues."),
    Column("language", STRING, "Language code that the source states; null when it states none.", nullable=True),
    Column("rating", NUMBER, "Rating by the customer on the source's own scale; null when not rated.", nullable=True),
    Column("outcome", STRING, "Outcome that the source states, e.g. resolved; null when none.", nullable=True),
    Column("variant", STRING, "Arm of an A/B test; null outside tests.", nullable=True),
    Column("tokens", INTEGER, "LLM tokens that the source states; null when none.", nullable=True, minimum=0),
    Column("cost", NUMBER, "LLM cost that the source states; null when none.", nullable=True, unit="USD", minimum=0),
)

RAW_MESSAGES = Table(
    name="raw_messages",
    grain="one row per message that the source holds and that could be used",
    columns=(
        DATE_COLUMN,
        *INPUT_COLUMNS,
        Column(
            "extra", STRING, "Further columns of the source as a JSON object; null when there are none.", nullable=True
        ),
        Column("source", STRING, "Which source the row came from."),
        Column("source_file", STRING, "File or table at the source.", nullable=True),
        Column("source_row", INTEGER, "Row number within the file, from 1; null where rows have none.", nullable=True),
    ),
    key=("message_id",),
    order=("conversation_id", "timestamp", "source_file", "source_row", "message_id"),
)

RAW_CONVERSATIONS = Table(
    name="raw_conversations",
    grain="one row per conversation that the source holds",
    columns=(
        DATE_COLUMN,
        Column("conversation_id", STRING, "Identifier of the conversation at the source."),
        Column("user_id", STRING, "The customer; the first stated by its messages.", nullable=True),
        Column("agent_id", STRING, "The agent with the most messages; ties go to the first to speak.", nullable=True),
        Column("model", STRING, "The LLM with the most messages; null for people.", nullable=True),
        Column("channel", STRING, "Where it took place; the first stated.", nullable=True),
        Column("language", STRING, "Language that the source states; the first stated.", nullable=True),
        Column("started_at", TIMESTAMP, "Time of the first message, UTC."),
        Column("ended_at", TIMESTAMP, "Time of the last message, UTC."),
        Column("message_count", INTEGER, "Messages of any role.", minimum=1),
        Column("rating", NUMBER, "The last rating stated.", nullable=True),
        Column("outcome", STRING, "The last outcome stated.", nullable=True),
        Column("variant", STRING, "The first A/B arm stated.", nullable=True),
        Column("tokens", INTEGER, "Sum of the tokens stated; null when none.", nullable=True, minimum=0),
        Column("cost", NUMBER, "Sum of the cost stated; null when none.", nullable=True, unit="USD", minimum=0),
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
        "bad_number",
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
            "The partition: UTC day on which the row's conversation started; where that is unknown, the first day that "
            "has any rows, whatever the row's own time.",
        ),
        Column("quarantine_id", STRING, "Hash of place and content."),
        Column("source", STRING, "Which source the row came from."),
        Column("source_file", STRING, "File or table at the source.", nullable=True),
        Column("source_row", INTEGER, "Row number within the file, from 1; null where rows have none.", nullable=True),
        Column("conversation_id", STRING, "The conversation it names, when that could be read.", nullable=True),
        Column("reason", STRING, "Why it could not be used.", allowed=QUARANTINE_REASONS),
        Column("detail", STRING, "The offending field and value, for a person to act on."),
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
