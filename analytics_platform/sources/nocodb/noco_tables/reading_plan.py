"""Find the names of a mapping in the description of a NocoDB table.

A name is the title of a column, its name in the database, or a dotted path: to a column of a linked record
(``Tickets.Subject``), or to a place within JSON (``meta.author.type``).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.mapping import INPUT_NAMES, VARIABLE, FieldMapping
from analytics_platform.sources.nocodb.noco_api.nocodb_tables import NocoColumn, NocoTable
from analytics_platform.sources.nocodb.noco_tables.cell_values import CHECKBOX_NUMBER
from analytics_platform.sources.nocodb.noco_tables.conversation_rows import ATTRIBUTES
from analytics_platform.sources.nocodb.noco_tables.linked_records import Link
from analytics_platform.sources.nocodb.noco_tables.record_reading import Place, RecordReading
from analytics_platform.sources.shapes.table_parts.table_columns import usual_columns

logger = logging.getLogger(__name__)

Describe = Callable[[str], NocoTable]

_DEEPEST_LOOKUP = 5
_SEPARATOR = re.compile(r"[.\[]")
_KEY_NAMES = frozenset({"Id", "id"})


@dataclass(frozen=True)
class _Found:
    """A name's column, and what of the linked record it takes."""

    name: str
    column: NocoColumn
    path: str = ""
    field: NocoColumn | None = None


def plan_reading(table: NocoTable, mapping: FieldMapping, describe: Describe, *, guesses: bool) -> RecordReading:
    """Return how the records of a table are read.

    Args:
        table: The table.
        mapping: Field mapping of this table.
        describe: Returns the description of a table by its id.
        guesses: Whether the attributes of conversations may come from the record that the conversation's id links,
            by the usual names of its columns.

    Raises:
        SourceError: If a path names a column that the linked table does not have.
    """
    planner = _Planner(table, describe, _number_words(mapping))
    found = [one for name in _names(mapping) if (one := planner.find(name))]
    found += [_Found(name, column) for name in _own_names(mapping) if (column := planner.titled(name))]
    if guesses:
        found += planner.guessed(mapping, found)
    links = {link.column.id: link for link in planner.links(found)}
    return RecordReading(
        places=tuple(planner.place(one, links) for one in found),
        links=tuple(links.values()),
        conversation=mapping.column_of("conversation_id"),
        lists=planner.lists(links.values()),
        attachments=frozenset(column.title for column in table.columns if column.type == "Attachment"),
        left_out=planner.left_out(found, has_links=bool(links)),
    )


def _names(mapping: FieldMapping) -> list[str]:
    """Return the names of columns that a mapping has, in its order."""
    return list(dict.fromkeys([*mapping.columns.values(), *(name for rule in mapping.rules for name in rule.when)]))


def _own_names(mapping: FieldMapping) -> list[str]:
    """Return the input columns that are read from columns of the same name."""
    named = set(_names(mapping))
    return [name for name in INPUT_NAMES if name not in mapping.columns.keys() | mapping.constants.keys() | named]


def _number_words(mapping: FieldMapping) -> frozenset[str]:
    """Return the columns whose values all rules write as 0 and 1."""
    words: dict[str, set[str]] = {}
    for rule in mapping.rules:
        for name, given in rule.when.items():
            words.setdefault(name, set()).update([given] if isinstance(given, str) else given)
    return frozenset(name for name, given in words.items() if given <= {"0", "1"})


