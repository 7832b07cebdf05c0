"""SQL rules that need the whole source: which rows repeat earlier rows, and the day of each conversation.

The rules read the relation ``judged`` of ``row_validation`` and the places of the rows in ``files``. They write two
tables: ``repeats`` (rows that repeat earlier rows) and ``starts`` (day of each conversation). ``settle_all`` fills both
tables; ``settle_changed`` updates them for changed conversations.
"""

from __future__ import annotations

import datetime as dt

import duckdb

from analytics_platform.model.raw_tables import MAX_TEXT_CHARACTERS

SETTLED_TABLES = """
CREATE TABLE IF NOT EXISTS repeats (position BIGINT, first_position BIGINT);
CREATE TABLE IF NOT EXISTS starts (conversation_id VARCHAR, day DATE);
"""

_VIEWS = """
CREATE OR REPLACE TEMP VIEW conversation_days AS
SELECT conversation_id, day FROM starts
WHERE day BETWEEN getvariable('first_day') AND getvariable('last_day');

-- What a repeated row says otherwise than the row that was read first; nothing, when it is the very same.
CREATE OR REPLACE TEMP VIEW compared AS
SELECT
    again.position, again.conversation_id, again.message_id,
    files.label AS first_label, kept.source_row AS first_row,
    concat_ws(', ',
        CASE WHEN again.user_id IS DISTINCT FROM kept.user_id THEN 'user_id' END,
        CASE WHEN again.agent_id IS DISTINCT FROM kept.agent_id THEN 'agent_id' END,
        CASE WHEN again.model IS DISTINCT FROM kept.model THEN 'model' END,
        CASE WHEN again.channel IS DISTINCT FROM kept.channel THEN 'channel' END,
        CASE WHEN again.role IS DISTINCT FROM kept.role THEN 'role' END,
        CASE WHEN again.text IS DISTINCT FROM kept.text THEN 'text' END,
        CASE WHEN again.timestamp IS DISTINCT FROM kept.timestamp THEN 'timestamp' END,
        CASE WHEN again.language IS DISTINCT FROM kept.language THEN 'language' END,
        CASE WHEN again.rating IS DISTINCT FROM kept.rating THEN 'rating' END,
        CASE WHEN again.outcome IS DISTINCT FROM kept.outcome THEN 'outcome' END,
        CASE WHEN again.variant IS DISTINCT FROM kept.variant THEN 'variant' END,
        CASE WHEN again.tokens IS DISTINCT FROM kept.tokens THEN 'tokens' END,
        CASE WHEN again.cost IS DISTINCT FROM kept.cost THEN 'cost' END,
        CASE WHEN again.extra IS DISTINCT FROM kept.extra THEN 'extra' END
    ) AS differs
FROM repeats
JOIN judged AS kept ON kept.position = repeats.first_position
JOIN judged AS again ON again.position = repeats.position
JOIN files ON files.file = kept.file;
"""

_REPEATS = """
INSERT INTO repeats
WITH firsts AS (
    SELECT conversation_id, message_id, min(position) AS first_position FROM judged
    WHERE reason IS NULL AND {which}
    GROUP BY conversation_id, message_id HAVING count(*) > 1
)
SELECT judged.position, firsts.first_position FROM judged JOIN firsts USING (conversation_id, message_id)
WHERE reason IS NULL AND judged.position > firsts.first_position
"""

_STARTS = """
INSERT INTO starts
SELECT conversation_id, CAST(min(timestamp) AS DATE) FROM judged ANTI JOIN repeats USING (position)
WHERE reason IS NULL AND {which}
GROUP BY conversation_id
"""


def use_window(db: duckdb.DuckDBPyConnection, name: str, first_day: dt.date, last_day: dt.date) -> None:
    """Set the source's name and the days on which conversations may start; call this before the other functions.

    Args:
        db: Contains ``judged``, ``files`` and ``SETTLED_TABLES``.
        name: Name of the source, stored with every row.
        first_day: First day.
        last_day: Last day, inclusive.
    """
    db.execute("SET VARIABLE source = $name", {"name": name})
    db.execute("SET VARIABLE longest_text = $most", {"most": MAX_TEXT_CHARACTERS})
    db.execute("SET VARIABLE first_day = $day", {"day": first_day})
    db.execute("SET VARIABLE last_day = $day", {"day": last_day})
    db.execute(_VIEWS)


def settle_all(db: duckdb.DuckDBPyConnection) -> None:
    """Fill the empty tables ``repeats`` and ``starts`` from all rows."""
    db.execute(_REPEATS.format(which="true"))
    db.execute(_STARTS.format(which="true"))


def settle_changed(db: duckdb.DuckDBPyConnection) -> None:
    """Update ``repeats`` and ``starts`` for the conversations in the caller's table ``changed_conversations``.

    The table names conversations before and after the change. A message belongs to one conversation, so rows of other
    conversations neither repeat a changed row nor are repeated by one.
    """
    same_conversation = "conversation_id IN (SELECT conversation_id FROM changed_conversations)"
    db.execute(f"""
        DELETE FROM repeats WHERE position NOT IN (SELECT position FROM judged WHERE reason IS NULL)
            OR position IN (SELECT position FROM judged WHERE {same_conversation});
        DELETE FROM starts WHERE {same_conversation};
    """)  # noqa: S608  (no value is in it)
    db.execute(_REPEATS.format(which=same_conversation))
    db.execute(_STARTS.format(which=same_conversation))


def use_other_day(db: duckdb.DuckDBPyConnection) -> dt.date:
    """Choose and return the day for rows of conversations without a day: the first day on which a conversation starts.

    If no conversation starts within the window, the day is the first day of the window.
    """
    db.execute("""
        SET VARIABLE other_day = (
            SELECT coalesce(min(day), CAST(getvariable('first_day') AS DATE)) FROM conversation_days
        )
    """)
    day: dt.date = db.execute("SELECT CAST(getvariable('other_day') AS DATE)").fetchall()[0][0]
    return day
