"""Read a table with a message per row: take its columns by their usual names, and derive roles, times and authors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from analytics_platform.model.tables.raw_tables import REQUIRED_INPUT
from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.nested_refusals import refuse_nested
from analytics_platform.sources.file_reading.recognised import Recognised
from analytics_platform.sources.file_reading.unfolding import with_plain_text
from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.row_rules.role_vocabularies import tells_roles
from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.table_parts.column_names import column_form
from analytics_platform.sources.shapes.table_parts.table_authors import Authors, authors_of
from analytics_platform.sources.shapes.table_parts.table_columns import usual_columns
from analytics_platform.sources.shapes.table_parts.table_events import without_events
from analytics_platform.sources.shapes.table_parts.table_mails import MailSides, mail_sides
from analytics_platform.sources.shapes.table_parts.table_roles import RoleFlags, author_and_requester, role_flags
from analytics_platform.sources.shapes.table_parts.table_times import (
    DateAndTime,
    ZoneOfRow,
    date_and_time,
    with_date_order,
    zone_of_row,
)
from analytics_platform.sources.shapes.token_usage import UsageColumn, usage_column


def plain_table(
    batches: Iterator[Rows],
    file: SourceFile,
    mapping: FieldMapping,
    recognised: Recognised,
    nested: list[Record] | None = None,
) -> Iterator[tuple[FieldMapping, Rows]]:
    """Yield the rows of a table with a message per row, each batch with the mapping that applies to it.

    Args:
        batches: The rows.
        file: The file.
        mapping: The mapping of the source.
        recognised: Filled with the columns that are taken by their usual names, and with notes.
        nested: The first records, where the rows were records whose values may be nested; None for a table.
    """
    first = next(batches, None)
    if first is None:
        return
    batches = chain([first], batches)
    effective = with_usual_columns(first.columns, mapping, _first_values(first))
    recognised.columns = {name: effective.columns[name] for name in effective.columns.keys() - mapping.columns.keys()}
    sides = _mail_sides(first, effective, mapping)
    if sides is not None or _names_authors(first, effective, mapping):
        recognised.columns.pop("role", None)
        columns = {name: column for name, column in effective.columns.items() if name != "role"}
        effective = effective.model_copy(update={"columns": columns})
    effective, timed, batches = _timed(first, batches, effective, mapping, recognised)
    derived = _derived(first, effective, mapping, sides)
    recognised.notes += derived.notes()
    if derived.guess is not None:
        recognised.tell(derived.guess)
    if not recognised.columns and not derived.tells_speaker and nested is None:
        _refuse_data_as_header(first.columns, effective, file)
    if nested and not derived.tells_speaker:
        refuse_nested(nested, first.columns, effective, file)
    effective = effective.with_made_columns({*derived.made, *timed.columns} - {*first.columns})
    for rows in batches:
        recognised.internal_notes += derived.flags.count_notes(rows)
        told = with_plain_text(derived.apply(rows), effective)
        yield effective, without_events(told, effective.column_of("text"), derived.role_column)


@dataclass(frozen=True)
class _Derived:
    """What a table says of its rows beside the columns of its mapping.

    Attributes:
        role_column: Column of roles, which is made if the table has none.
        flags: Columns that say who speaks, and which rows are notes.
        sides: Who writes in a table of mails; None for another table, and where ``flags`` say who speaks.
        people: Columns that ``sides`` fill.
        authors: The column of authors.
        usage: The column with objects of tokens.
    """

    role_column: str
    flags: RoleFlags
    sides: MailSides | None
    people: tuple[str, ...]
    authors: Authors | None
    usage: UsageColumn | None

    @property
    def tells_speaker(self) -> bool:
        return self.flags.tells_speaker or self.sides is not None

    @property
    def made(self) -> set[str]:
        filled = {name for one in (self.authors, self.usage) if one is not None for name in one.filled}
        return filled | {*self.people} | ({self.role_column} if self.tells_speaker else set())

    @property
    def guess(self) -> str | None:
        """A sentence that a run says at its end, too."""
        return self.sides.note() if self.sides is not None and self.sides.is_guess else None

    def notes(self) -> list[str]:
        return [
            *self.flags.notes(),
            *(one.note() for one in (self.sides, self.authors, self.usage) if one is not None),
        ]

    def apply(self, rows: Rows) -> Rows:
        if self.sides is None:
            rows = self.flags.apply(rows, self.role_column)
        else:
            rows = self.sides.apply(rows, self.role_column, self.people)
        rows = rows if self.authors is None else self.authors.apply(rows)
        return rows if self.usage is None else self.usage.apply(rows)


def _derived(first: Rows, effective: FieldMapping, mapping: FieldMapping, sides: MailSides | None) -> _Derived:
    role_column = effective.column_of("role")
    flags = role_flags(
        first.columns,
        has_roles=role_column in first.columns or "role" in effective.constants,
        role_column=role_column,
        stated=mapping.roles,
        but={*effective.columns.values(), *(name for rule in mapping.rules for name in rule.when)},
    )
    sides = None if flags.tells_speaker else sides
    lacking = (name for name in ("user_id", "agent_id") if effective.column_of(name) not in first.columns)
    people = tuple(name for name in lacking if sides is not None and name not in effective.constants)
    authors = authors_of(flags.apply(first, role_column).columns, effective, mapping)
    return _Derived(role_column, flags, sides, people, authors, _usage_column(first, effective))


def _timed(
    first: Rows, batches: Iterator[Rows], effective: FieldMapping, mapping: FieldMapping, recognised: Recognised
) -> tuple[FieldMapping, Rows, Iterator[Rows]]:
    """Return mapping, first rows and batches with the column of times, and how it is written."""
    timed = first
    clock = date_and_time(first.columns, effective, mapping)
    if clock is not None:
        effective, timed, batches = _with_times(clock, effective, timed, batches, recognised)
    zone = zone_of_row(timed.columns, effective)
    if zone is not None:
        if zone.is_used:
            effective, timed, batches = _with_times(zone, effective, timed, batches, recognised)
        recognised.notes.append(zone.note())
        recognised.tell(zone.note())
    effective = with_date_order(timed, effective, recognised.notes, recognised.dates)
    return effective, timed, batches


def _usage_column(first: Rows, effective: FieldMapping) -> UsageColumn | None:
    lacking = [
        name
        for name in ("input_tokens", "output_tokens")
        if name not in effective.columns and name not in effective.constants and name not in first.columns
    ]
    conversations = first.columns.get(effective.column_of("conversation_id"))
    keys = [] if conversations is None else conversations.slice(0, _LOOKED_AT).to_pylist()
    return usage_column(first.columns, lacking, keys) if lacking else None


def _mail_sides(first: Rows, effective: FieldMapping, stated: FieldMapping) -> MailSides | None:
    """Return who writes in a table of mails without a column of words for roles; None for another table."""
    column = effective.column_of("role")
    if "role" in stated.columns or "role" in stated.constants:
        return None
    if column in first.columns and _tells_roles(first, column):
        return None
    return mail_sides(first.columns, effective.column_of("conversation_id"))


def _tells_roles(first: Rows, column: str) -> bool:
    return tells_roles(column_form(column), first.columns[column].slice(0, _LOOKED_AT).to_pylist())


def _names_authors(first: Rows, effective: FieldMapping, stated: FieldMapping) -> bool:
    """Tell whether the column that was taken for the role has names instead, one of them the ticket's customer."""
    column = effective.column_of("role")
    if "role" in stated.columns or "role" not in effective.columns or column not in first.columns:
        return False
    return not _tells_roles(first, column) and author_and_requester(first.columns)[0] is not None


