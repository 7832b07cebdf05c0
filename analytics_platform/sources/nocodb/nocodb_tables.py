"""Description of a NocoDB table: its columns, as the server declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NocoColumn:
    """One column of a table.

    Attributes:
        title: Name of the column in rows and filters.
        type: The server's type, such as ``SingleLineText`` or ``DateTime``.
        system: Whether the server itself fills the column, such as ``CreatedAt``.
        primary_key: Whether the column is the table's key, or a part of it.
        related_table: For a link, id of the table of the linked records; None for any other column.
    """

    title: str
    type: str
    system: bool
    primary_key: bool
    related_table: str | None = None


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


def parse_table(payload: Mapping[str, Any]) -> NocoTable:
    """Read the server's description of a table.

    Raises:
        KeyError, TypeError: If the description has another shape.
    """
    columns = tuple(
        NocoColumn(
            title=str(column["title"]),
            type=str(column["uidt"]),
            system=bool(column.get("system")),
            primary_key=bool(column.get("pk")),
            related_table=_related_table(column),
        )
        for column in payload["columns"]
    )
    return NocoTable(str(payload["id"]), str(payload["title"]), str(payload["base_id"]), columns)


def _related_table(column: Mapping[str, Any]) -> str | None:
    options = column.get("colOptions")
    target = options.get("fk_related_model_id") if isinstance(options, Mapping) else None  # of a select: the choices
    return None if target is None else str(target)
