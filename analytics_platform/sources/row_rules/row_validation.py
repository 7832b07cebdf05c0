"""Validate single rows: text in, typed columns and a reason for each unusable row out.

The rules are one SQL statement over a batch of mapped rows, so that they run vectorised and read as a list.
Rules that need the whole source (duplicates, days) are in ``deduplication``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.tables.raw_tables import (
    MAX_NUMBER,
    MAX_TEXT_CHARACTERS,
    MAX_VALUE_CHARACTERS,
    TIME_SOURCES,
)
from analytics_platform.sources.mapped_rows import Batch, row_lists
from analytics_platform.sources.mapping import INPUT_NAMES, SESSION_KEYS, FieldMapping
from analytics_platform.sources.row_rules.plain_rows import (
    COUNTS,
    LANGUAGE_WORDS,
    LARGEST_SEQUENCE,
    OPTIONAL_TEXTS,
    REPAIRS,
    PlainRows,
    validate_plain_rows,
)
from analytics_platform.sources.row_rules.rating_words import rating_words_sql
from analytics_platform.sources.row_rules.time_forms import clock_change_minutes, time_macros, time_of

UNREADABLE, STATED = "unreadable.", "stated."
"""Prefixes of keys of ``extra``: ``unreadable.rating`` has a rating that is no number, as the source wrote it, and
``stated.rating`` one in words, which became a number."""

JUDGED = pa.schema(
    [
        ("position", pa.int64()),
        ("file", pa.int32()),
        ("source_row", pa.int64()),
        ("conversation_id", pa.string()),
        ("is_session", pa.bool_()),
        ("message_id", pa.string()),
        ("is_derived", pa.bool_()),
        *((name, pa.string()) for name in ("user_id", "agent_id", "model", "channel", "role", "text")),
        ("timestamp", pa.timestamp("us")),
        ("time_source", pa.string()),
        ("sequence", pa.float64()),
        ("language", pa.string()),
        ("rating", pa.float64()),
        ("outcome", pa.string()),
        ("variant", pa.string()),
        *((name, pa.int64()) for name in COUNTS),
        ("cost", pa.float64()),
        *((name, pa.string()) for name in ("cost_source", "extra", "reason", "detail")),
        ("repairs", REPAIRS),
        ("is_repeated_hour", pa.bool_()),
        ("is_skipped_hour", pa.bool_()),
        ("line", pa.string()),
    ]
)
"""Columns of judged rows, in this order."""
_EXTRA_KEPT = 1_000
"""Characters that are kept of further columns that are too long to store."""

_TABLES = """
CREATE TEMP TABLE languages (word VARCHAR PRIMARY KEY);
CREATE TEMP TABLE role_words (word VARCHAR PRIMARY KEY, role VARCHAR);
-- US dollars per million tokens.
CREATE TEMP TABLE prices (model VARCHAR PRIMARY KEY, input DOUBLE, output DOUBLE);
"""
_SETUP = r"""
-- Null for a text that shows nothing: spaces of any script, control characters, invisible ones.
CREATE TEMP MACRO shown(given) AS CASE WHEN NOT regexp_full_match(given, '[\s\p{Z}\p{Cc}\p{Cf}]*') THEN given END;
-- False for what is not finite, and for what would make a sum or a rounded mean overflow.
CREATE TEMP MACRO usable_number(number) AS
    coalesce(number BETWEEN -getvariable('largest_number') AND getvariable('largest_number'), false);
-- A comma is a decimal sign unless three digits follow a number other than 0: 1,234 may be a thousand and more.
CREATE TEMP MACRO stated_number(given) AS coalesce(TRY_CAST(given AS DOUBLE), TRY_CAST(
    CASE WHEN regexp_full_match(given, '[+-]?(\d+,(\d{1,2}|\d{4,})|0,\d+)') THEN replace(given, ',', '.') END
    AS DOUBLE));
-- Of 4/5, the 4: the scale is the source's own.
CREATE TEMP MACRO stated_rating(given) AS coalesce(stated_number(given), stated_number(
    CASE WHEN regexp_full_match(given, '[\d.,]+ ?/ ?\d+') THEN trim(split_part(given, '/', 1)) END),
    worded_rating(given));
