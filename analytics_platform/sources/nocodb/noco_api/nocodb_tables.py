"""Description of a NocoDB table: its columns, as the server declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LINK_TYPES = frozenset({"LinkToAnotherRecord", "Links"})
"""Types of columns that link records; a record has the linked record, or, for ``Links``, the number of them."""


@dataclass(frozen=True)
class NocoColumn:
    """One column of a table.

    Attributes:
        title: Name of the column in rows and filters.
        type: The server's type, such as ``SingleLineText`` or ``DateTime``.
        system: Whether the server itself fills the column, such as ``CreatedAt``.
        primary_key: Whether the column is the table's key, or a part of it.
        id: Identifier of the column.
        name: Name of the column in the database; None for a column that is computed.
        display: Whether people see this column's value in the place of the record.
        related_table: For a link, id of the table of the linked records.
        foreign_key: For a link, id of the column that holds the linked record's key; the column belongs to this table
            or to the linked one.
        relation: For a lookup or a rollup, id of the link through which it reads.
        target: For a lookup, id of the column of the linked table that it reads.
    """

    title: str
    type: str
    system: bool
    primary_key: bool
    id: str = ""
    name: str | None = None
    display: bool = False
    related_table: str | None = None
    foreign_key: str | None = None
    relation: str | None = None
    target: str | None = None

    @property
    def is_link(self) -> bool:
        """Whether the column links records of a table."""
        return self.type in LINK_TYPES and self.related_table is not None


@dataclass(frozen=True)
class NocoTable:
    """One table.

    Attributes:
        id: Identifier in requests.
        title: Name that people see.
        base_id: Base of the table.
        columns: Columns in the server's order.
    """

    id: str
    title: str
    base_id: str
    columns: tuple[NocoColumn, ...]

    def column(self, name: str) -> NocoColumn | None:
        """Return the column with a title, or else with a name in the database; None if there is none."""
        titled = next((column for column in self.columns if column.title == name), None)
        return titled or next((column for column in self.columns if column.name == name), None)

    def column_by_id(self, identity: str | None) -> NocoColumn | None:
        """Return the column with an id; None if there is none."""
        return next((column for column in self.columns if column.id == identity), None) if identity else None

    @property
    def key(self) -> NocoColumn | None:
        """The column of the key; None where the key is no single column."""
        keys = [column for column in self.columns if column.primary_key]
        return keys[0] if len(keys) == 1 else None

    @property
    def times(self) -> tuple[str, ...]:
        """Titles of the columns in which the server keeps when a record was changed and created, in this order."""
        found = {column.type: column.title for column in self.columns if column.system}
        return tuple(found[kind] for kind in ("LastModifiedTime", "CreatedTime") if kind in found)


def parse_table(payload: Mapping[str, Any]) -> NocoTable:
    """Read the server's description of a table.

    Raises:
        KeyError, TypeError: If the description has another shape.
    """
    columns = tuple(_column(column) for column in payload["columns"])
    return NocoTable(str(payload["id"]), str(payload["title"]), str(payload["base_id"]), columns)


def _column(payload: Mapping[str, Any]) -> NocoColumn:
    options = payload.get("colOptions")
    options = options if isinstance(options, Mapping) else {}  # of a select, it has the choices
    return NocoColumn(
        title=str(payload["title"]),
        type=str(payload["uidt"]),
        system=bool(payload.get("system")),
        primary_key=bool(payload.get("pk")),
        id=str(payload.get("id") or ""),
        name=payload.get("column_name"),
        display=bool(payload.get("pv")),
        related_table=options.get("fk_related_model_id"),
        foreign_key=options.get("fk_child_column_id"),
        relation=options.get("fk_relation_column_id"),
        target=options.get("fk_lookup_column_id"),
    )
