"""Judge rows in which nothing is wrong with Arrow, in a small part of the time that SQL takes.

``row_validation`` states the rules. A row is plain if each of its values is of a form that every rule accepts as it is:
a known word for the role, a text that shows something, numbers that are numbers. The rules of plain rows are repeated
here in columns; every row that is not plain, for whatever reason, is left to the rules in SQL. Both give the same row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.tables.raw_tables import (
    MAX_NUMBER,
    MAX_TEXT_CHARACTERS,
    MAX_VALUE_CHARACTERS,
    TIME_SOURCES,
)
from analytics_platform.model.word_sets.languages import LANGUAGES
from analytics_platform.sources.mapped_rows import Batch
from analytics_platform.sources.row_rules.text_bytes import Mask, begin_visibly, bytes_of, valid_mask

LANGUAGE_WORDS = pa.array(sorted({*LANGUAGES, "und"}), pa.string())
LARGEST_SEQUENCE = 9e15
"""Largest ``sequence``: a float counts exactly up to it, so that a time in microseconds is a sequence, too."""
OPTIONAL_TEXTS = ("message_id", "user_id", "agent_id", "model", "channel", "language", "outcome", "variant")
COUNTS = ("tokens", "input_tokens", "output_tokens")

REPAIRS = pa.list_(pa.field("l", pa.struct([("name", pa.string()), ("value", pa.string())])))
"""Type of the column ``repairs``."""

_VISIBLE = r"[^\s\p{Z}\p{Cc}\p{Cf}]"
_LANGUAGE_CODE = r"^(?P<code>[a-z]{2,3})(?:[-_].*)?$"
_PLAIN_NUMBER = r"^-?\d{1,15}(?:\.\d{1,9})?$"
_REPLACEMENT_BYTE, _QUOTE, _BACKSLASH, _SPACE = 0xEF, 0x22, 0x5C, 0x20
"""The first byte of U+FFFD in UTF-8, and the bytes from which on, or which, JSON escapes."""
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"
_YEAR_1970, _YEAR_2100 = 0, 4_102_444_800_000_000
"""First microseconds of these years, since the epoch."""


@dataclass(frozen=True)
class PlainRows:
    """The rows of a batch as judged, as far as they are plain.

    Attributes:
        is_plain: Which rows are plain; shape (rows,).
        columns: The columns of judged rows, of shape (rows,); what they have for a row that is not plain means nothing.
            ``message_id`` is null where the source gives none.
    """

    is_plain: Mask
    columns: Mapping[str, pa.Array]


def validate_plain_rows(batch: Batch, *, file: int, first_position: int) -> PlainRows:
    """Return the judged columns of the rows that are plain.

    Args:
        batch: The rows after mapping.
        file: Number of the file within the source.
        first_position: Offset that converts a row's number to its position in the whole source.
    """
    count = batch.rows.num_rows
    given = {name: _whole(batch.rows[name]) for name in batch.rows.column_names}
    is_plain = _have_no_problem(given, count)
    roles, is_known = _roles(given["role"], batch.mapping.role_words())
    is_plain &= is_known & _are_plain_texts(given["text"]) & _are_plain_times(given["instant"])
    is_plain &= valid_mask(given["conversation_id"])
    for name in ("conversation_id", *OPTIONAL_TEXTS):
        is_plain &= _are_short(given[name])
    is_plain &= _are_languages(given["language"])
    numbers = {}
    for name in ("sequence", "rating", "cost", *COUNTS):
        numbers[name], is_usable = _numbers(name, given[name])
        is_plain &= is_usable
    if batch.mapping.prices:  # a cost may have to be computed
        tokens = valid_mask(given["input_tokens"]) & valid_mask(given["output_tokens"])
        is_plain &= ~(tokens & valid_mask(given["model"]) & ~valid_mask(given["cost"]))
    extra, is_usable = _extra(batch)
    is_plain &= is_usable
    false, texts = pa.repeat(pa.scalar(value=False), count), pa.nulls(count, pa.string())
    return PlainRows(
        is_plain,
        {
            **{name: given[name] for name in ("source_row", "conversation_id", *OPTIONAL_TEXTS, "text", "line")},
            **numbers,
            "position": pc.add(given["source_row"], first_position),
            "file": pa.repeat(pa.scalar(file, pa.int32()), count),
            "is_session": false,
            "is_derived": pc.is_null(given["message_id"]),
            "role": roles,
            "timestamp": given["instant"].cast(pa.timestamp("us")),
            "time_source": _time_sources(given["time_source"]),
            "tokens": pc.coalesce(numbers["tokens"], pc.add(numbers["input_tokens"], numbers["output_tokens"])),
            "cost_source": pc.if_else(pc.is_valid(numbers["cost"]), "stated", pa.scalar(None, pa.string())),
            "extra": extra,
            "reason": texts,
            "detail": texts,
            "repairs": pa.nulls(count, REPAIRS),
            "is_repeated_hour": false,
            "is_skipped_hour": false,
        },
    )


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _have_no_problem(given: Mapping[str, pa.Array], count: int) -> Mask:
    problems = given["problem"]
    return ~valid_mask(problems) if problems.null_count < count else np.ones(count, dtype=bool)


def _roles(words: pa.Array, known: Mapping[str, str]) -> tuple[pa.Array, Mask]:
    """Return the role of each word, and which words are known. Capital letters beyond ASCII are left to SQL."""
    forms, roles = _role_table(tuple(known.items()))
    places = pc.index_in(pc.ascii_lower(words), value_set=forms)
    return roles.take(places), valid_mask(places)


@lru_cache(maxsize=8)
def _role_table(known: tuple[tuple[str, str], ...]) -> tuple[pa.Array, pa.Array]:
    return pa.array([word for word, _ in known], pa.string()), pa.array([role for _, role in known], pa.string())


def _are_plain_texts(texts: pa.Array) -> Mask:
    """Return which texts show something, are short enough for certain, and have no U+FFFD, which is a repair."""
    is_plain = begin_visibly(texts)
    unclear = np.flatnonzero(~is_plain & valid_mask(texts))
    if len(unclear):
        is_plain[unclear] = _to_mask(pc.match_substring_regex(texts.take(pa.array(unclear)), _VISIBLE))
    is_plain &= _to_mask(pc.less_equal(pc.binary_length(texts), MAX_TEXT_CHARACTERS))
    if (bytes_of(texts) == _REPLACEMENT_BYTE).any():
        is_plain &= ~_to_mask(pc.match_substring(texts, "\N{REPLACEMENT CHARACTER}"))
    return is_plain


def _are_plain_times(moments: pa.Array) -> Mask:
    if moments.null_count == len(moments):
        return np.zeros(len(moments), dtype=bool)
    numbers = pc.fill_null(moments.cast(pa.int64()), -1).to_numpy()
    return np.asarray((numbers >= _YEAR_1970) & (numbers < _YEAR_2100), dtype=bool)


def _are_short(values: pa.Array) -> Mask:
    """Return which values are null, or short for certain; characters have a byte or more."""
    if (pc.max(pc.binary_length(values)).as_py() or 0) <= MAX_VALUE_CHARACTERS:
        return np.ones(len(values), dtype=bool)
    return _to_mask(pc.fill_null(pc.less_equal(pc.binary_length(values), MAX_VALUE_CHARACTERS), True))


def _are_languages(values: pa.Array) -> Mask:
    """Return which values are null, or a word for a language that the rules know."""
    if values.null_count == len(values):
        return np.ones(len(values), dtype=bool)
    encoded = values.dictionary_encode()
    words = pc.ascii_lower(encoded.dictionary)
    codes = pc.struct_field(pc.extract_regex(words, _LANGUAGE_CODE), "code")
    is_language = pc.or_(pc.is_in(words, LANGUAGE_WORDS), pc.is_in(codes, LANGUAGE_WORDS))
    return _to_mask(pc.fill_null(is_language.take(encoded.indices), True))


def _numbers(name: str, values: pa.Array) -> tuple[pa.Array, Mask]:
    """Return the numbers of a column, and where the value is null or a number that its rule accepts."""
    kind = pa.int64() if name in COUNTS else pa.float64()
    if values.null_count == len(values):
        return pa.nulls(len(values), kind), np.ones(len(values), dtype=bool)
    try:
        numbers = values.cast(pa.float64())
    except pa.ArrowInvalid:
        is_number = pc.fill_null(pc.match_substring_regex(values, _PLAIN_NUMBER), False)
        numbers = pc.if_else(is_number, values, pa.scalar(None, pa.string())).cast(pa.float64())
    # NaN is outside every range.
    found = pc.fill_null(numbers, np.nan).to_numpy()
    if name == "sequence":
        is_usable = np.abs(found) <= LARGEST_SEQUENCE
    elif name == "rating":
        is_usable = np.abs(found) <= MAX_NUMBER
    else:
        is_usable = (found >= 0) & (found <= MAX_NUMBER)
    if name in COUNTS:
        is_usable &= np.trunc(found) == found
        numbers = pa.array(np.where(is_usable, found, 0).astype(np.int64), mask=~is_usable)
    return numbers, is_usable | ~valid_mask(values)


def _time_sources(stated: pa.Array) -> pa.Array:
    if stated.null_count == len(stated):
        return pa.repeat(pa.scalar("message", pa.string()), len(stated))
    return pc.if_else(pc.is_in(stated, pa.array(TIME_SOURCES)), stated, "message")


def _extra(batch: Batch) -> tuple[pa.Array, Mask]:
    """Return the further columns of each row as a JSON object, null without any value, and which are plain."""
    count = batch.rows.num_rows
    is_plain = np.ones(count, dtype=bool)
    members = []
    for name, values in batch.extras().items():
        if values.null_count == count:
            continue
        escaped, is_escaped = _json_texts(values)
        is_plain &= is_escaped
        member = pc.binary_join_element_wise(f'{orjson.dumps(name).decode()}:"', escaped, '",', "")
        members.append(pc.fill_null(member, ""))
    if not members:
        return pa.nulls(count, pa.string()), is_plain
    joined = pc.utf8_rtrim(pc.binary_join_element_wise(*members, ""), characters=",")
    objects = pc.binary_join_element_wise("{", joined, "}", "")
    is_plain &= _to_mask(pc.less_equal(pc.binary_length(objects), MAX_TEXT_CHARACTERS))
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), objects), is_plain


def _json_texts(values: pa.Array) -> tuple[pa.Array, Mask]:
    """Return texts as they stand between the quotes of JSON, and which of them could be written."""
    content = bytes_of(values)
    if not ((content < _SPACE) | (content == _QUOTE) | (content == _BACKSLASH)).any():
        return values, np.ones(len(values), dtype=bool)
    is_written = ~_to_mask(pc.fill_null(pc.match_substring_regex(values, _CONTROL), False))
    for character, escape in _ESCAPES.items():
        values = pc.replace_substring(values, character, escape)
    return values, is_written


def _to_mask(values: Any) -> Mask:
    """Return booleans as numpy has them; null is false."""
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)
