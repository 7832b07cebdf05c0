"""Guess which tables of a NocoDB server hold messages and conversations, and what their columns mean.

Names are read as those of a file's columns (``shapes.table_parts.table_columns``). Types of columns, Links and a sample
of rows add what the names leave open.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from analytics_platform.model.tables.raw_tables import REQUIRED_INPUT
from analytics_platform.sources.mapping import INPUT_NAMES, FieldMapping, RowRule
from analytics_platform.sources.nocodb.noco_api.nocodb_bases import NocoBase
from analytics_platform.sources.nocodb.noco_api.nocodb_tables import NocoColumn, NocoTable
from analytics_platform.sources.nocodb.noco_tables.conversation_rows import ATTRIBUTES
from analytics_platform.sources.nocodb.noco_tables.records import ID, Record
from analytics_platform.sources.row_rules.role_words import default_role_words, plain_word
from analytics_platform.sources.rows import as_text, text_array
from analytics_platform.sources.shapes.table_parts.table_columns import meaning_of, usual_attributes, usual_columns
from analytics_platform.sources.shapes.table_parts.table_roles import FALSE_WORDS, NOTE_WORDS, TRUE_WORDS, role_flags

_TIMES = frozenset({"Date", "DateTime", "Time", "CreatedTime", "LastModifiedTime", "Year", "Duration"})
_NUMBERS = frozenset({"Number", "Decimal", "Currency", "Percent", "Rating", "AutoNumber", "Rollup", "Count"})
_CHOICES = frozenset({"SingleSelect", "MultiSelect"})
_ADDRESSES = frozenset({"Email", "URL", "PhoneNumber", "User"})
_NAMES_NOTHING = _TIMES | {"Checkbox", "Rating", "LongText"}
_UNFIT: Mapping[str, frozenset[str]] = {
    "conversation_id": _TIMES | {"Checkbox", "Rating"},
    "message_id": _NAMES_NOTHING,
    "role": _TIMES | _NUMBERS | {"Checkbox", "LongText", "JSON", "Email", "URL", "PhoneNumber"},
    "text": _TIMES | _NUMBERS | _CHOICES | _ADDRESSES | {"Checkbox"},
    "timestamp": _CHOICES | _ADDRESSES | {"Checkbox", "Rating", "LongText", "Time", "Year", "Duration", "Percent"},
    "rating": _TIMES | _ADDRESSES | {"LongText"},
    **dict.fromkeys(("user_id", "agent_id", "channel", "model", "language", "outcome"), _NAMES_NOTHING),
}
"""Input column to the types of columns that it is not read from."""

_WITHOUT_VALUES = frozenset(
    {"ID", "Order", "Links", "Button", "Attachment", "QrCode", "Barcode", "Geometry", "CreatedBy", "LastModifiedBy"}
)
_MESSAGES = re.compile(r"(?i)messag|chat|comment|repl(y|ies)|utteranc|\bturns?\b|nachricht|mensaje")
_MANY_ROLE_WORDS, _MOSTLY_ROLE_WORDS = 0.5, 0.9
_KEY_WORDS = re.compile(r"(?i)(id|key|uuid|number|no|nr|ref|reference|name|subject|title)$")


@dataclass(frozen=True)
class SeenTable:
    """A table of the server, as far as it has been looked at.

    Attributes:
        base: The base of the table.
        table: Its description.
        rows: Number of its rows.
        sample: Its first rows; empty before they are read.
    """

    base: NocoBase
    table: NocoTable
    rows: int
    sample: Sequence[Record] = ()

    @property
    def is_readable(self) -> bool:
        """Whether the source can read the table: it needs the column ``Id`` that NocoDB adds."""
        return any(column.title == ID for column in self.table.columns)


@dataclass(frozen=True)
class TableGuess:
    """What the columns of a table of messages are taken for.

    Attributes:
        columns: Input column to column of the table.
        constants: Input column to the value of every row.
        rules: Rules that set the role of rows.
        linked_table: Id of the table to whose records the column of conversation_id links; None without a Link.
        notes: Sentences about what a person should check.
        score: How much the table looks like one of messages; 0 for a table that cannot be one.
    """

    columns: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    rules: tuple[RowRule, ...] = ()
    linked_table: str | None = None
    notes: tuple[str, ...] = ()
    score: float = 0.0

    def completed(self, given: FieldMapping) -> FieldMapping:
        """Return a mapping with what was guessed; what ``given`` states wins."""
        return given.model_copy(
            update={
                "columns": {**self.columns, **given.columns},
                "constants": {**self.constants, **given.constants},
                "rules": (*self.rules, *given.rules),
            }
        )


def guess_messages(seen: SeenTable, tables: Mapping[str, NocoTable], given: FieldMapping) -> TableGuess:
    """Guess what the columns of a table mean if the table holds messages.

    Args:
        seen: The table. Without a sample, names and types decide.
        tables: Description by id of the tables that the token sees.
        given: The mapping of the settings; what it states is not guessed.
    """
    stated = {*given.columns, *given.constants} | ({"conversation_id"} if given.session_gap else set())
    guessing = _Guessing(seen, stated)
    guessing.take_links(tables)
    guessing.take_usual_names()
    guessing.take_roles()
    guessing.take_text()
    guessing.take_time()
    guessing.take_only_link()
    guessing.take_linked_fields(tables)
    return guessing.guess()


def guess_attributes(seen: SeenTable, tables: Mapping[str, NocoTable]) -> dict[str, str]:
    """Return what the columns of a table of conversations are taken for: attribute to column.

    Args:
        seen: The table.
        tables: Description by id of the tables that the token sees.
    """
    fields = _fields(seen.table)
    columns = {
        name: title for name, title in _meanings_of_links(seen.table, tables).items() if name != "conversation_id"
    }
    wanted = [name for name in ATTRIBUTES if name not in columns]
    columns |= usual_attributes(list(fields), wanted, _excluded(fields))
    ratings = [column.title for column in fields.values() if column.type == "Rating"]
    if "rating" not in columns and len(ratings) == 1:
        columns["rating"] = ratings[0]
    return columns


def possible_keys(table: NocoTable) -> list[str]:
    """Return the columns of a table whose values may be the ids of conversations, the most likely first."""
    fields = _fields(table)
    usual = usual_attributes(list(fields), ["conversation_id"], _excluded(fields)).values()
    unfit = _excluded(fields)["message_id"]
    named = [title for title in fields if _KEY_WORDS.search(title) and title not in unfit]
    return list(dict.fromkeys((*usual, ID, *named)))


def ids_in(records: Sequence[Record], column: str) -> list[str]:
    """Return the different values of a column as texts, in the order of the records; of a Link, the records' ids."""
    found = (_linked_id(record.get(column)) for record in records)
    return list(dict.fromkeys(value for value in found if value))