def _with_times(
    made: DateAndTime | ZoneOfRow, mapping: FieldMapping, first: Rows, batches: Iterator[Rows], recognised: Recognised
) -> tuple[FieldMapping, Rows, Iterator[Rows]]:
    """Return mapping, first rows and batches with the column of times that two columns make."""
    recognised.columns["timestamp"] = made.name
    mapping = mapping.model_copy(update={"columns": {**mapping.columns, "timestamp": made.name}})
    return mapping, made.joined(first), (made.joined(rows) for rows in batches)


_LOOKED_AT = 200
"""First rows whose values show what a column is."""
_DATA = re.compile(r"\d{4}-\d{2}-\d{2}.*|\d{9,}|(?i:user|assistant|agent|customer|bot|system)")


def _refuse_data_as_header(names: Iterable[str], mapping: FieldMapping, file: SourceFile) -> None:
    """Refuse a table whose first line is data: a time, and a word for a role.

    Raises:
        SourceError: Naming the line.
    """
    header = list(names)
    lacking = [
        name for name in REQUIRED_INPUT if name not in mapping.constants and mapping.column_of(name) not in header
    ]
    if len(lacking) > 1 and sum(bool(_DATA.fullmatch(name.strip())) for name in header) >= 2:
        line = ", ".join(header)[:100]
        raise SourceError(
            f"{file.place}: has no header line (it begins with {line!r}); write the names of the columns above, "
            f"e.g. {','.join(REQUIRED_INPUT)}"
        )


def _first_values(rows: Rows) -> dict[str, list[str | None]]:
    return {name: values.slice(0, _LOOKED_AT).to_pylist() for name, values in rows.columns.items()}


def with_usual_columns(
    names: Iterable[str], mapping: FieldMapping, values: Mapping[str, list[str | None]] | None = None
) -> FieldMapping:
    """Return the mapping with columns that are taken by their usual names."""
    sessions = {"conversation_id"} if mapping.session_gap else set()  # the mapping makes conversations itself
    usual = usual_columns(list(names), {*mapping.columns, *mapping.constants} | sessions, values=values)
    return mapping.model_copy(update={"columns": {**usual, **mapping.columns}}) if usual else mapping
