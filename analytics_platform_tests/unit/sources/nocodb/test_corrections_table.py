"""A NocoDB table of corrections, whatever the types of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from analytics_platform.insights.learning.corrections_file import COLUMNS
from analytics_platform.sources.nocodb import NocoColumn, NocoContractError, NocoTable
from analytics_platform.sources.nocodb.corrections_table import read_corrections_table


class OneTable:
    """Stands for a client: one table with some columns and rows."""

    def __init__(self, columns: dict[str, str], *rows: dict[str, Any]) -> None:
        system = {"LastModifiedTime", "CreatedTime"}
        described = (NocoColumn(title, kind, kind in system, title == "Id") for title, kind in columns.items())
        self._table = NocoTable("t1", "Fixes", "b1", tuple(described))
        self._rows = rows

    def table(self, table_id: str) -> NocoTable:
        assert table_id == "t1"
        return self._table

    def pages(self, table_id: str, *, fields: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        assert table_id == "t1"
        for number, row in enumerate(self._rows, 1):
            yield [{"Id": number, **{name: value for name, value in row.items() if name in fields}}]


NAMES = {
    "Id": "ID", "Conversation_ID": "SingleLineText", "Kind": "SingleSelect", "label": "SingleSelect", "Who": "User",
    "UpdatedAt": "LastModifiedTime", "CreatedAt": "CreatedTime",
}  # fmt: skip


def test_users_and_missing_times_are_what_people_see() -> None:
    row = {
        "Conversation_ID": "c1", "Kind": "urgency", "label": "high", "secret": "x",
        "Who": [{"id": "u1", "email": "ann@example.com", "display_name": None}],
        "UpdatedAt": None, "CreatedAt": "2026-11-02 12:00:00+00:00",
    }  # fmt: skip
    client: Any = OneTable(NAMES, row)
    assert read_corrections_table(client, "t1", COLUMNS) == [
        {
            "conversation_id": "c1", "kind": "urgency", "label": "high", "author": "ann@example.com",
            "corrected_at": "2026-11-02 12:00:00+00:00", "feedback_id": "nocodb:1",
        }
    ]  # fmt: skip


def test_a_table_without_a_needed_column_is_refused_with_its_name() -> None:
    client: Any = OneTable({name: kind for name, kind in NAMES.items() if name != "Who"})
    with pytest.raises(NocoContractError, match="the table Fixes lacks the column who or author"):
        read_corrections_table(client, "t1", COLUMNS)