class _Guessing:
    """Collects the guess about one table, step by step; a later step fills what the steps before left open."""

    def __init__(self, seen: SeenTable, stated: Collection[str]) -> None:
        self._table, self._rows, self._sample = seen.table, seen.rows, seen.sample
        self._stated = set(stated)
        self._fields = _fields(seen.table)
        self._links = {column.title: column for column in _links(seen.table)}
        self._columns: dict[str, str] = {}
        self._constants: dict[str, str] = {}
        self._rules: list[RowRule] = []
        self._notes: list[str] = []
        self._role_share = 0.0

    def take_links(self, tables: Mapping[str, NocoTable]) -> None:
        """Take Links to tickets, customers and agents, by their titles and those of the linked tables."""
        self._columns |= {
            name: title for name, title in _meanings_of_links(self._table, tables).items() if name not in self._stated
        }

    def take_usual_names(self) -> None:
        """Take columns by the names that they usually have."""
        names = list(self._fields)
        self._columns |= usual_columns(names, self._stated | self._columns.keys(), _excluded(self._fields))
        self._columns |= {name: name for name in INPUT_NAMES if name in names and not self._has(name)}

    def take_roles(self) -> None:
        """Take the column whose values are words for roles, or columns of flags such as ``From Agent``."""
        if "role" in self._stated:
            self._role_share = 1.0
            return
        named = self._columns.get("role")
        self._role_share = self._share_of_role_words(named) if named else 0.0
        if self._role_share < _MANY_ROLE_WORDS:
            shares = {title: self._share_of_role_words(title) for title in self._free("role")}
            best = max(shares, key=lambda title: shares[title], default=None)
            if best is not None and shares[best] >= _MOSTLY_ROLE_WORDS:
                self._columns["role"], self._role_share = best, shares[best]
                self._notes.append(f"{best} is taken for role, because its values are words for roles.")
        if all(self._columns.get(name) == name for name in REQUIRED_INPUT):
            return  # a table in our own columns is taken as it is
        is_named = "role" in self._columns and (self._role_share > 0 or not self._sample)
        flags = role_flags({title: self._values(title) for title in self._fields}, has_roles=is_named)
        if flags.speaker:
            self._columns.pop("role", None)
            # A checkbox that was never touched has no value, so the other role is that of every row at first.
            self._constants["role"] = "user" if flags.speaker_if_true == "agent" else "agent"
            self._rules.append(RowRule(when={flags.speaker: TRUE_WORDS}, role=flags.speaker_if_true))
            self._role_share = 1.0
        if flags.note:
            words = TRUE_WORDS if flags.note_if_true else FALSE_WORDS
            self._rules.append(RowRule(when={flags.note: (*words, *NOTE_WORDS)}, role="system"))
        taken = self._columns.values()
        # The sample need not have a note: the mapping is written once, and a note may be written tomorrow.
        self._rules += [RowRule(when={kind: NOTE_WORDS}, role="system") for kind in flags.kinds if kind not in taken]
        self._notes += flags.notes()

    def _values(self, title: str) -> pa.Array:
        """Return the values of a column in the sample as texts; one null where there is no sample."""
        return text_array([record.get(title) for record in self._sample] or [None])

    def take_text(self) -> None:
        """Take the column of the longest texts, if no column is called text."""
        if self._has("text"):
            return
        lengths = {title: self._mean_length(title) for title in self._free("text")}
        long = [title for title in lengths if self._fields[title].type == "LongText"]
        best = max(long or lengths, key=lambda title: lengths[title], default=None)
        if best is not None and (len(long) == 1 or lengths[best] > 0):
            self._columns["text"] = best
            self._notes.append(f"{best} is taken for text, because its texts are the longest.")

    def take_time(self) -> None:
        """Take the only column of times, or else the time when NocoDB stored the row."""
        if self._has("timestamp"):
            return
        for kind in ("DateTime", "CreatedTime", "Date"):
            titles = [title for title in self._free("timestamp") if self._fields[title].type == kind]
            if titles:
                self._columns["timestamp"] = titles[0]
                self._notes.append(f"{titles[0]} is taken for timestamp, because it is of the type {kind}.")
                return
        stored = next((column.title for column in self._table.columns if column.type == "CreatedTime"), None)
        if stored:
            self._columns["timestamp"] = stored
            self._notes.append(
                f"No column has the time of a message, so {stored} is taken: the time when NocoDB stored the row."
            )

    def take_only_link(self) -> None:
        """Take the only Link for the conversation, if no column names one."""
        # The value of a column of the type Links is the number of linked records, as a ticket has of its messages.
        links = [title for title, link in self._links.items() if link.type != "Links"]
        free = [title for title in links if title not in self._columns.values()]
        if not self._has("conversation_id") and len(free) == 1:
            self._columns["conversation_id"] = free[0]
            self._notes.append(f"{free[0]} is taken for conversation_id, because it is the only Link to other records.")

    def take_linked_fields(self, tables: Mapping[str, NocoTable]) -> None:
        """Take fields of linked records, as ``Survey.Score``; not of conversations whose table can be read itself."""
        for title, link in self._links.items():
            linked = tables.get(link.related_table or "")
            if title in self._columns.values() and (linked or title != self._columns.get("conversation_id")):
                continue  # the record is the customer, the agent, or a conversation with a table of its own
            fields = _fields(linked) if linked else {}
            shown = {name for record in self._sample for name in _linked_fields(record.get(title))}
            names = list(fields) or sorted(shown)
            wanted = [name for name in ATTRIBUTES if not self._has(name)]
            for name, column in usual_attributes(names, wanted, _excluded(fields)).items():
                self._columns[name] = f"{title}.{column}"

    def guess(self) -> TableGuess:
        """Return the guess."""
        link = self._links.get(self._columns.get("conversation_id", ""))
        if link:
            self._notes.append(f"{link.title} links to other records: the id of the linked record is the conversation.")
        if not self._has("conversation_id"):
            self._notes.append(
                "No column says to which conversation a message belongs; `session_gap: 4h` in the mapping makes "
                "conversations of the messages of one user_id that follow each other within four hours."
            )
        return TableGuess(
            dict(self._columns),
            dict(self._constants),
            tuple(self._rules),
            link.related_table if link else None,
            tuple(self._notes),
            self._score(),
        )

    def _score(self) -> float:
        has_role = self._has("role")
        if not self._has("text") or not (has_role or self._has("conversation_id")):
            return 0.0
        column = self._fields.get(self._columns.get("text", ""))
        time = self._fields.get(self._columns.get("timestamp", ""))
        return (
            3.0 * self._has("conversation_id")
            + has_role * (1.0 + 4.0 * self._role_share if self._sample else 3.0)
            + 2.0
            + (column is not None and column.type == "LongText")
            + (1.5 if time is not None or "timestamp" in self._stated else 0.5)
            + 2.0 * bool(_MESSAGES.search(self._table.title))
            + (self._rows > 0)
        )

    def _has(self, name: str) -> bool:
        return name in self._columns or name in self._constants or name in self._stated

    def _free(self, name: str) -> list[str]:
        taken = {title for other, title in self._columns.items() if other != name}
        unfit = {*_excluded(self._fields)[name], *taken}
        return [title for title in self._fields if title not in unfit]

    def _texts(self, title: str) -> list[str]:
        texts = (as_text(record.get(title)) for record in self._sample)
        return [text for text in texts if text]

    def _share_of_role_words(self, title: str) -> float:
        texts = self._texts(title)
        known = default_role_words()
        return sum(plain_word(text) in known for text in texts) / len(texts) if texts else 0.0

    def _mean_length(self, title: str) -> float:
        texts = self._texts(title)
        return sum(map(len, texts)) / len(texts) if texts else 0.0