-- On a scale from 1 to 5: help desks that let customers choose between good and bad have its two ends.
CREATE TEMP MACRO rating_words() AS MAP {/* words of ratings */};
CREATE TEMP MACRO worded_rating(given) AS CASE WHEN regexp_full_match(given, '[★⭐][★⭐☆\x{FE0F}]*')
    THEN CAST(length(regexp_replace(given, '[☆\x{FE0F}]', '', 'g')) AS DOUBLE)
    WHEN NOT regexp_matches(given, '\d') THEN CAST(rating_words()[
        regexp_replace(lower(given), '\x{FE0F}|[ _](with|without)[ _]comment$', '', 'g')] AS DOUBLE) END;
CREATE TEMP MACRO stated_cost(given) AS coalesce(stated_number(given), stated_number(
    CASE WHEN contains(given, '$') OR contains(given, 'USD') THEN regexp_replace(given, '^\$ ?| ?(\$|USD)$', '') END));
-- Tokens are whole, so a comma between groups of three digits separates thousands. Null for what is no such number.
CREATE TEMP MACRO stated_count(given) AS coalesce(stated_number(given), TRY_CAST(
    CASE WHEN regexp_full_match(given, '\d{1,3}(,\d{3})+') THEN replace(given, ',', '') END AS DOUBLE));
CREATE TEMP MACRO usable_count(number) AS usable_number(number) AND number >= 0 AND number = trunc(number);
CREATE TEMP MACRO json_object_of_pairs(pairs) AS
    '{' || array_to_string(list_transform(
        list_filter(pairs, lambda pair: pair[2] IS NOT NULL),
        lambda pair: to_json(pair[1]) || ':' || to_json(pair[2])), ',') || '}';
-- The id of a message to which its source gives none.
CREATE TEMP MACRO derived_id(conversation, micros, known_role, said, customer, agent) AS left(sha256(
    CAST(to_json([conversation, CAST(micros AS VARCHAR), known_role, said, customer, agent]) AS VARCHAR)), 32);
