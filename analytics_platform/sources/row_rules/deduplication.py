"""SQL rules that need the whole source: ids and times of some rows, repeated rows, and the day of each conversation.

The rules read the relation ``validated`` of ``row_validation`` and the places of the rows in ``files``. They write
four tables: ``adjustments`` (ids and times that depend on other rows), ``repeats`` (rows that repeat other rows),
``starts`` (day of each conversation) and ``file_times`` (files whose times are none of single messages, or that are
written newest first).
``deduplicate_all`` fills the tables; ``deduplicate_changed`` updates the first three for changed conversations, and
``choose_file_times`` the last one. The view ``judged`` has the rows as adjusted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import duckdb
import pyarrow as pa

from analytics_platform.model.tables.raw_tables import MAX_TEXT_CHARACTERS
from analytics_platform.model.word_sets.outcome_words import CLOSING_WORDS, STATE_WORDS, SUCCESS_WORDS
from analytics_platform.sources.rows import CONTENT_ID

SETTLED_TABLES = """
CREATE TABLE IF NOT EXISTS adjustments (
    position BIGINT, conversation_id VARCHAR, message_id VARCHAR, timestamp TIMESTAMP
);
CREATE TABLE IF NOT EXISTS repeats (position BIGINT, first_position BIGINT);
CREATE TABLE IF NOT EXISTS starts (conversation_id VARCHAR, day DATE);
CREATE TABLE IF NOT EXISTS file_times (file INTEGER, time_source VARCHAR, is_newest_first BOOLEAN);
ALTER TABLE file_times ADD COLUMN IF NOT EXISTS is_newest_first BOOLEAN;
"""

LATEST_DAYS = 366
"""Days after the last partition up to which a message may belong to a conversation that started before."""

UNPLACED_DAY = dt.date.min
"""Day under which rows of conversations that start on no day of the window are staged; no partition has it."""

_VIEWS = """
-- The time of a wrong clock: before the first partition, or more than a year after the last one.
CREATE OR REPLACE TEMP MACRO is_stray(time) AS time < getvariable('first_day')
    OR time >= CAST(getvariable('last_day') AS DATE) + to_days(getvariable('late_days') + 1);

-- An outcome as ``transform.outcomes`` compares it with its words.
CREATE OR REPLACE TEMP MACRO outcome_form(given) AS
    trim(regexp_replace(regexp_replace(lower(given), '(\\s*\\.0+)+\\s*$', ''), '[-_\\s]+', ' ', 'g'));

CREATE OR REPLACE TEMP VIEW judged AS
SELECT validated.* REPLACE (
    coalesce(adjustments.conversation_id, validated.conversation_id) AS conversation_id,
    coalesce(adjustments.message_id, validated.message_id) AS message_id,
    coalesce(adjustments.timestamp, validated.timestamp) AS timestamp,
    CASE WHEN validated.time_source = 'message' THEN coalesce(file_times.time_source, 'message')
        ELSE validated.time_source END AS time_source
), coalesce(file_times.is_newest_first, false) AS is_newest_first
FROM validated LEFT JOIN adjustments ON adjustments.position = validated.position
LEFT JOIN file_times ON file_times.file = validated.file;

CREATE TEMP VIEW IF NOT EXISTS read_rows AS SELECT conversation_id FROM judged;

CREATE TEMP VIEW IF NOT EXISTS repaired_rows AS
SELECT position, repairs FROM judged ANTI JOIN repeats USING (position) WHERE repairs IS NOT NULL;

