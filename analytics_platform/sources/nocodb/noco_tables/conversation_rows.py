"""Validate rows of the conversation table: type their values, and find the rows that cannot be used.

`sources.row_rules.row_validation` validates messages; `mirror` joins messages and conversations.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from analytics_platform.model.tables.raw_tables import MAX_VALUE_CHARACTERS
from analytics_platform.sources.mapped_rows import Batch

ATTRIBUTES = ("user_id", "agent_id", "model", "channel", "language", "rating", "outcome", "variant")
"""Input columns that a conversation row may state for all of its messages; a message's own value takes precedence."""

_TEXTS = tuple(name for name in ATTRIBUTES if name != "rating")
_UNREADABLE = {
    **{name: f"length({name}) > $longest_value" for name in _TEXTS},
    "rating": "rating IS NOT NULL AND NOT usable_number(rating_number)",
}
_REPAIRS = ", ".join(
    f"CASE WHEN {condition} THEN {{'name': '{name}', 'value': left({name}, 100)}} END"
    for name, condition in _UNREADABLE.items()
)
_READABLE = ", ".join(f"CASE WHEN length({name}) <= $longest_value THEN {name} END AS {name}" for name in _TEXTS)

# The same limits as for a message's own values, because messages inherit these values. A value that cannot be read is
# null, and the others of its row are kept.
_JUDGE = f"""
WITH typed AS (
    SELECT *, stated_rating(rating) AS rating_number FROM batch
),
ruled AS (
    SELECT *,
        CASE
            WHEN problem IS NOT NULL THEN {{'reason': problem, 'detail': problem_detail}}
            WHEN conversation_id IS NULL
                THEN {{'reason': 'missing_conversation_id', 'detail': 'conversation_id is empty'}}
            WHEN length(conversation_id) > $longest_value THEN {{'reason': 'value_too_long',
                'detail': concat('longer than ', $longest_value, ' characters: conversation_id')}}
        END AS verdict,
        list_filter([{_REPAIRS}], lambda repair: repair IS NOT NULL) AS unreadable
    FROM typed
)
SELECT
    $first_position + source_row AS position, $file AS file, source_row,
    CASE WHEN length(conversation_id) <= $longest_value THEN conversation_id END AS conversation_id,
    {_READABLE}, CASE WHEN usable_number(rating_number) THEN rating_number END AS rating,
    verdict.reason AS reason, verdict.detail AS detail,
    CASE WHEN verdict IS NULL AND len(unreadable) > 0 THEN unreadable END AS repairs,
    line, CAST($names AS VARCHAR[]) AS names, cells
FROM ruled
"""  # noqa: S608  (column names of our own)


def validate_conversation_rows(
    connection: duckdb.DuckDBPyConnection, batch: Batch, *, file: int, first_position: int
) -> pa.Table:
    """Return typed rows of the conversation table; ``reason`` and ``detail`` are null for usable rows.

    Args:
        connection: Prepared by ``row_validation.prepare_judging``.
        batch: The rows after mapping.
        file: Number of the table within the source.
        first_position: Offset that converts a row's number to its position in the whole source.
    """
    connection.register("batch", batch.rows.append_column("cells", batch.cells()))
    parameters = {
        "file": file,
        "first_position": first_position,
        "names": batch.names,
        "longest_value": MAX_VALUE_CHARACTERS,
    }
    return connection.sql(_JUDGE, params=parameters).to_arrow_table()
