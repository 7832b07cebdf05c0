"""The field mapping: from a file's own columns and values to the input columns.

`row_validation` checks the values; this module reads and checks the mapping's YAML file, and picks columns.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from analytics_platform.model.tables.raw_tables import INPUT_COLUMNS, REQUIRED_INPUT, ROLES, TIME_SOURCES
from analytics_platform.sources.base import NoMessagesError, SourceError
from analytics_platform.sources.mapped_rows import Batch
from analytics_platform.sources.row_rules.role_words import default_role_words, plain_word
from analytics_platform.sources.row_rules.text_bytes import begin_visibly
from analytics_platform.sources.row_rules.tidying import (
    INSTANT,
    NULL_WORDS,
    plain_instants,
    plain_times,
    spellings,
    tidy,
)
from analytics_platform.sources.row_rules.time_forms import AUTO, DATE_ONLY, EPOCH_FORMATS
from analytics_platform.sources.rows import Rows
from analytics_platform.system.yaml_file import YamlFile

INPUT_NAMES = tuple(column.name for column in INPUT_COLUMNS)
LEFT_OUT = "left_out"
"""Reason of a row that is no message and is counted nowhere but in the summary of the source."""
BLANK_ROW, DROPPED_ROW = "a row without any value", "a row that a rule drops"
HEADER_ROW = "a repeated header line"
"""Details of rows that are left out."""
SEQUENCE_NAMES = ("turn_index", "turn", "message_index", "turn_id")
"""Names of columns that are read as ``sequence``, when no column has that name and the mapping names none."""
SESSION_KEYS = ("user_id", "agent_id", "model", "channel", "variant")
VARIABLE = "ANALYTICS_SOURCE_MAPPING"

_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}
_GAP = re.compile(rf"(?P<number>\d+(?:\.\d+)?) ?(?P<unit>{'|'.join(_UNITS)})")
_LONGEST_DATE = 12
"""Bytes of the longest date without a time of the day, such as 20/06/2024."""
_BLANK_CHARACTERS = 64
"""Characters of a value that are looked at to tell whether it is blank."""


class RowRule(BaseModel):
    """A rule for the rows in which columns of the file have certain values.

    Attributes:
        when: Column of the file to the value or values that it must have, in any case; all columns must have one.
        drop: Whether the rows are left out.
        role: Role that the rows get.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    when: dict[str, str | tuple[str, ...]]
    drop: bool = False
    role: str | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> RowRule:
        if not self.when:
            raise ValueError("when: names no column; write e.g. when: {private: 'true'}")
        if self.drop == (self.role is not None):
            raise ValueError("write either drop: true or role: <one of ours>")
        if self.role is not None and self.role not in ROLES:
            raise ValueError(f"{self.role}: not a role; these are: {', '.join(sorted(ROLES))}")
        return self

    def matches(self, columns: Mapping[str, pa.Array], count: int) -> pa.Array:
        """Return whether each row matches; booleans of shape (count,)."""
        found = pa.repeat(pa.scalar(value=True), count)
        for name, given in self.when.items():
            wanted = [given] if isinstance(given, str) else given
            values = pc.utf8_lower(pc.utf8_trim_whitespace(columns.get(name, pa.nulls(count, pa.string()))))
            found = pc.and_(found, pc.is_in(values, value_set=pa.array([one.strip().lower() for one in wanted])))
        return found


