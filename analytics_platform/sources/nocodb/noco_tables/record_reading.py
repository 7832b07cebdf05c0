"""From records as the server writes them to records under the names of the mapping.

Both versions of the API give the same values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from analytics_platform.sources.nocodb.noco_api.dialects import KEY, LinkedFields
from analytics_platform.sources.nocodb.noco_api.nocodb_tables import NocoColumn
from analytics_platform.sources.nocodb.noco_tables.cell_values import at_path, attachment_markers, joined, plain_values
from analytics_platform.sources.nocodb.noco_tables.linked_records import Link, flat_record, linked_count
from analytics_platform.sources.rows import Problem

Record = Mapping[str, Any]

LINKED = pa.schema(
    [("id", pa.int64()), ("linked_table", pa.string()), ("linked_id", pa.string()), ("linked_stamp", pa.string())]
)
"""Records that rows link: the row, and the table, the key and the last change of the linked record."""


@dataclass(frozen=True)
class Place:
    """Where the value of a name is.

    Attributes:
        name: The name, as the mapping writes it.
        column: The column of the table.
        kind: The type by which the value is read.
        path: Dotted path within the value; empty for the whole value.
        link: The link, where the column is one.
        field: Title of the linked record's column; None for the linked record's key.
        field_key: Title of the key of the records that ``field`` itself links; None where it is no link.
    """

    name: str
    column: NocoColumn
    kind: str
    path: str = ""
    link: Link | None = None
    field: str | None = None
    field_key: str | None = None

    def values(self, record: Record) -> list[Any]:
        """Return the values of a record: none, one, or one per item of the cell."""
        if self.link is None:
            return self._of_cell(record.get(self.column.title))
        linked = self.link.records(record)
        if self.field is None:
            return [one[self.link.key] for one in linked]
        return list(dict.fromkeys(value for one in linked for value in self._of_cell(one.get(self.field))))

    def _of_cell(self, cell: Any) -> list[Any]:
        if self.field_key is not None:
            items = cell if isinstance(cell, list) else [cell]
            return [flat_record(item, self.field_key).get(self.field_key) for item in items if item is not None]
        return at_path(cell, self.path) if self.path else plain_values(self.kind, cell)


@dataclass(frozen=True)
class RecordReading:
    """How the records of one table are read.

    Attributes:
        places: Where the names of the mapping are.
        links: Links whose records are read with the rows.
        conversation: The name that the conversation's id is read from.
        lists: Titles of the columns of type ``Links``, where they give lists of records; else none.
        attachments: Titles of the columns with attachments.
        left_out: Titles of columns that have another name in the mapping, or that the server keeps for its links.
    """

    places: tuple[Place, ...] = ()
    links: tuple[Link, ...] = ()
    conversation: str = "conversation_id"
    lists: tuple[str, ...] = ()
    attachments: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()

    @property
    def linked_fields(self) -> LinkedFields:
        """The linked records that the values need."""
        return LinkedFields({link.column.title: link.fields for link in self.links}, self.lists)

    @property
    def linked_times(self) -> LinkedFields:
        """The keys and times of the linked records."""
        return LinkedFields({link.column.title: (link.key, *link.table.times) for link in self.links}, self.lists)

    def read(self, records: Sequence[Record]) -> tuple[list[dict[str, Any]], dict[int, Problem]]:
        """Return records under the names of the mapping, and the problems of those that cannot be used, by key."""
        problems: dict[int, Problem] = {}
        return [self._read_one(record, problems) for record in records], problems

    def stamps(self, records: Sequence[Record]) -> pa.Array:
        """Return, for each record, the time of its last change, followed by keys and times of its linked records."""
        return pa.array([self._stamp(record) for record in records], pa.string())

    def linked(self, records: Sequence[Record]) -> pa.Table:
        """Return the records that records link, of the schema ``LINKED``."""
        found = [
            {
                "id": record[KEY],
                "linked_table": link.table.id,
                "linked_id": str(one[link.key]),
                "linked_stamp": link.changed_at(one),
            }
            for record in records
            for link in self.links
            for one in link.records(record)
        ]
        return pa.Table.from_pylist(found, schema=LINKED)

    def _stamp(self, record: Record) -> str | None:
        own: str | None = record.get("UpdatedAt") or record.get("CreatedAt")
        if not self.links:
            return own
        linked = (
            f"{link.column.title}={one[link.key]}@{link.changed_at(one)}"
            for link in self.links
            for one in link.records(record)
        )
        return " ".join([str(own), *linked])

    def _read_one(self, record: Record, problems: dict[int, Problem]) -> dict[str, Any]:
        found = {name: value for name, value in record.items() if name not in self.left_out}
        for title in self.attachments & found.keys():
            found[title] = attachment_markers(found[title])
        links = {link.column.title: link for link in self.links}
        for title in [*links, *(name for name in self.lists if name not in links)]:
            if title not in found:
                continue
            link = links.get(title)
            if link is None:
                found[title] = linked_count(found[title])
            else:
                keys = [one[link.key] for one in link.records(record)]
                found[title] = joined("", keys) if link.named else link.as_unread(found[title])
        for place in self.places:
            if place.column.title in record:
                values = place.values(record)
                found[place.name] = joined(place.kind, values)
                if place.name == self.conversation and len(values) > 1:
                    problems[record[KEY]] = Problem(
                        "unreadable_row",
                        f"{place.name} names {len(values)} conversations ({found[place.name]}); a message has one",
                    )
        return found