def _fields(table: NocoTable) -> dict[str, NocoColumn]:
    """Return the columns that people fill, by title, without Links."""
    return {
        column.title: column
        for column in table.columns
        if not column.system and not column.related_table and column.type not in _WITHOUT_VALUES
    }


def _links(table: NocoTable) -> list[NocoColumn]:
    """Return the Links of a table that people see."""
    return [column for column in table.columns if column.related_table and not column.system]


def _excluded(fields: Mapping[str, NocoColumn]) -> dict[str, list[str]]:
    """Return, for each input column, the columns whose type does not fit it."""
    return {name: [title for title, column in fields.items() if column.type in unfit] for name, unfit in _UNFIT.items()}


def _meanings_of_links(table: NocoTable, tables: Mapping[str, NocoTable]) -> dict[str, str]:
    """Return the Links whose title, or whose table's title, says what their records are: input column to Link."""
    found: dict[str, str] = {}
    for of_table in (False, True):
        for link in _links(table):
            linked = tables.get(link.related_table or "")
            meaning = meaning_of(link.title) if not of_table else meaning_of(linked.title) if linked else None
            if meaning and link.title not in found.values():
                found.setdefault(meaning, link.title)
    return found


def _linked_fields(value: Any) -> dict[str, Any]:
    """Return the fields of a linked record, of the first one of several; without its id."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return {}
    fields = value.get("fields", value)  # version 3 of the API, and version 2
    return {name: one for name, one in fields.items() if name not in {ID, "id"}} if isinstance(fields, dict) else {}


def _linked_id(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get(ID, value.get("id"))
    text = as_text(value)
    return text and text.strip()


def sampled(seen: SeenTable, sample: Sequence[Record]) -> SeenTable:
    """Return the table with a sample of its rows."""
    return replace(seen, sample=sample)