class FieldMapping(BaseModel):
    """What a source's columns and values are called.

    Attributes:
        columns: Input column to the column of the file; an input column not named is looked for by its own name.
        roles: The file's word for a role, in any case, to one of ours.
        timestamp_format: ``auto`` (ISO 8601, epoch numbers, e-mail dates), ``epoch_seconds``, ``epoch_milliseconds`` or
            a strptime format.
        timestamp_formats: Several of these, tried in this order.
        timezone: IANA name of the zone of times without an offset, e.g. ``Europe/Berlin``; UTC by default.
        date_order: ``dmy``, ``mdy`` or ``ymd``: the order of dates such as 6/20/2024 and 24.06.20.
        null_words: Words that mean a missing value as an identifier, a name or a number, but never as a text.
        rules: Rules that drop rows, or set their role, by the values of other columns.
        session_gap: Makes conversations of messages that name none: a message that comes later than this after the one
            before, e.g. ``30min``, ``4h`` or ``2d``, begins a new conversation.
        session_keys: Input columns, of ``SESSION_KEYS``, whose values such messages share; ``user_id`` by default.
        constants: Input column to the value that every row gets.
        conversations: For a source with a table of conversations beside that of messages: input column to the column
            of that table.
        prices: Model, in lower case, to the US dollars of a million input tokens and of a million output tokens. The
            setting ``ANALYTICS_PRICES`` gives them, not the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    columns: dict[str, str] = {}
    roles: dict[str, str] = {}
    timestamp_format: str | None = None
    timestamp_formats: tuple[str, ...] = ()
    timezone: str | None = None
    date_order: Literal["dmy", "mdy", "ymd"] | None = None
    null_words: tuple[str, ...] = NULL_WORDS
    rules: tuple[RowRule, ...] = ()
    session_gap: str | None = None
    session_keys: tuple[str, ...] = ()
    constants: dict[str, str] = {}
    conversations: dict[str, str] = {}
    prices: dict[str, tuple[float, float]] = {}
    _made_columns: frozenset[str] = frozenset()

    @field_validator("columns", "constants", "conversations")
    @classmethod
    def _known_columns(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value) - set(INPUT_NAMES))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not an input column; these are: {', '.join(INPUT_NAMES)}")
        return value

    @field_validator("constants")
    @classmethod
    def _known_time_source(cls, value: dict[str, str]) -> dict[str, str]:
        stated = value.get("time_source")
        if stated is not None and stated not in TIME_SOURCES:
            raise ValueError(f"time_source: {stated!r} is none of {', '.join(TIME_SOURCES)}")
        return value

    @field_validator("roles")
    @classmethod
    def _known_roles(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value.values()) - ROLES)
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not a role; these are: {', '.join(sorted(ROLES))}")
        return {plain_word(given): role for given, role in value.items()}

    @field_validator("timestamp_format")
    @classmethod
    def _known_format(cls, value: str | None) -> str | None:
        return value if value is None else _checked_format(value)

    @field_validator("timestamp_formats")
    @classmethod
    def _known_formats(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_checked_format(value) for value in values)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone such as Europe/Berlin or America/New_York")
        return value

    @field_validator("session_gap")
    @classmethod
    def _known_gap(cls, value: str | None) -> str | None:
        if value is not None and not _GAP.fullmatch(value):
            raise ValueError(f"{value!r} is no time such as 30min, 4h or 2d")
        return value

    @field_validator("session_keys")
    @classmethod
    def _known_keys(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(values) - set(SESSION_KEYS))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no key of a session; these are: {', '.join(SESSION_KEYS)}")
        return values

    @model_validator(mode="after")
    def _keys_with_a_gap(self) -> FieldMapping:
        if self.session_keys and not self.session_gap:
            raise ValueError("session_keys: session_gap is missing, e.g. session_gap: 4h")
        return self

    @model_validator(mode="after")
    def _one_kind_of_format(self) -> FieldMapping:
        if self.timestamp_format and self.timestamp_formats:
            raise ValueError("timestamp_format and timestamp_formats: keep one")
        return self

    @model_validator(mode="after")
    def _either_column_or_constant(self) -> FieldMapping:
        both = sorted(set(self.columns) & set(self.constants))
        if both:
            raise ValueError(f"{', '.join(both)}: under columns and under constants; keep one")
        return self

    def role_words(self) -> dict[str, str]:
        """Return each word for a role, in lower case, and its role."""
        return default_role_words() | self.roles

    def time_formats(self) -> Sequence[str]:
        """Return the forms of timestamps, in the order in which they are tried."""
        return self.timestamp_formats or (self.timestamp_format or AUTO,)

    def with_auto_times(self) -> FieldMapping:
        """Return the mapping that reads also times that are in none of its forms, for shapes that write their own."""
        formats = tuple(self.time_formats())
        if AUTO in formats:
            return self
        return self.model_copy(update={"timestamp_format": None, "timestamp_formats": (*formats, AUTO)})

    def with_made_columns(self, names: Iterable[str]) -> FieldMapping:
        """Return the mapping of rows with columns that no file has: what was derived from others is no name to map."""
        mapping = self.model_copy()
        mapping._made_columns = frozenset(names)
        return mapping

    @property
    def session_seconds(self) -> float | None:
        """The longest time between two messages of one session in seconds; None where sessions are not made."""
        found = _GAP.fullmatch(self.session_gap or "")
        return float(found["number"]) * _UNITS[found["unit"]] if found else None

    @property
    def keys_of_sessions(self) -> tuple[str, ...]:
        """The input columns whose values the messages of a session share; empty where sessions are not made."""
        return (self.session_keys or ("user_id",)) if self.session_gap else ()

    def of_conversations(self) -> FieldMapping:
        """Return the mapping of the table of conversations."""
        return FieldMapping(columns=self.conversations, null_words=self.null_words)

    def column_of(self, name: str) -> str:
        """Return the file's column that an input column is read from."""
        return self.columns.get(name, name)

    def missing_columns(self, present: Collection[str]) -> list[str]:
        """Return the required input columns that a file with the columns ``present`` has no column for."""
        required = (name for name in REQUIRED_INPUT if name != "conversation_id" or not self.session_gap)
        needed = [name for name in (*required, *self.keys_of_sessions) if name not in self.constants]
        return [name for name in needed if self.column_of(name) not in present]

    def require_columns(self, present: Iterable[str], place: str) -> None:
        """Check that a file has every required column.

        Raises:
            NoMessagesError: If the column of texts is missing, and another required one.
            SourceError: If only other columns are missing. Both name the file, the missing columns, the columns it has,
                and where to map them.
        """
        names = sorted(set(present))
        missing = self.missing_columns(names)
        if missing:
            names = [name for name in names if name not in self._made_columns]
            columns = [
                name if self.column_of(name) == name else f"{self.column_of(name)} (for {name})" for name in missing
            ]
            lacks = f"{place}: lacks the column {', '.join(columns)}; it has {', '.join(names) or 'none'}; "
            remedy = f"say in the file of {VARIABLE} what its columns are called"
            if "conversation_id" in missing and "text" not in missing:
                remedy += (
                    "; where no column names conversations, `session_gap: 4h` there makes them of customers' messages"
                )
            if "role" in missing and "text" not in missing:
                remedy += "; where all messages are of customers, `constants: {role: user}` there says so"
            if "text" in missing and len(missing) > 1:
                raise NoMessagesError(f"{lacks}if it holds messages, {remedy}; otherwise leave it out of the source")
            raise SourceError(lacks + remedy)

    def require_mapped_columns(self, present: Iterable[str]) -> None:
        """Check that each column in the mapping occurs in a file of the source.

        Raises:
            SourceError: Naming the columns that occur in no file, most often misspelled ones.
        """
        named = {*self.columns.values(), *(name for rule in self.rules for name in rule.when)}
        missing = sorted(named - set(present))
        if missing:
            raise SourceError(
                f"{VARIABLE}: no file has the column {', '.join(missing)}; they have {', '.join(sorted(present))}"
            )

    def apply(self, rows: Rows) -> Batch:
        """Return rows with the input columns, tidied, and with all their values under the file's own names.

        Rows without any value and rows that a rule drops get the problem ``LEFT_OUT``.
        """
        count = len(rows.numbers)
        sources = {name: self._source_of(name, rows.columns) for name in INPUT_NAMES if name not in self.constants}
        used = set(sources.values())
        null_words = _spellings(self.null_words)
        columns: dict[str, pa.Array] = {"source_row": pa.array(rows.numbers)}
        absent = pa.nulls(count, pa.string())
        for name in INPUT_NAMES:
            if name in self.constants:
                columns[name] = pa.repeat(pa.scalar(self.constants[name], pa.string()), count)
            else:
                values = rows.columns.get(sources[name], absent)
                columns[name] = tidy(name, values, null_words)
        columns["timestamp"] = plain_times(columns["timestamp"], self.date_order)
        columns["time_source"] = self._time_sources(columns["time_source"], columns["timestamp"])
        for rule in self.rules:
            if rule.role is not None:
                columns["role"] = pc.if_else(rule.matches(rows.columns, count), rule.role, columns["role"])
        columns["instant"] = self._instants(columns["timestamp"])
        as_read = {name: rows.columns[name] for name in sorted(rows.columns)}
        extra_names = [name for name in as_read if name not in used]
        headers = self._header_rows(columns, sources)
        return Batch(pa.table(columns | self._problems(rows, headers)), as_read, extra_names, self)

    def _source_of(self, name: str, present: Collection[str]) -> str:
        """Return the file's column that an input column is read from; a place in the conversation has several names."""
        if name == "sequence" and name not in self.columns and name not in present:
            return next((other for other in SEQUENCE_NAMES if other in present), name)
        return self.column_of(name)

    def _time_sources(self, stated: pa.Array, times: pa.Array) -> pa.Array:
        """Return what each time is the time of, where the rows or their times say so; null for a message's own time."""
        if "timestamp" in self.constants:
            return pc.coalesce(stated, pa.scalar("conversation"))
        shortest = pc.min(pc.binary_length(times)).as_py()
        if shortest is None or shortest > _LONGEST_DATE:
            return stated
        is_date = pc.match_substring_regex(times, DATE_ONLY)
        return pc.coalesce(stated, pc.if_else(is_date, "day", pa.scalar(None, pa.string())))

    def _instants(self, times: pa.Array) -> pa.Array:
        """Return the moments of plain ISO 8601 times; nulls where the rules of ``time_forms`` must decide."""
        if self.time_formats()[0] != AUTO:
            return pa.nulls(len(times), INSTANT)
        return plain_instants(times, naive_is_utc=self.timezone is None)

    def _header_rows(self, columns: Mapping[str, pa.Array], sources: Mapping[str, str]) -> list[tuple[str, pa.Array]]:
        """Return which rows repeat the names of the columns, as in files that were written one after another."""
        named = [name for name in ("role", "timestamp") if name in sources]
        if len(named) < 2 or columns["instant"].null_count == columns["timestamp"].null_count:
            return []
        role, time = (pc.equal(columns[name], sources[name]) for name in named)
        return [(HEADER_ROW, pc.fill_null(pc.and_(role, time), fill_value=False))]

    def _problems(self, rows: Rows, headers: list[tuple[str, pa.Array]]) -> dict[str, pa.Array]:
        """Return the columns ``problem``, ``problem_detail`` and ``line``."""
        count = len(rows.numbers)
        found = dict.fromkeys(("problem", "problem_detail", "line"), pa.nulls(count, pa.string()))
        if rows.problems:
            problems = [rows.problems.get(number) for number in rows.numbers.tolist()]
            found["problem"] = pa.array([problem and problem.reason for problem in problems], pa.string())
            found["problem_detail"] = pa.array([problem and problem.detail for problem in problems], pa.string())
            found["line"] = pa.array([problem and problem.line for problem in problems], pa.string())
        dropped = [(DROPPED_ROW, rule.matches(rows.columns, count)) for rule in self.rules if rule.drop]
        for detail, mask in [(BLANK_ROW, _blank_rows(rows)), *headers, *dropped]:
            mask = pc.and_(mask, pc.is_null(found["problem"]))
            if pc.any(mask).as_py():
                found["problem"] = pc.if_else(mask, LEFT_OUT, found["problem"])
                found["problem_detail"] = pc.if_else(mask, detail, found["problem_detail"])
        return found