CREATE OR REPLACE TEMP VIEW conversation_days AS
SELECT conversation_id, day FROM starts
WHERE day BETWEEN getvariable('first_day') AND getvariable('last_day');
"""

_SESSIONS = """
gaps AS (
    SELECT position, conversation_id AS key, timestamp, coalesce(
        epoch(timestamp) - epoch(lag(timestamp) OVER in_time) > getvariable('session_seconds'), true) AS begins
    {of_sessions}
    WINDOW in_time AS (PARTITION BY conversation_id ORDER BY timestamp, position)
),
sessions AS (
    SELECT position, key, max(CASE WHEN begins THEN timestamp END) OVER (
        PARTITION BY key ORDER BY timestamp, position ROWS UNBOUNDED PRECEDING) AS began
    FROM gaps
),
grouped AS (
    SELECT position, left(sha256(concat(key, '/', epoch_us(began))), 32) AS conversation_id FROM sessions
)"""

# Equal rows of one file without an id are separate messages, numbered in the order of the file: later rows change no
# number. In another export of the same messages they have the same numbers, so they are repeated rows there.
# A local time that occurs twice is the first one, until the conversation's times have gone back.
# A session's conversation is named after its key and its first message's time, so that later messages change no name.
_ADJUSTMENTS = """
INSERT INTO adjustments
WITH several AS (
    SELECT file, conversation_id, message_id FROM validated WHERE is_derived AND {which}
    GROUP BY file, conversation_id, message_id HAVING count(*) > 1
),
numbered AS (
    SELECT position, message_id,
        row_number() OVER (PARTITION BY file, conversation_id, message_id ORDER BY position) AS occurrence
    FROM validated SEMI JOIN several USING (file, conversation_id, message_id)
    WHERE is_derived AND {which}
),
named AS (
    SELECT position, left(sha256(concat(message_id, '/', occurrence)), 32) AS message_id
    FROM numbered WHERE occurrence > 1
),
compared_times AS (
    SELECT position, conversation_id, timestamp, sequence, coalesce(timestamp < max(timestamp) OVER (
        PARTITION BY file, conversation_id, year(timestamp) ORDER BY sequence NULLS LAST, position
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS is_back, file
    FROM validated WHERE is_repeated_hour AND {which}
),
turned AS (
    SELECT position, timestamp + getvariable('clock_change') AS timestamp FROM compared_times
    QUALIFY bool_or(is_back) OVER (
        PARTITION BY file, conversation_id, year(timestamp) ORDER BY sequence NULLS LAST, position
        ROWS UNBOUNDED PRECEDING)
),
{sessions}
SELECT position, grouped.conversation_id, named.message_id, turned.timestamp
FROM named FULL JOIN turned USING (position) FULL JOIN grouped USING (position)
"""

# Of the rows of one message, the newest file's is kept, and within a file the first one. Files are numbered by age.
_REPEATS = """
INSERT INTO repeats
WITH firsts AS (
    SELECT conversation_id, message_id,
        arg_min(position, source_row - CAST(file AS BIGINT) * (1::BIGINT << 40)) AS first_position
    FROM judged
    WHERE reason IS NULL AND {which}
    GROUP BY conversation_id, message_id HAVING count(*) > 1
)
SELECT judged.position, firsts.first_position FROM judged JOIN firsts USING (conversation_id, message_id)
WHERE reason IS NULL AND judged.position <> firsts.first_position
"""

# A file whose conversations of both sides have one time each states the time of a conversation, such as that of a
# ticket; one whose times are all midnight states days. Where nearly all conversations begin in the file with
# their latest time and end with their earliest, it is written newest first. Not so a file of which a record is several
# rows: a question stands before its answer, also where the newest exchange is the first.
_FILE_TIMES = """
INSERT INTO file_times
SELECT file, CASE
    WHEN bool_and(is_midnight) AND sum(messages) > 1 THEN 'day'
    WHEN bool_and(first = last) FILTER (WHERE is_two_sided) THEN 'conversation' END,
    {learns_order} AND NOT list_contains($unfolded::INTEGER[], file) AND count(*) FILTER (
        upper_time > lower_time AND upper_time = latest AND lower_time = earliest
    ) > 10 * count(*) FILTER (upper_time < lower_time)
FROM (
    SELECT file, count(*) FILTER (is_own) AS messages,
        min(timestamp) FILTER (is_own) AS first, max(timestamp) FILTER (is_own) AS last,
        bool_or(is_own AND role = 'user') AND bool_or(is_own AND role IN ('agent', 'assistant')) AS is_two_sided,
        bool_and(epoch_us(timestamp) % 86_400_000_000 = 0) FILTER (is_own) AS is_midnight,
        arg_min(timestamp, position) AS upper_time, arg_max(timestamp, position) AS lower_time,
        min(timestamp) AS earliest, max(timestamp) AS latest
    FROM (
        SELECT *, NOT is_session AND time_source = 'message' AS is_own
        FROM {rows} WHERE reason IS NULL AND time_source IN ('message', 'day')
    )
    GROUP BY file, conversation_id
)
GROUP BY file
"""

_STARTS = """
INSERT INTO starts
SELECT conversation_id,
    CAST(coalesce(min(timestamp) FILTER (WHERE NOT is_stray(timestamp)), min(timestamp)) AS DATE)
FROM judged ANTI JOIN repeats USING (position)
WHERE reason IS NULL AND {which}
GROUP BY conversation_id
"""


def _adjustments(which: str) -> str:
    sessions = _SESSIONS.format(of_sessions=f"FROM validated WHERE is_session AND {which}")
    return _ADJUSTMENTS.format(which=which, sessions=sessions)


def use_window(db: duckdb.DuckDBPyConnection, name: str, first_day: dt.date, last_day: dt.date) -> None:
    """Set the source's name and the days on which conversations may start; call this before the other functions.

    Args:
        db: Contains ``validated``, ``files`` and ``SETTLED_TABLES``.
        name: Name of the source, stored with every row.
        first_day: First day.
        last_day: Last day, inclusive.
    """
    db.execute("SET VARIABLE source = $name", {"name": name})
    db.execute("SET VARIABLE longest_text = $most", {"most": MAX_TEXT_CHARACTERS})
    db.execute("SET VARIABLE late_days = $days", {"days": LATEST_DAYS})
    db.execute("SET VARIABLE first_day = $day", {"day": first_day})
    db.execute("SET VARIABLE last_day = $day", {"day": last_day})
    db.execute(_VIEWS)


def deduplicate_all(db: duckdb.DuckDBPyConnection, unfolded: Collection[int] = ()) -> None:
    """Fill the empty tables ``adjustments``, ``repeats``, ``starts`` and ``file_times`` from all rows.

    Args:
        db: Contains ``validated``, and the tables, which are empty.
        unfolded: As for ``choose_file_times``.
    """
    choose_file_times(db, unfolded=unfolded)
    db.execute(_adjustments("true"))
    db.execute(_REPEATS.format(which="true"))
    db.execute(_STARTS.format(which="true"))


_COMPARED = f"""
-- What a repeated row says otherwise than the row that is kept; nothing, when it is the very same, or when a newer file
-- has replaced it. A log of requests repeats messages without ids with the time and the usage of the later request.
INSERT INTO compared
SELECT
    again.position, again.conversation_id, again.message_id,
    files.label AS first_label, kept.source_row AS first_row,
    CASE WHEN again.file = kept.file THEN concat_ws(', ',
        CASE WHEN again.user_id IS DISTINCT FROM kept.user_id THEN 'user_id' END,
        CASE WHEN again.agent_id IS DISTINCT FROM kept.agent_id THEN 'agent_id' END,
        CASE WHEN again.channel IS DISTINCT FROM kept.channel THEN 'channel' END,
        CASE WHEN again.role IS DISTINCT FROM kept.role THEN 'role' END,
        CASE WHEN again.text IS DISTINCT FROM kept.text THEN 'text' END,
        CASE WHEN again.language IS DISTINCT FROM kept.language THEN 'language' END,
        CASE WHEN again.rating IS DISTINCT FROM kept.rating THEN 'rating' END,
        CASE WHEN again.outcome IS DISTINCT FROM kept.outcome THEN 'outcome' END,
        CASE WHEN again.variant IS DISTINCT FROM kept.variant THEN 'variant' END,
        CASE WHEN NOT starts_with(kept.message_id, '{CONTENT_ID}') THEN nullif(concat_ws(', ',
            CASE WHEN again.timestamp IS DISTINCT FROM kept.timestamp THEN 'timestamp' END,
            CASE WHEN again.sequence IS DISTINCT FROM kept.sequence THEN 'sequence' END,
            CASE WHEN again.model IS DISTINCT FROM kept.model THEN 'model' END,
            CASE WHEN again.tokens IS DISTINCT FROM kept.tokens THEN 'tokens' END,
            CASE WHEN again.input_tokens IS DISTINCT FROM kept.input_tokens THEN 'input_tokens' END,
            CASE WHEN again.output_tokens IS DISTINCT FROM kept.output_tokens THEN 'output_tokens' END,
            CASE WHEN again.cost IS DISTINCT FROM kept.cost THEN 'cost' END,
            CASE WHEN again.extra IS DISTINCT FROM kept.extra THEN 'extra' END
        ), '') END
    ) ELSE '' END AS differs
FROM repeats
JOIN judged AS kept ON kept.position = repeats.first_position
JOIN judged AS again ON again.position = repeats.position
JOIN files ON files.file = kept.file
"""  # noqa: S608  (a constant of our own)

_REFUSED = """
CREATE TEMP TABLE refused AS
SELECT position, reason, detail FROM judged WHERE reason IS NOT NULL
UNION ALL
SELECT position, 'conflicting_duplicate',
    format('message_id is ''{}'', read before in {} row {} with another {}',
        left(message_id, 100), first_label, first_row, differs)
FROM compared WHERE differs <> ''
UNION ALL
SELECT position, 'outside_partitions',
    CASE WHEN day BETWEEN getvariable('first_day') AND getvariable('last_day')
        THEN format('timestamp is ''{}'', outside the days kept '
            '(ANALYTICS_START_DATE, ANALYTICS_END_DATE)', timestamp)
        ELSE format('conversation_id ''{}'' starts on {}, outside the days kept '
            '(ANALYTICS_START_DATE, ANALYTICS_END_DATE)', left(conversation_id, 100), day) END
FROM judged ANTI JOIN repeats USING (position) JOIN starts USING (conversation_id)
WHERE reason IS NULL
    AND (day NOT BETWEEN getvariable('first_day') AND getvariable('last_day') OR is_stray(timestamp));
"""


def find_refusals(db: duckdb.DuckDBPyConnection) -> None:
    """Create ``compared`` (rows that repeat others) and ``refused`` (unusable rows, with reason and detail).

    Args:
        db: Contains the settled tables, which are not changed afterwards.
    """
    db.execute(
        "CREATE TEMP TABLE compared (position BIGINT, conversation_id VARCHAR, message_id VARCHAR, "
        "first_label VARCHAR, first_row BIGINT, differs VARCHAR)"
    )
    if db.execute("SELECT count(*) FROM repeats").fetchall() != [(0,)]:
        db.execute(_COMPARED)
    db.execute(_REFUSED)


_STATES_FAILURE = """
SELECT count(*) > 0
FROM (SELECT outcome_form(outcome) AS form FROM judged WHERE reason IS NULL AND outcome IS NOT NULL)
WHERE form <> '' AND NOT list_contains($states, form)
"""


def use_outcome_range(db: duckdb.DuckDBPyConnection) -> str:
    """Set and return which outcomes the source can state.

    ``closings`` where every outcome is a state of a ticket, such as open, solved or closed; ``both`` where any is a
    failure, or a word without a known meaning, which may be one.

    Args:
        db: Contains ``judged``.
    """
    states = {"states": sorted(SUCCESS_WORDS | CLOSING_WORDS | STATE_WORDS)}
    ((states_failure,),) = db.execute(_STATES_FAILURE, states).fetchall()
    found = "both" if states_failure else "closings"
    db.execute("SET VARIABLE outcome_range = $range", {"range": found})
    return found


def choose_file_times(
    db: duckdb.DuckDBPyConnection,
    rows: str = "validated",
    *,
    learns_order: bool = True,
    unfolded: Collection[int] = (),
) -> bool:
    """Fill ``file_times`` from all rows; returns whether the table has changed.

    Args:
        db: Contains ``file_times`` and the rows.
        rows: Name of a relation with the columns of ``validated`` that tell what times are the times of.
        learns_order: Whether rows may be written newest first. Of a table to which rows are added, a late row says
            nothing of the order.
        unfolded: Files of which a record became several rows, such as a question and its answer.
    """
    before = db.execute("FROM file_times ORDER BY file").fetchall()
    db.execute("DELETE FROM file_times")
    statement = _FILE_TIMES.format(rows=rows, learns_order=str(learns_order).lower())
    db.execute(statement, {"unfolded": sorted(unfolded)})
    return db.execute("FROM file_times ORDER BY file").fetchall() != before


def sessions_of(db: duckdb.DuckDBPyConnection, messages: pa.Table) -> pa.Table:
    """Return the conversations that ``deduplicate_all`` makes of the messages of sessions.

    Args:
        db: Prepared by ``row_validation.prepare_judging``.
        messages: ``position``, ``conversation_id`` (the key of the session) and ``timestamp``.

    Returns:
        ``position`` and ``conversation_id``.
    """
    db.register("messages_of_sessions", messages)
    cte = _SESSIONS.format(of_sessions="FROM messages_of_sessions")
    statement = f"WITH {cte} SELECT position, conversation_id FROM grouped"  # noqa: S608  (no value is in it)
    return db.sql(statement).to_arrow_table()


def name_changed_sessions(db: duckdb.DuckDBPyConnection) -> None:
    """Add to ``changed_conversations`` what changed sessions, and sessions of deleted rows, are called so far."""
    db.execute("""
        INSERT INTO changed_conversations
        SELECT adjustments.conversation_id FROM adjustments LEFT JOIN validated USING (position)
        WHERE adjustments.conversation_id IS NOT NULL AND (validated.position IS NULL
            OR validated.conversation_id IN (SELECT conversation_id FROM changed_conversations))
    """)


def deduplicate_changed(db: duckdb.DuckDBPyConnection) -> None:
    """Update the settled tables for the conversations in the caller's table ``changed_conversations``.

    The caller's table names conversations before and after the change. A message belongs to one conversation, so rows
    of other conversations neither repeat a changed row nor are repeated by one.
    """
    same_conversation = "conversation_id IN (SELECT conversation_id FROM changed_conversations)"
    db.execute(f"""
        DELETE FROM adjustments WHERE position NOT IN (SELECT position FROM validated WHERE reason IS NULL)
            OR position IN (SELECT position FROM validated WHERE {same_conversation});
        DELETE FROM repeats WHERE position NOT IN (SELECT position FROM validated WHERE reason IS NULL)
            OR position IN (SELECT position FROM validated WHERE {same_conversation});
    """)  # noqa: S608  (no value is in it)
    db.execute(_adjustments(same_conversation))
    name_changed_sessions(db)
    db.execute(f"DELETE FROM starts WHERE {same_conversation}")  # noqa: S608  (no value is in it)
    db.execute(_REPEATS.format(which=same_conversation))
    db.execute(_STARTS.format(which=same_conversation))


def use_other_day(db: duckdb.DuckDBPyConnection) -> dt.date:
    """Set and return ``UNPLACED_DAY``, under which rows of conversations without a day are written."""
    db.execute("SET VARIABLE other_day = CAST($day AS DATE)", {"day": UNPLACED_DAY})
    return UNPLACED_DAY
