"""SQL of the mirror's tables and views.

The views join the rows of both tables to the relation ``validated`` that ``sources.row_rules.deduplication`` reads.
"""

from __future__ import annotations

from analytics_platform.sources.mapping import LEFT_OUT
from analytics_platform.sources.nocodb.noco_tables.conversation_rows import ATTRIBUTES
from analytics_platform.sources.row_rules.deduplication import SETTLED_TABLES

TABLES = (
    """
CREATE TABLE IF NOT EXISTS files (file INTEGER, label VARCHAR);
CREATE TABLE IF NOT EXISTS facts (name VARCHAR PRIMARY KEY, value VARCHAR);
CREATE TABLE IF NOT EXISTS row_stamps (position BIGINT, stamp VARCHAR);
CREATE TABLE IF NOT EXISTS row_links (
    position BIGINT, linked_table VARCHAR, linked_id VARCHAR, linked_stamp VARCHAR);
CREATE TABLE IF NOT EXISTS changed_conversations (conversation_id VARCHAR);
CREATE TABLE IF NOT EXISTS dirty_days (day DATE);
"""
    + SETTLED_TABLES
)

VIEWS = f"""
CREATE OR REPLACE TEMP VIEW ranked AS
SELECT *, reason IS NULL AND row_number() OVER (
    PARTITION BY conversation_id ORDER BY reason IS NOT NULL, position) = 1 AS usable
FROM conversation_rows;

CREATE OR REPLACE TEMP VIEW all_rows AS
SELECT message_rows.* EXCLUDE (row_hash)
    REPLACE ({", ".join(f"coalesce(message_rows.{name}, stated.{name}) AS {name}" for name in ATTRIBUTES)})
FROM message_rows LEFT JOIN ranked AS stated
    ON stated.conversation_id = message_rows.conversation_id AND stated.usable
UNION ALL BY NAME
SELECT
    position, file, source_row, conversation_id,
    coalesce(reason, 'conflicting_duplicate') AS reason,
    coalesce(detail, concat('conversation_id is that of another row before, ''', left(conversation_id, 100), ''''))
        AS detail,
    line, names, cells
FROM ranked WHERE NOT usable;

CREATE OR REPLACE TEMP VIEW originals AS SELECT position, names, cells FROM all_rows;

CREATE OR REPLACE TEMP VIEW validated AS
SELECT * EXCLUDE (names, cells) FROM all_rows WHERE reason IS DISTINCT FROM '{LEFT_OUT}';

CREATE OR REPLACE TEMP VIEW repaired_rows AS
SELECT position, repairs FROM message_rows
WHERE repairs IS NOT NULL AND position NOT IN (SELECT position FROM repeats)
UNION ALL
SELECT position, repairs FROM conversation_rows WHERE repairs IS NOT NULL;

"""  # noqa: S608  (column names of our own)

TOUCHED = """
INSERT INTO dirty_days
SELECT DISTINCT coalesce(day, CAST(getvariable('other_day') AS DATE))
FROM changed_conversations LEFT JOIN conversation_days USING (conversation_id)
"""