@dataclass(frozen=True)
class _Planner:
    table: NocoTable
    describe: Describe
    number_words: frozenset[str]

    def titled(self, name: str) -> NocoColumn | None:
        return next((column for column in self.table.columns if column.title == name), None)

    def find(self, name: str) -> _Found | None:
        """Return where a name is; None if no column has it."""
        for prefix, path in _splits(name):
            column = self.table.column(prefix)
            if column is None:
                continue
            if not path or not column.is_link:
                return _Found(name, column, path)
            return self._find_linked(name, column, path)
        logger.warning("%s: %s: the NocoDB table %s has no such column", VARIABLE, name, self.table.title)
        return None

    def _find_linked(self, name: str, link: NocoColumn, path: str) -> _Found:
        linked = self.describe(str(link.related_table))
        for prefix, rest in _splits(path):
            field = linked.column(prefix)
            if field is not None:
                return _Found(name, link, rest, field)
        if path in _KEY_NAMES:
            return _Found(name, link)
        titles = ", ".join(column.title for column in linked.columns if not column.system)
        raise SourceError(
            f"{VARIABLE}: {name}: the linked table {linked.title} (NocoDB table {linked.id}) has no column {path!r}; "
            f"it has {titles}"
        )

    def guessed(self, mapping: FieldMapping, found: Collection[_Found]) -> Iterator[_Found]:
        """Yield attributes that the record linked as conversation states under usual names."""
        name = mapping.column_of("conversation_id")
        link = next((one.column for one in found if one.name == name and one.column.is_link and not one.field), None)
        if link is None:
            return
        linked = self.describe(str(link.related_table))
        titles = [column.title for column in linked.columns if not column.system and not column.is_link]
        stated = {*mapping.columns, *mapping.constants, *(one.name for one in found)}
        usual = usual_columns(titles, ()) | {name: name for name in titles}
        for attribute in ATTRIBUTES:
            field = linked.column(usual[attribute]) if attribute in usual and attribute not in stated else None
            if field is not None:
                logger.info("%s is read from the column %s.%s", attribute, link.title, field.title)
                yield _Found(attribute, link, field=field)

    def links(self, found: Collection[_Found]) -> Iterator[Link]:
        """Yield each link that a name, or the value of a name, depends on."""
        named = {one.column.id: one.column for one in found if one.column.is_link}
        needed = {column.id: column for one in found if (column := self._link_behind(one.column))}
        for identity, column in (needed | named).items():
            linked = self.describe(str(column.related_table))
            if linked.key is None:
                raise SourceError(
                    f"NocoDB table {linked.id} ({linked.title}) has no key of one column; "
                    f"the link {column.title} of {self.table.title} cannot be read"
                )
            display = [each.title for each in linked.columns if each.display and identity not in named]
            fields = [one.field.title for one in found if one.field is not None and one.column.id == identity]
            titles = dict.fromkeys([linked.key.title, *display, *fields, *linked.times])
            yield Link(column, linked, tuple(titles), named=identity in named)

    def _link_behind(self, column: NocoColumn) -> NocoColumn | None:
        """Return the link that a lookup reads through, or whose key a column holds; None for other columns."""
        if column.relation:
            link = self.table.column_by_id(column.relation)
            return link if link is not None and link.is_link else None
        if column.type == "ForeignKey":
            return next((one for one in self.table.columns if one.is_link and one.foreign_key == column.id), None)
        return None

    def lists(self, links: Iterable[Link]) -> tuple[str, ...]:
        """Return the titles of all columns of type ``Links`` if the records of one of them are needed."""
        if not any(link.column.type == "Links" for link in links):
            return ()
        return tuple(column.title for column in self.table.columns if column.type == "Links")

    def place(self, found: _Found, links: dict[str, Link]) -> Place:
        link = links.get(found.column.id) if found.column.is_link else None
        if link is None or found.field is None:
            kind = self._kind(found.column, self.table)
            if kind == "Checkbox" and found.name in self.number_words:
                kind = CHECKBOX_NUMBER
            return Place(found.name, found.column, kind, found.path, link)
        field, key = found.field, None
        if field.is_link:
            if field.type == "Links" or found.path:
                raise SourceError(
                    f"{VARIABLE}: {found.name} goes over two links; add a lookup column to {link.table.title}, "
                    f"and map {found.column.title}.<that column>"
                )
            further = self.describe(str(field.related_table)).key
            key = further.title if further else None
        return Place(found.name, found.column, self._kind(field, link.table), found.path, link, field.title, key)

    def _kind(self, column: NocoColumn, table: NocoTable, depth: int = 0) -> str:
        """Return the type by which a column's values are read: of a lookup, the type of the column that it reads."""
        link = table.column_by_id(column.relation) if column.type == "Lookup" else None
        if link is None or link.related_table is None or depth == _DEEPEST_LOOKUP:
            return column.type
        linked = self.describe(link.related_table)
        target = linked.column_by_id(column.target)
        return column.type if target is None else self._kind(target, linked, depth + 1)

    def left_out(self, found: Collection[_Found], *, has_links: bool) -> frozenset[str]:
        """Return titles of columns that stand under another name, or that the server keeps for its links."""
        names = {one.name for one in found}
        renamed = {one.column.title for one in found if not one.path and one.field is None} - names
        inner = (
            {column.title for column in self.table.columns if column.system and column.is_link} if has_links else set()
        )
        return frozenset(renamed | inner)


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield each way to take the beginning of a name as a column and the rest as a path, the longest column first."""
    yield name, ""
    for separator in reversed(list(_SEPARATOR.finditer(name))):
        yield name[: separator.start()], name[separator.start() :].removeprefix(".")
