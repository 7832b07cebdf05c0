"""The table of conversations that could not be processed; rows that could not be read are ``model.raw_tables``'s."""

from __future__ import annotations

from analytics_platform.model.clean_tables import CONVERSATION_ID
from analytics_platform.model.raw_tables import DATE_COLUMN
from analytics_platform.model.table import INTEGER, STRING, TIMESTAMP, Column, Table

PROCESSING_ERRORS = Table(
    name="processing_errors",
    grain="one row per conversation and table that failed for it; the conversation is left out of what follows",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        Column("table_name", STRING, "The table whose computation failed for this conversation alone."),
        Column("error", STRING, "Kind of error, place in the code, and its message without words of the conversation."),
        Column("attempts", INTEGER, "How often it was tried with the same inputs and code.", minimum=1),
        Column("last_tried_at", TIMESTAMP, "When it was tried last, UTC."),
    ),
    key=("conversation_id", "table_name"),
)
