"""Validate rows of the conversation table: type their values, and find the rows that cannot be used.

`sources.row_validation` validates messages; `mirror` joins messages and conversations.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from analytics_platform.model.raw_tables import MAX_VALUE_CHARACTERS
from analytics_platform.sources.mapping import Batch

ATTRIBUTES = ("user_id", "agent_id", "model", "channel", "language", "rating", "outcome", "variant")
"""Input columns that a conversation row may state for all of its messages; a message's own value takes precedence."""

_SHOWN = ", ".join(f"shown({name}) AS {name}" for name in ("conversation_id", *ATTRIBUTES))
_TEXTS = ("conversation_id", *(name for name in ATTRIBUTES if name != "rating"))
_TOO_LONG = ", ".join(f"CASE WHEN length({name}) > $longest_value THEN '{name}' END" for name in _TEXTS)

# The same limits as for a message's own values, because messages inherit these values.
_JUDGE = f"""
WITH given AS (
    SELECT * REPLACE ({_SHOWN}) FROM batch
),
typed AS (
    SELECT *, TRY_CAST(rating AS DOUBLE) AS rating_number, concat_ws(', ', {_TOO_LONG}) AS too_long FROM given
),
ruled AS (
    SELECT *,
        CASE
            WHEN problem IS NOT NULL THEN {{'reason': problem, 'detail': problem_detail}}
            WHEN conversation_id IS NULL
                THEN {{'reason': 'missing_conversation_id', 'detail': 'conversation_id is empty'}}
            WHEN too_long <> '' THEN {{'reason': 'value_too_long',
                'detail': concat('longer than ', $longest_value, ' characters: ', too_long)}}
            WHEN rating IS NOT NULL AND NOT coalesce(usable_number(rating_number), false)
                THEN {{'reason': 'bad_number', 'detail': concat('rating is ''', left(rating, 100), '''')}}
        END AS verdict
    FROM typed
)
SELECT
    $first_position + source_row AS position, $file AS file, source_row,
    CASE WHEN length(conversation_id) <= $longest_value THEN conversation_id END AS conversation_id,
    user_id, agent_id, model, channel, language, rating_number AS rating, outcome, variant,
    verdict.reason AS reason, verdict.detail AS detail,
    line, CAST($names AS VARCHAR[]) AS names, cells
FROM ruled
"""  # noqa: S608  (column names of our own)


def judge_attributes(
    connection: duckdb.DuckDBPyConnection, batch: Batch, *, file: int, first_position: int
) -> pa.Table:
    """Return typed rows of the conversation table; ``reason`` and ``detail`` are null for usable rows.

    Args:
        connection: Prepared by ``row_validation.prepare_judging``.
        batch: The rows after mapping.
        file: Number of the table within the source.
        first_position: Offset that converts a row's number to its position in the whole source.
    """
    connection.register("batch", batch.rows)
    parameters = {
        "file": file,
        "first_position": first_position,
        "names": batch.names,
        "longest_value": MAX_VALUE_CHARACTERS,
    }
    return connection.sql(_JUDGE, params=parameters).to_arrow_table()
