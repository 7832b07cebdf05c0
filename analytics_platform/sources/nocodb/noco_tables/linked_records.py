"""Records that a link of NocoDB names, in one form for both versions of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics_platform.sources.nocodb.noco_api.dialects import KEY, MOST_LINKED
from analytics_platform.sources.nocodb.noco_api.nocodb_errors import NocoContractError
from analytics_platform.sources.nocodb.noco_api.nocodb_tables import NocoColumn, NocoTable

CHANGE_TIMES = ("UpdatedAt", "CreatedAt")


@dataclass(frozen=True)
class Link:
    """A link whose records are read together with each row.

    Attributes:
        column: The column.
        table: The table of the linked records.
        fields: Titles of the linked records' columns to ask for, the key and the times among them.
        named: Whether the mapping names the link; if not, a value that the mapping names depends on it.
    """

    column: NocoColumn
    table: NocoTable
    fields: tuple[str, ...]
    named: bool

    @property
    def key(self) -> str:
        """Title of the linked table's key."""
        return self.table.key.title if self.table.key else KEY

    @property
    def is_followed(self) -> bool:
        """Whether the server tells which of the linked records have changed."""
        return self.key == KEY and self.table.times == CHANGE_TIMES

    def records(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the records that a record links, as flat objects in the order of their keys.

        Raises:
            NocoContractError: If the cell does not have the linked records.
        """
        cell = record.get(self.column.title)
        items = [] if cell in (None, 0) else cell if isinstance(cell, list) else [cell]
        found = [flat_record(item, self.key) for item in items]
        if not all(self.key in one for one in found):
            raise NocoContractError(
                f"the link {self.column.title!r} came as {str(cell)[:80]!r}, without the linked records; "
                "update the server, or map a lookup column in its place"
            )
        return sorted(found, key=lambda one: (isinstance(one[self.key], str), one[self.key]))

    def changed_at(self, linked: Mapping[str, Any]) -> str | None:
        """Return the server's time of a linked record's last change; None if it states none."""
        return next((linked[name] for name in self.table.times if linked.get(name)), None)

    def as_unread(self, cell: Any) -> Any:
        """Return a cell as the server writes it when nothing is asked of the linked records."""
        return linked_count(cell) if self.column.type == "Links" else _without(cell, self.table.times)


def linked_count(cell: Any) -> Any:
    """Return the number of linked records that a list has; None where the list may have been cut."""
    if not isinstance(cell, list):
        return cell
    return len(cell) if len(cell) < MOST_LINKED else None


def flat_record(item: Any, key: str) -> dict[str, Any]:
    """Return a linked record as titles to values: ``{"id": 1, "fields": {...}}`` becomes ``{key: 1, ...}``.

    Args:
        item: One linked record, as either version of the API writes it.
        key: Title of the linked table's key.
    """
    if not isinstance(item, Mapping):
        return {}
    if "id" in item and (isinstance(item.get("fields"), Mapping) or item.keys() == {"id"}):
        return {key: item["id"], **item.get("fields", {})}
    return dict(item)


def _without(cell: Any, titles: tuple[str, ...]) -> Any:
    if isinstance(cell, list):
        return [_without(item, titles) for item in cell]
    if not isinstance(cell, Mapping):
        return cell
    return {
        name: _without(value, titles) if name == "fields" else value
        for name, value in cell.items()
        if name not in titles
    }