class _AsWritten(yaml.SafeLoader):
    """Reads ``yes``, ``True``, ``0`` and dates as the texts that they are: a mapping's values are words of a file."""


_AsWritten.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_mapping(path: Path | None, prices: Mapping[str, tuple[float, float]] | None = None) -> FieldMapping:
    """Read a mapping file; without a file, return the mapping that changes nothing.

    Args:
        path: The file.
        prices: See ``FieldMapping.prices``.

    Raises:
        SourceError: Naming the file, the place in it, and the fault.
    """
    known = {model.lower(): price for model, price in (prices or {}).items()}
    if path is None:
        return FieldMapping(prices=known)
    try:
        content = YamlFile.parse(path, SourceError, _AsWritten).content
    except SourceError as error:
        raise SourceError(*(f"{VARIABLE}: {fault}" for fault in error.faults)) from None
    try:
        found = FieldMapping.model_validate({} if content is None else content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise SourceError(f"{VARIABLE}: {path}: {problems}") from None
    if found.prices:
        raise SourceError(f"{VARIABLE}: {path}: prices: ANALYTICS_PRICES names a file of prices")
    return found.model_copy(update={"prices": known})


def _checked_format(value: str) -> str:
    if value in (AUTO, *EPOCH_FORMATS):
        return value
    fault = f"{value!r} is none of {', '.join(EPOCH_FORMATS)} and no strptime format"
    try:
        with duckdb.connect() as db:
            db.execute("SELECT try_strptime('', ?)", [value]).fetchall()
    except duckdb.Error:
        raise ValueError(fault) from None
    if "%" not in value:
        raise ValueError(fault)
    return value


@lru_cache(maxsize=8)
def _spellings(words: tuple[str, ...]) -> pa.Array:
    return spellings(words)


def _blank_rows(rows: Rows) -> pa.Array:
    """Return which rows have no value in any column; spreadsheets write such rows below the last one."""
    blank = pa.repeat(pa.scalar(bool(rows.columns)), len(rows.numbers))
    for values in rows.columns.values():
        if begin_visibly(values).all():
            return pa.repeat(pa.scalar(value=False), len(rows.numbers))
        if not pc.any(blank).as_py():
            break
        empty = pc.equal(pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(values, 0, _BLANK_CHARACTERS)), "")
        blank = pc.and_(blank, pc.fill_null(empty, fill_value=True))
    return blank
