"""Validate single rows: text in, typed columns and a reason for each unusable row out.

The rules are one SQL statement over a batch of mapped rows, so that they run vectorised and read as a list.
Rules that need the whole source (duplicates, days) are in ``deduplication``.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from analytics_platform.model.raw_tables import MAX_NUMBER, MAX_TEXT_CHARACTERS, MAX_VALUE_CHARACTERS
from analytics_platform.sources.mapping import Batch, FieldMapping

_SETUP = r"""
CREATE TEMP TABLE role_words (word VARCHAR PRIMARY KEY, role VARCHAR);
-- Null for a value that shows nothing: spaces of any script, control characters, invisible ones.
CREATE TEMP MACRO shown(given) AS CASE WHEN NOT regexp_full_match(given, '[\s\p{Z}\p{Cc}\p{Cf}]*') THEN given END;
-- False for what is not finite, and for what would make a sum or a rounded mean overflow.
CREATE TEMP MACRO usable_number(number) AS
    number BETWEEN -getvariable('largest_number') AND getvariable('largest_number');
CREATE TEMP MACRO epoch_time(seconds) AS
    TRY(make_timestamp(CAST(round(seconds * 1000000) AS BIGINT))) AT TIME ZONE 'UTC';
CREATE TEMP MACRO iso_time(given) AS
    CASE WHEN regexp_full_match(given,
            '\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}([.]\d+)?)? ?(UTC|[Zz]|[+-]\d{2}(:?\d{2})?)?)?')
         THEN TRY_CAST(regexp_replace(regexp_replace(
             upper(given), '([.]\d{6})\d+', '\1'), ' ([+-])', '\1') AS TIMESTAMPTZ) END;
-- A JSON object of the values that are there, in the order of the names.
CREATE TEMP MACRO json_object_of(names, cells) AS
    '{' || array_to_string(list_transform(
        list_filter(list_zip(names, cells), lambda pair: pair[2] IS NOT NULL),
        lambda pair: to_json(pair[1]) || ':' || to_json(pair[2])), ',') || '}';
