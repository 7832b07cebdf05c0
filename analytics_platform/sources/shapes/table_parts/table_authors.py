"""Who wrote each row of a table with one column of authors: customers and agents by the role of the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.tables.raw_tables import REQUIRED_INPUT
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.row_rules.role_words import plain_word
from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.table_parts.column_names import by_form, column_form
from analytics_platform.sources.shapes.table_parts.table_people import writer_columns

_USERS = ("user_id", "userid", "user", "user_identifier")
"""Names of a column of customers that may also have the agents' ids, on rows of agents."""
_WRITERS = {"user_id": ("user",), "agent_id": ("agent", "assistant")}
"""Input column to the roles of the rows whose author it names."""


@dataclass(frozen=True)
class Authors:
    """The column of authors of a table.

    Attributes:
        column: Its name.
        role_column: Column of roles.
        filled: Input columns that the table lacks: ``user_id``, ``agent_id`` or both. A column of users that has also
            the agents' ids is ``column`` itself, and keeps those of customers.
        role_words: Word in lower case to role.
        holds_users: Whether ``user_id`` is read from ``column``, and would else have the agents' ids on their rows.
    """

    column: str
    role_column: str
    filled: tuple[str, ...]
    role_words: Mapping[str, str]
    holds_users: bool = False

    def apply(self, rows: Rows) -> Rows:
        """Return rows with the author as customer, or as agent; a row of another role has neither."""
        if self.column not in rows.columns or self.role_column not in rows.columns:
            return rows
        roles = _roles(rows.columns[self.role_column], self.role_words)
        authors = rows.columns[self.column]
        nothing = pa.scalar(None, authors.type)
        filled = {name: pc.if_else(pc.is_in(roles, pa.array(_WRITERS[name])), authors, nothing) for name in self.filled}
        if self.holds_users:
            filled[self.column] = filled.pop("user_id")
        return replace(rows, columns={**rows.columns, **filled})

    def note(self) -> str:
        """Return a sentence that says what is derived."""
        which = " and ".join({"user_id": "customer", "agent_id": "agent"}[name] for name in self.filled)
        return f"The column {self.column} names the {which}, by the role of the row."


def authors_of(columns: Mapping[str, pa.Array], mapping: FieldMapping, stated: FieldMapping) -> Authors | None:
    """Return the column of authors of a table; None if it has none, or if customers and agents have other columns.

    Args:
        columns: Columns of the table with their first values. An author of both customers' and agents' rows is none:
            the column then names the customer of the whole conversation.
        mapping: The mapping of the table, with the columns that are taken by their usual names.
        stated: The mapping of the source. Where it has rules, or names every required column, nothing is derived.
    """
    filled = tuple(
        name for name in _WRITERS if mapping.column_of(name) not in columns and name not in mapping.constants
    )
    role_column = mapping.column_of("role")
    decided = bool(stated.rules) or all(name in stated.columns for name in REQUIRED_INPUT)
    if decided or not filled or role_column not in columns:
        return None
    but = stated.columns.values()
    name_of = by_form(name for name in columns if name not in but)
    words = mapping.role_words()
    for column in writer_columns(name for name in name_of.values() if name != role_column):
        users, agents = _writers(columns[role_column], columns[column], words)
        if not users & agents and not all(plain_word(author) in words for author in users | agents):
            return Authors(column, role_column, filled, words)
    column = mapping.column_of("user_id")
    if filled == ("agent_id",) and column in name_of.values() and column_form(column) in _USERS:
        users, agents = _writers(columns[role_column], columns[column], words)
        if users and agents and not users & agents:
            return Authors(column, role_column, tuple(_WRITERS), words, holds_users=True)
    return None


def _writers(roles: pa.Array, authors: pa.Array, words: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """Return the authors of customers' rows and those of agents' rows."""
    of_role: dict[str, set[str]] = {name: set() for name in _WRITERS}
    for role, author in zip(_roles(roles, words).to_pylist(), authors.to_pylist(), strict=True):
        for name, known in _WRITERS.items():
            if role in known and author:
                of_role[name].add(author)
    return of_role["user_id"], of_role["agent_id"]


def _roles(values: pa.Array, words: Mapping[str, str]) -> pa.Array:
    """Return our role for each word; null for an unknown one."""
    encoded = pc.dictionary_encode(values)
    chunks = encoded.chunks if isinstance(encoded, pa.ChunkedArray) else [encoded]
    decoded = [
        pa.array(
            [words.get(plain_word(word)) if word else None for word in chunk.dictionary.to_pylist()], pa.string()
        ).take(chunk.indices)
        for chunk in chunks
    ]
    return pa.concat_arrays(decoded) if decoded else pa.array([], pa.string())