-- A JSON object of the values that are there, in the order of the names.
CREATE TEMP MACRO json_object_of(names, cells) AS json_object_of_pairs(list_zip(names, cells));
"""

# Name, unreadable condition: an optional value of which the condition is true becomes null, and is kept in extra.
_UNREADABLE = {
    **{name: f"length({name}) > $longest_value" for name in OPTIONAL_TEXTS},
    "language": "language IS NOT NULL AND NOT is_language",
    "sequence": f"sequence IS NOT NULL AND NOT coalesce(abs(sequence_number) <= {LARGEST_SEQUENCE}, false)",
    "rating": "rating IS NOT NULL AND NOT usable_number(rating_number)",
    **{name: f"{name} IS NOT NULL AND NOT usable_count({name}_number)" for name in COUNTS},
    "cost": "cost IS NOT NULL AND NOT (usable_number(cost_number) AND cost_number >= 0)",
}
_ANY_UNREADABLE = " OR ".join(f"coalesce({condition}, false)" for condition in _UNREADABLE.values())
_UNREADABLE_PAIRS = ", ".join(
    f"CASE WHEN {condition} THEN ('{UNREADABLE}{name}', {name}) END" for name, condition in _UNREADABLE.items()
)
_TEXTS = ", ".join(
    f"CASE WHEN {'is_language' if name == 'language' else f'length({name}) <= $longest_value'} "
    f"THEN {name} END AS {name}"
    for name in OPTIONAL_TEXTS
)
_COUNT_NUMBERS = ", ".join(f"stated_count({name}) AS {name}_number" for name in COUNTS)
_WHOLE_COUNTS = ", ".join(
    f"CASE WHEN usable_count({name}_number) THEN CAST({name}_number AS BIGINT) END AS {name}" for name in COUNTS
)

_RATING_WORDS = "/* words of ratings */"
_NULL_COLUMNS, _TIME, _PLAIN_EXTRA = "/* null columns */", "/* time */", "/* extra */"
"""Places in the statement that depend on the batch."""
_INSTANT = "{'at': instant, 'repeated': false, 'skipped': false}"
_MOST_CONCATENATED = 40
"""Most further columns of which the statement names each; DuckDB takes lists of any length, and more time."""

# An assistant's turn that only calls a tool, and a tool that returns nothing, have an empty text, which is kept.
# For every other role, a text without visible characters is missing.
_JUDGE = f"""
WITH batch AS (SELECT * {_NULL_COLUMNS} FROM registered_rows),
given AS (
    SELECT
        batch.* REPLACE (
            coalesce(
                shown(batch.text),
                CASE WHEN role_words.role IN ('assistant', 'tool') THEN coalesce(batch.text, '') END
            ) AS text,
            coalesce(batch.conversation_id, session_key_of({", ".join(f"batch.{name}" for name in SESSION_KEYS)}))
                AS conversation_id
        ),
        batch.conversation_id IS NULL AS is_session,
        coalesce(exact.input, plain.input) AS input_price,
        coalesce(exact.output, plain.output) AS output_price,
        role_words.role AS known_role,
        named.word IS NOT NULL OR coded.word IS NOT NULL AS is_language
    FROM batch LEFT JOIN role_words ON role_words.word = lower(batch.role)
    LEFT JOIN languages AS named ON named.word = lower(batch.language)
    LEFT JOIN languages AS coded ON coded.word = regexp_extract(lower(batch.language), '^([a-z]{{2,3}})([-_].*)?$', 1)
    -- A model's dated name, and its name after that of a provider, have the price of the plain name.
    LEFT JOIN prices AS exact ON exact.model = lower(batch.model)
    LEFT JOIN prices AS plain
        ON plain.model = regexp_replace(lower(batch.model), '^.*/|-\\d{{4}}-?\\d{{2}}-?\\d{{2}}$', '', 'g')
),
typed AS (
    SELECT *,
        {_TIME} AS time,
        stated_number(sequence) AS sequence_number,
        worded_rating(rating) AS rating_of_words,
        stated_rating(rating) AS rating_number,
        stated_cost(cost) AS cost_number,
        {_COUNT_NUMBERS}
    FROM given
),
read AS (
    SELECT *, CASE WHEN {_ANY_UNREADABLE}
        THEN list_filter([{_UNREADABLE_PAIRS}], lambda pair: pair IS NOT NULL) END AS unreadable,
        CASE WHEN rating_of_words IS NOT NULL THEN [('{STATED}rating', rating)] END AS worded
    FROM typed
),
joined AS (
    SELECT *,
        CASE WHEN unreadable IS NULL AND worded IS NULL THEN {_PLAIN_EXTRA}
            ELSE json_object_of_pairs(list_sort(list_concat(
                unreadable, worded, list_zip(CAST($extra_names AS VARCHAR[]), extra_cells)))) END AS whole_extra
    FROM read
),
ruled AS (
    SELECT * EXCLUDE ({", ".join(OPTIONAL_TEXTS)}, {", ".join(COUNTS)}, sequence, rating, cost), {_TEXTS},
        {_WHOLE_COUNTS},
        CASE WHEN abs(sequence_number) <= {LARGEST_SEQUENCE} THEN sequence_number END AS sequence,
        CASE WHEN usable_number(rating_number) THEN rating_number END AS rating,
        CASE WHEN usable_number(cost_number) AND cost_number >= 0 THEN cost_number END AS cost,
        CASE WHEN length(whole_extra) > $longest_text
            THEN json_object_of(['{UNREADABLE}extra'], [left(whole_extra, {_EXTRA_KEPT})])
            ELSE whole_extra END AS extra,
        CASE
            WHEN problem IS NOT NULL THEN {{'reason': problem, 'detail': problem_detail}}
            WHEN conversation_id IS NULL
                THEN {{'reason': 'missing_conversation_id', 'detail': 'conversation_id is empty'}}
            WHEN NOT is_session AND length(conversation_id) > $longest_value THEN {{'reason': 'value_too_long',
                'detail': concat('longer than ', $longest_value, ' characters: conversation_id')}}
            WHEN role IS NULL THEN {{'reason': 'missing_role', 'detail': 'role is empty'}}
            WHEN known_role IS NULL
                THEN {{'reason': 'unknown_role', 'detail': concat('role is ''', left(role, 100), '''')}}
            WHEN text IS NULL THEN {{'reason': 'missing_text', 'detail': 'text is empty'}}
            WHEN length(text) > $longest_text THEN {{'reason': 'text_too_long',
                'detail': concat('text has ', length(text), ' characters; the most is ', $longest_text)}}
            WHEN timestamp IS NULL THEN {{'reason': 'missing_timestamp', 'detail': 'timestamp is empty'}}
            WHEN time.at IS NULL OR time.at < '1970-01-01 00:00:00Z' OR time.at >= '2100-01-01 00:00:00Z'
                THEN {{'reason': 'bad_timestamp', 'detail': concat('timestamp is ''', left(timestamp, 100), '''',
                    CASE WHEN time.at IS NOT NULL THEN ', outside the years 1970 to 2099' ELSE '' END)}}
        END AS verdict
    FROM joined
)
SELECT
    $first_position + source_row AS position, $file AS file, source_row,
    CASE WHEN is_session AND verdict IS NULL OR NOT is_session AND length(conversation_id) <= $longest_value
        THEN conversation_id END AS conversation_id,
    is_session AND verdict IS NULL AS is_session,
    CASE WHEN verdict IS NULL THEN coalesce(message_id,
        derived_id(conversation_id, epoch_us(time.at), known_role, text, user_id, agent_id)) END AS message_id,
    verdict IS NULL AND message_id IS NULL AS is_derived,
    user_id, agent_id, model, channel, known_role AS role, text,
    CASE WHEN verdict IS NULL THEN make_timestamp(epoch_us(time.at)) END AS timestamp,
    CASE WHEN verdict IS NOT NULL THEN NULL WHEN time_source IN {TIME_SOURCES} THEN time_source ELSE 'message' END
        AS time_source,
    sequence, language, rating, outcome, variant,
    coalesce(tokens, input_tokens + output_tokens) AS tokens, input_tokens, output_tokens,
    coalesce(cost, (input_tokens * input_price + output_tokens * output_price) / 1e6) AS cost,
    CASE WHEN cost IS NOT NULL THEN 'stated' WHEN input_tokens * input_price + output_tokens * output_price IS NOT NULL
        THEN 'computed' END AS cost_source,
    extra,
    verdict.reason AS reason, verdict.detail AS detail,
    CASE WHEN verdict IS NULL AND (unreadable IS NOT NULL OR length(whole_extra) > $longest_text
            OR contains(text, chr(65533)))
        THEN list_filter(list_concat(
            list_transform(unreadable, lambda pair:
                {{'name': substr(pair[1], {len(UNREADABLE) + 1}), 'value': left(pair[2], 100)}}),
            [CASE WHEN length(whole_extra) > $longest_text THEN {{'name': 'extra', 'value': NULL}} END,
             CASE WHEN contains(text, chr(65533)) THEN {{'name': 'text', 'value': NULL}} END]
        ), lambda repair: repair IS NOT NULL) END AS repairs,
    verdict IS NULL AND time.repeated AS is_repeated_hour, verdict IS NULL AND time.skipped AS is_skipped_hour
FROM ruled
"""  # noqa: S608  (column names of our own)


def prepare_judging(connection: duckdb.DuckDBPyConnection, mapping: FieldMapping) -> None:
    """Create the macros for the statements of ``judge`` and ``validate_conversation_rows``.

    Args:
        connection: A database with its time zone set to UTC.
        mapping: Says how long a session may pause.
    """
    connection.execute("SET VARIABLE largest_number = $most", {"most": float(MAX_NUMBER)})
    connection.execute("SET VARIABLE session_seconds = $seconds", {"seconds": mapping.session_seconds})
    connection.execute(_SETUP.replace(_RATING_WORDS, rating_words_sql()))


def _prepare_rules(connection: duckdb.DuckDBPyConnection, mapping: FieldMapping) -> None:
    """Create the words, prices and times for the rules, unless they are there; plain rows do without.

    Args:
        connection: Prepared by ``prepare_judging``.
        mapping: Gives the role words, the prices of models, the keys of sessions and the zone of times.
    """
    if connection.execute("SELECT getvariable('has_rules')").fetchall() == [(True,)]:
        return
    connection.execute(_TABLES)
    words, roles = zip(*sorted(mapping.role_words().items()), strict=True)
    _fill(connection, "role_words", {"word": pa.array(words, pa.string()), "role": pa.array(roles, pa.string())})
    _fill(connection, "languages", {"word": LANGUAGE_WORDS})
    if mapping.prices:
        rows = [[model, *price] for model, price in sorted(mapping.prices.items())]
        connection.executemany("INSERT INTO prices VALUES (?, ?, ?)", rows)
    keys = ", ".join(mapping.keys_of_sessions)
    key = f"CASE WHEN coalesce({keys}) IS NOT NULL THEN CAST(to_json([{keys}]) AS VARCHAR) END" if keys else "NULL"
    connection.execute(f"CREATE TEMP MACRO session_key_of({', '.join(SESSION_KEYS)}) AS CAST({key} AS VARCHAR)")
    connection.execute(f"SET VARIABLE clock_change = INTERVAL {clock_change_minutes(mapping.timezone)} MINUTE")
    connection.execute(time_macros(mapping.timezone))
    connection.execute("SET VARIABLE has_rules = true")


def _fill(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, pa.Array]) -> None:
    """Insert columns into an empty table at once: an INSERT per row takes a hundred times as long."""
    connection.register("filling", pa.table(columns))
    connection.execute(f"INSERT INTO {table} FROM filling")
    connection.unregister("filling")


def judge(connection: duckdb.DuckDBPyConnection, batch: Batch, *, file: int, first_position: int) -> pa.Table:
    """Return the typed rows of a batch, one per input row; ``reason`` and ``detail`` are null for usable rows.

    Args:
        connection: Prepared by ``prepare_judging``. All batches of a connection have the same role words, prices, keys
            of sessions and time zone.
        batch: Rows of one file after mapping.
        file: Number of the file within the source.
        first_position: Offset that converts a row's number to its position in the whole source.

    Returns:
        One row per input row, in the order of the input. Further to the input columns: ``extra`` (JSON), the place
        (``position``, ``file``, ``source_row``), the verdict (``reason``, ``detail``), ``repairs`` (name and value of
        what became null or was mended), ``is_derived`` (whether the source gives no message_id), ``is_session``
        (whether conversation_id is the key of a session, of which ``deduplication`` makes conversations),
        ``is_repeated_hour`` and ``is_skipped_hour`` (see ``time_forms``), and ``line``, the original row if it could
        not be split into columns.
    """
    plain = validate_plain_rows(batch, file=file, first_position=first_position)
    others = np.flatnonzero(~plain.is_plain)
    if 0 < len(others) == batch.rows.num_rows:
        return _validate_by_rules(connection, batch, file, first_position)
    judged = _with_derived_ids(connection, plain)
    if not len(others):
        return judged
    by_rules = _validate_by_rules(connection, batch.take(others), file, first_position)
    order = np.argsort(np.concatenate([np.flatnonzero(plain.is_plain), others]))
    return pa.concat_tables([judged.filter(pa.array(plain.is_plain)), by_rules]).take(pa.array(order))


def with_originals(judged: pa.Table, batch: Batch) -> pa.Table:
    """Return judged rows with the original rows: ``names`` and ``cells``, for the macro ``json_object_of``."""
    names = _repeated(batch.names, batch.rows.num_rows)
    return judged.append_column("names", names).append_column("cells", batch.cells())


_DERIVED_IDS = """
SELECT derived_id(conversation_id, epoch_us(timestamp), role, text, user_id, agent_id) AS message_id
FROM without_id ORDER BY place
"""


def _with_derived_ids(connection: duckdb.DuckDBPyConnection, plain: PlainRows) -> pa.Table:
    """Return the judged columns with an id for each plain row to which the source gives none."""
    columns = plain.columns
    places = np.flatnonzero(plain.is_plain & columns["is_derived"].to_numpy(zero_copy_only=False))
    if len(places):
        names = ("conversation_id", "timestamp", "role", "text", "user_id", "agent_id")
        without_id = pa.table({"place": places, **{name: columns[name].take(pa.array(places)) for name in names}})
        connection.register("without_id", without_id)
        derived = connection.sql(_DERIVED_IDS).to_arrow_table()["message_id"].combine_chunks()
        is_derived = np.zeros(len(plain.is_plain), dtype=bool)
        is_derived[places] = True
        columns = {**columns, "message_id": pc.replace_with_mask(columns["message_id"], pa.array(is_derived), derived)}
    return pa.table({name: columns[name] for name in JUDGED.names})


def _validate_by_rules(connection: duckdb.DuckDBPyConnection, batch: Batch, file: int, first_position: int) -> pa.Table:
    """Return the typed rows of a batch by the rules in SQL; see ``judge``."""
    _prepare_rules(connection, batch.mapping)
    variant = _variant(batch)
    rows = batch.rows.append_column("extra_cells", row_lists(list(batch.extras().values()), batch.rows.num_rows))
    connection.register("registered_rows", rows.drop_columns([*variant.null_columns, "line"]))
    parameters = {
        "file": file,
        "first_position": first_position,
        "extra_names": batch.extra_names,
        "longest_text": MAX_TEXT_CHARACTERS,
        "longest_value": MAX_VALUE_CHARACTERS,
    }
    judged = _in_order_of(rows, connection.sql(_statement(variant), params=parameters).to_arrow_table())
    known = {name: rows[name] for name in (*variant.unchanged, "line")}
    known |= {"file": pa.repeat(pa.scalar(file, pa.int32()), rows.num_rows)}
    table = pa.table({name: known[name] if name in known else judged[name] for name in JUDGED.names})
    return table.set_column(JUDGED.names.index("repairs"), "repairs", table["repairs"].cast(REPAIRS))


@dataclass(frozen=True)
class _Variant:
    """What a batch allows the statement to leave out.

    Attributes:
        null_columns: Columns that are null in every row. As constants they cost nothing.
        unchanged: Columns that no rule changes in this batch, so that SQL need not return them.
        extras: Number of further columns.
        time_formats: Forms of the times that SQL must parse; empty where the moment of every time is known.
        zone: Zone of these times.
    """

    null_columns: tuple[str, ...]
    unchanged: tuple[str, ...]
    extras: int
    time_formats: tuple[str, ...]
    zone: str | None


def _variant(batch: Batch) -> _Variant:
    rows = batch.rows
    names = (*INPUT_NAMES, "problem", "problem_detail")
    null_columns = tuple(name for name in names if rows[name].null_count == rows.num_rows)
    read = ("message_id", *(("language",) if "language" not in null_columns else ()))
    unchanged = [name for name in OPTIONAL_TEXTS if name not in read and _are_short(rows[name])]
    if not rows["conversation_id"].null_count and _are_short(rows["conversation_id"]):  # a null may be a session
        unchanged.append("conversation_id")
    has_instants = rows["instant"].null_count == rows["timestamp"].null_count
    formats = () if has_instants else tuple(batch.mapping.time_formats())
    return _Variant(null_columns, tuple(unchanged), len(batch.extra_names), formats, batch.mapping.timezone)


def _are_short(values: pa.ChunkedArray) -> bool:
    """Tell whether no value can be longer than the longest that is allowed; characters have a byte or more."""
    return bool((pc.max(pc.binary_length(values)).as_py() or 0) <= MAX_VALUE_CHARACTERS)


@lru_cache(maxsize=64)
def _statement(variant: _Variant) -> str:
    """Return the statement for batches of one variant."""
    nulls = "".join(f", CAST(NULL AS VARCHAR) AS {name}" for name in variant.null_columns)
    pairs = ", ".join(
        f"CASE WHEN extra_cells[{number}] IS NOT NULL "
        f"THEN concat(to_json(CAST($extra_names AS VARCHAR[])[{number}]), ':', to_json(extra_cells[{number}])) END"
        for number in range(1, variant.extras + 1)
    )
    extra = "nullif(json_object_of(CAST($extra_names AS VARCHAR[]), extra_cells), '{}')"
    if variant.extras <= _MOST_CONCATENATED:
        extra = f"'{{' || nullif(concat_ws(',', {pairs}), '') || '}}'" if variant.extras else "CAST(NULL AS VARCHAR)"
    time = _INSTANT
    if variant.time_formats:
        parsed = time_of("timestamp", variant.time_formats, variant.zone)
        time = f"CASE WHEN instant IS NOT NULL THEN {_INSTANT} ELSE {parsed} END"
    judge_all = _JUDGE.replace(_NULL_COLUMNS, nulls).replace(_TIME, time).replace(_PLAIN_EXTRA, extra)
    left_out = ", ".join((*variant.unchanged, "file"))
    return f"SELECT * EXCLUDE ({left_out}) FROM ({judge_all})"  # noqa: S608  (column names of our own)


def _in_order_of(rows: pa.Table, judged: pa.Table) -> pa.Table:
    """Return judged rows in the order of the rows that were given; SQL promises none after a join."""
    wanted, found = rows["source_row"].to_numpy(), judged["source_row"].to_numpy()
    if np.array_equal(wanted, found):
        return judged
    return judged.take(pa.array(np.argsort(found)[np.argsort(np.argsort(wanted))]))


def _repeated(names: list[str], count: int) -> pa.Array:
    """Return a list of names once per row; shape (count,)."""
    indices = pa.array(np.tile(np.arange(len(names), dtype=np.int32), count))
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * len(names))
    return pa.ListArray.from_arrays(offsets, pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string())))