"""

# How a timestamp is read, by the mapping's timestamp_format. A bare number of 12 digits and more is taken as
# milliseconds (from 1973 on), a shorter one as seconds (up to the year 5138). Each expression is written once:
# DuckDB would compute a repeated one for every row, needed or not.
_TIME_MACROS = {
    None: r"""CREATE TEMP MACRO given_time(given) AS coalesce(iso_time(trim(given)), epoch_time(
        TRY_CAST(given AS DOUBLE) / CASE WHEN regexp_matches(given, '^ *\d{12}') THEN 1000 ELSE 1 END))""",
    "epoch_seconds": "CREATE TEMP MACRO given_time(given) AS epoch_time(TRY_CAST(given AS DOUBLE))",
    "epoch_milliseconds": "CREATE TEMP MACRO given_time(given) AS epoch_time(TRY_CAST(given AS DOUBLE) / 1000)",
}
_STRPTIME_MACRO = """CREATE TEMP MACRO given_time(given) AS
    CAST(try_strptime(trim(given), getvariable('timestamp_format')) AS TIMESTAMPTZ)"""

# An assistant's turn that only calls a tool, and a tool that returns nothing, have an empty text, which is kept.
# For every other role, a text without visible characters is missing.
_JUDGE = """
WITH given AS (
    SELECT
        batch.* REPLACE (
            coalesce(
                shown(batch.text),
                CASE WHEN role_words.role IN ('assistant', 'tool') THEN coalesce(batch.text, '') END
            ) AS text,
            shown(batch.conversation_id) AS conversation_id,
            shown(batch.message_id) AS message_id,
            shown(batch.user_id) AS user_id,
            shown(batch.agent_id) AS agent_id,
            shown(batch.model) AS model,
            shown(batch.channel) AS channel,
            shown(batch.role) AS role,
            shown(batch.timestamp) AS timestamp,
            shown(batch.language) AS language,
            shown(batch.rating) AS rating,
            shown(batch.outcome) AS outcome,
            shown(batch.variant) AS variant,
            shown(batch.tokens) AS tokens,
            shown(batch.cost) AS cost
        ),
        role_words.role AS known_role
    FROM batch LEFT JOIN role_words ON role_words.word = lower(trim(batch.role))
),
typed AS (
    SELECT *,
        given_time(timestamp) AS time,
        TRY_CAST(rating AS DOUBLE) AS rating_number,
        TRY_CAST(tokens AS DOUBLE) AS tokens_number,
        TRY_CAST(cost AS DOUBLE) AS cost_number,
        nullif(json_object_of(CAST($extra_names AS VARCHAR[]), extra_cells), '{}') AS extra,
        concat_ws(', ',
            CASE WHEN length(conversation_id) > $longest_value THEN 'conversation_id' END,
            CASE WHEN length(message_id) > $longest_value THEN 'message_id' END,
            CASE WHEN length(user_id) > $longest_value THEN 'user_id' END,
            CASE WHEN length(agent_id) > $longest_value THEN 'agent_id' END,
            CASE WHEN length(model) > $longest_value THEN 'model' END,
            CASE WHEN length(channel) > $longest_value THEN 'channel' END,
            CASE WHEN length(language) > $longest_value THEN 'language' END,
            CASE WHEN length(outcome) > $longest_value THEN 'outcome' END,
            CASE WHEN length(variant) > $longest_value THEN 'variant' END
        ) AS too_long
    FROM given
),
ruled AS (
    SELECT *,
        CASE
            WHEN problem IS NOT NULL THEN {'reason': problem, 'detail': problem_detail}
            WHEN conversation_id IS NULL
                THEN {'reason': 'missing_conversation_id', 'detail': 'conversation_id is empty'}
            WHEN too_long <> '' THEN {'reason': 'value_too_long',
                'detail': concat('longer than ', $longest_value, ' characters: ', too_long)}
            WHEN role IS NULL THEN {'reason': 'missing_role', 'detail': 'role is empty'}
            WHEN known_role IS NULL
                THEN {'reason': 'unknown_role', 'detail': concat('role is ''', left(role, 100), '''')}
            WHEN text IS NULL THEN {'reason': 'missing_text', 'detail': 'text is empty'}
            WHEN length(text) > $longest_text THEN {'reason': 'text_too_long',
                'detail': concat('text has ', length(text), ' characters; the most is ', $longest_text)}
            WHEN length(extra) > $longest_text THEN {'reason': 'text_too_long',
                'detail': concat('the further columns have ', length(extra),
                    ' characters; the most is ', $longest_text)}
            WHEN timestamp IS NULL THEN {'reason': 'missing_timestamp', 'detail': 'timestamp is empty'}
            WHEN time IS NULL OR time < '1970-01-01 00:00:00Z' OR time >= '2100-01-01 00:00:00Z'
                THEN {'reason': 'bad_timestamp', 'detail': concat('timestamp is ''', left(timestamp, 100), '''')}
            WHEN rating IS NOT NULL AND NOT coalesce(usable_number(rating_number), false)
                THEN {'reason': 'bad_number', 'detail': concat('rating is ''', left(rating, 100), '''')}
            WHEN tokens IS NOT NULL AND NOT coalesce(
                    usable_number(tokens_number) AND tokens_number >= 0 AND tokens_number = trunc(tokens_number), false)
                THEN {'reason': 'bad_number', 'detail': concat('tokens is ''', left(tokens, 100), '''')}
            WHEN cost IS NOT NULL AND NOT coalesce(usable_number(cost_number) AND cost_number >= 0, false)
                THEN {'reason': 'bad_number', 'detail': concat('cost is ''', left(cost, 100), '''')}
        END AS verdict
    FROM typed
)
SELECT
    $first_position + source_row AS position, $file AS file, source_row,
    CASE WHEN length(conversation_id) <= $longest_value THEN conversation_id END AS conversation_id,
    CASE WHEN verdict IS NULL THEN coalesce(message_id, left(sha256(CAST(to_json([
        conversation_id, CAST(epoch_us(time) AS VARCHAR), known_role, text, user_id, agent_id
    ]) AS VARCHAR)), 32)) END AS message_id,
    user_id, agent_id, model, channel, known_role AS role, text,
    CASE WHEN verdict IS NULL THEN make_timestamp(epoch_us(time)) END AS timestamp,
    language, rating_number AS rating, outcome, variant,
    CASE WHEN verdict IS NULL THEN CAST(tokens_number AS BIGINT) END AS tokens,
    cost_number AS cost,
    extra,
    verdict.reason AS reason, verdict.detail AS detail,
    line, CAST($names AS VARCHAR[]) AS names, cells
FROM ruled
"""


def prepare_judging(connection: duckdb.DuckDBPyConnection, mapping: FieldMapping) -> None:
    """Create the macros and role words for the statements of ``judge`` and ``judge_attributes``.

    Args:
        connection: A database with its time zone set to UTC.
        mapping: Gives the role words and the timestamp format.
    """
    connection.execute("SET VARIABLE largest_number = $most", {"most": float(MAX_NUMBER)})
    connection.execute(_SETUP)
    connection.executemany("INSERT INTO role_words VALUES (?, ?)", sorted(mapping.role_words().items()))
    connection.execute("SET VARIABLE timestamp_format = $format", {"format": mapping.timestamp_format})
    connection.execute(_TIME_MACROS.get(mapping.timestamp_format, _STRPTIME_MACRO))


def judge(connection: duckdb.DuckDBPyConnection, batch: Batch, *, file: int, first_position: int) -> pa.Table:
    """Return the typed rows of a batch, one per input row; ``reason`` and ``detail`` are null for usable rows.

    Args:
        connection: Prepared by ``prepare_judging``.
        batch: Rows of one file after mapping.
        file: Number of the file within the source.
        first_position: Offset that converts a row's number to its position in the whole source.

    Returns:
        The input columns, ``extra`` as JSON, the place (``position``, ``file``, ``source_row``), the verdict
        (``reason``, ``detail``), and the original row: ``line``, or ``names`` and ``cells`` for ``json_object_of``.
    """
    connection.register("batch", batch.rows)
    parameters = {
        "file": file,
        "first_position": first_position,
        "names": batch.names,
        "extra_names": batch.extra_names,
        "longest_text": MAX_TEXT_CHARACTERS,
        "longest_value": MAX_VALUE_CHARACTERS,
    }
    return connection.sql(_JUDGE, params=parameters).to_arrow_table()
