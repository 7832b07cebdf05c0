"""The table of conversations that could not be processed.

``model.tables.raw_tables`` declares the table of source rows that could not be used.
"""

from __future__ import annotations

from analytics_platform.model.table import INTEGER, STRING, TIMESTAMP, Column, Table
from analytics_platform.model.tables.clean_tables import CONVERSATION_ID
from analytics_platform.model.tables.raw_tables import DATE_COLUMN

PROCESSING_ERRORS = Table(
    name="processing_errors",
    grain="one row per conversation and table that failed for it; the conversation is left out of what follows",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        Column("table_name", STRING, "Table whose computation failed for this conversation."),
        Column(
            "error",
            STRING,
            "Kind of error, place in the code, and message; quoted texts and words of the "
            "conversation are replaced by an ellipsis.",
        ),
        Column(
            "attempts",
            INTEGER,
            "Number of times that the conversation was computed with the same inputs and code.",
            minimum=1,
        ),
        Column("last_tried_at", TIMESTAMP, "Time of the last attempt, UTC."),
    ),
    key=("conversation_id", "table_name"),
)
