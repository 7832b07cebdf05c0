"""The bases of a NocoDB server, and the lists of their tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NocoBase:
    """One base: a set of tables.

    Attributes:
        id: Identifier in requests.
        title: Name that people see.
    """

    id: str
    title: str


def parse_bases(payload: Mapping[str, Any]) -> list[NocoBase]:
    """Read the server's list of bases.

    Raises:
        KeyError, TypeError: If the list has another shape.
    """
    return [NocoBase(str(base["id"]), str(base["title"])) for base in payload["list"]]


def parse_table_titles(payload: Mapping[str, Any]) -> dict[str, str]:
    """Read the server's list of the tables of a base: title by id of the table.

    Raises:
        KeyError, TypeError: If the list has another shape.
    """
    return {str(table["id"]): str(table["title"]) for table in payload["list"]}
