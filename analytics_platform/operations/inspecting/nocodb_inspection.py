"""Look at a NocoDB server before any run: its bases and tables, and which of them hold messages and conversations.

Nothing is stored. Rows are read and judged by the rules of a run, as ``inspection`` does with files.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import islice
from typing import Any

import duckdb

from analytics_platform.operations.inspecting.file_views import ColumnViews, FileView
from analytics_platform.operations.inspecting.inspection import view_rows
from analytics_platform.sources.base import Progress, SourceError
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.nocodb import (
    NocoAuthError,
    NocoBase,
    NocoClient,
    NocoError,
    NocoNotFoundError,
    NocoRequestError,
    NocoTable,
)
from analytics_platform.sources.nocodb.mirroring.mirror import CONVERSATIONS, MESSAGES
from analytics_platform.sources.nocodb.noco_api.filters import one_of
from analytics_platform.sources.nocodb.noco_tables.conversation_rows import ATTRIBUTES, validate_conversation_rows
from analytics_platform.sources.nocodb.noco_tables.reading_plan import plan_reading
from analytics_platform.sources.nocodb.noco_tables.records import ID, Record, to_rows
from analytics_platform.sources.nocodb.noco_tables.table_guessing import (
    SeenTable,
    TableGuess,
    guess_attributes,
    guess_messages,
    ids_in,
    possible_keys,
    sampled,
)
from analytics_platform.sources.row_rules.row_validation import prepare_judging
from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.table_parts.table_columns import meaning_of

logger = logging.getLogger(__name__)

SAMPLE_ROWS = 5_000
"""Rows of each of the two tables that are looked at unless all rows are asked for: 2 s at 5 requests a second."""

_MOST_TABLES = 200
"""Tables whose columns and rows are asked for: a minute and a half at 5 requests a second."""
_SAMPLED_TABLES = 5
"""Tables that look like messages by names and types, of which rows are read to choose between them."""
_COMPARED_TABLES, _COMPARED_IDS = 10, 20


@dataclass(frozen=True)
class ListedTable:
    """A table that the token sees.

    Attributes:
        id: Id of the table.
        title: Name that people see.
        base: Title of its base.
        rows: Number of rows; None for a table that was not looked at.
        columns: Title and NocoDB's type of each column.
        taken_for: ``messages`` or ``conversations``; None for any other table.
        fault: Why the table cannot be a source, or was not looked at.
    """

    id: str
    title: str
    base: str
    rows: int | None = None
    columns: tuple[tuple[str, str], ...] = ()
    taken_for: str | None = None
    fault: str | None = None


@dataclass
class ServerView:
    """What a NocoDB server holds, and how it would be read.

    Attributes:
        tables: The tables that the token sees, base by base.
        settings: Variable to the value that makes a run read the two tables.
        mapping: The mapping that the run needs: that of the settings, and what was guessed.
        is_mapping_new: Whether ``mapping`` has more than the mapping of the settings.
        messages: The table of messages, as a file is seen; None if no table looks like one.
        conversations: The table of conversations; None if no table looks like one.
    """

    tables: list[ListedTable]
    mapping: FieldMapping
    settings: dict[str, str] = field(default_factory=dict)
    is_mapping_new: bool = False
    messages: FileView | None = None
    conversations: FileView | None = None

    @property
    def views(self) -> list[FileView]:
        """The views of the two tables."""
        return [view for view in (self.messages, self.conversations) if view]

    def as_json(self) -> dict[str, object]:
        """Return the view as plain values."""
        return {
            "tables": [asdict(table) for table in self.tables],
            "settings": self.settings,
            "messages": self.messages and self.messages.as_json(),
            "conversations": self.conversations and self.conversations.as_json(),
        }


def inspect_server(
    client: NocoClient,
    mapping: FieldMapping,
    *,
    messages: str | None = None,
    conversations: str | None = None,
    whole: bool = False,
    on_progress: Progress | None = None,
) -> ServerView:
    """Look at the bases and tables of a server, guess the two tables, and judge a sample of their rows.

    Args:
        client: Client of the server.
        mapping: The mapping of the settings; what it states is not guessed.
        messages: Id of the table of messages, where the settings name it; otherwise it is guessed.
        conversations: Id of the table of conversations, likewise.
        whole: Look at all rows, not only the first ``SAMPLE_ROWS`` of each table.
        on_progress: Called with the number of tables looked at, and the number of tables.

    Raises:
        NocoError: If the server cannot be read, or a named table does not exist.
    """
    base_id = client.table(messages).base_id if messages else None
    listed, seen = _look_around(client, base_id, on_progress)
    tables = {identity: table.table for identity, table in seen.items()}
    view = ServerView(list(listed.values()), mapping)
    chosen = _messages_table(client, seen, tables, mapping, messages)
    if chosen is None:
        return view
    table, guess = chosen
    columns = guess.completed(mapping)
    others = {identity: other for identity, other in seen.items() if identity != table.table.id and other.is_readable}
    found = _conversations_table(client, table, columns, guess, others, tables, conversations)
    if found is not None:
        columns = columns.model_copy(update={"conversations": {**found[1], **mapping.conversations}})
    ids = table.table.id, found[0].table.id if found else None
    view.mapping, view.is_mapping_new = columns, _matters(columns) != _matters(mapping)
    view.settings = {"ANALYTICS_SOURCE": "nocodb", "NOCODB_MESSAGES_TABLE": ids[0]}
    view.settings |= {"NOCODB_CONVERSATIONS_TABLE": ids[1]} if ids[1] else {}
    view.messages, view.conversations = inspect_tables(client, *ids, columns, whole=whole)
    view.messages.notes += guess.notes
    for of_table, identity in zip((view.messages, view.conversations), ids, strict=True):
        if of_table and identity:
            of_table.file = f"{listed[identity].base} / {listed[identity].title} (table {identity})"
    taken = dict(zip(ids, ("messages", "conversations"), strict=True))
    view.tables = [ListedTable(**{**vars(one), "taken_for": taken.get(one.id)}) for one in listed.values()]
    return view


def inspect_tables(
    client: NocoClient, messages: str, conversations: str | None, mapping: FieldMapping, *, whole: bool = False
) -> tuple[FileView, FileView | None]:
    """Judge a sample of the rows of the two tables as a run does; return the views of messages and conversations.

    Args:
        client: Client of the server.
        messages: Id of the table of messages.
        conversations: Id of the table of conversations; None if there is none.
        mapping: The mapping of a run.
        whole: Look at all rows, not only the first ``SAMPLE_ROWS`` of each table.
    """
    limit = None if whole else SAMPLE_ROWS
    place = f"NocoDB table {messages}"
    view = FileView(f"table {messages}", what="NocoDB table, one message per row")
    batches = _batches(client, messages, MESSAGES, mapping, guesses=conversations is None)
    view_rows(view, batches, mapping, place=place, limit=limit)
    if not view.rows and view.fault is None:
        view.fault = f"{place}: has no rows"
    # A message without an id of its own gets one from its row, which is no column of the table.
    derived = f"{messages}:"
    view.columns = [
        one
        for one in view.columns
        if not (one.name == "message_id" and one.examples and all(text.startswith(derived) for text in one.examples))
    ]
    if conversations is None:
        return view, None
    return view, _conversations_view(client, conversations, mapping, limit=limit)


def _conversations_view(client: NocoClient, identity: str, mapping: FieldMapping, *, limit: int | None) -> FileView:
    view = FileView(f"table {identity}", what="NocoDB table, one conversation per row")
    columns = ColumnViews()
    of_conversations = mapping.of_conversations()
    try:
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            prepare_judging(db, mapping)
            for _, rows in _batches(client, identity, CONVERSATIONS, mapping):
                if limit is not None and view.rows >= limit:
                    view.whole = False
                    break
                columns.add(rows, of_conversations)
                judged = validate_conversation_rows(db, of_conversations.apply(rows), file=1, first_position=0)
                view.rows += judged.num_rows
                view.kept += judged["reason"].null_count
                for row in judged.select(["reason", "detail"]).drop_null().to_pylist():
                    view.quarantined[row["reason"]] = view.quarantined.get(row["reason"], 0) + 1
                    view.reasons.setdefault(row["reason"], row["detail"])
    except SourceError as error:
        view.fault = str(error)
    view.columns = columns.views()
    for column in view.columns:
        if column.taken_for not in ("conversation_id", *ATTRIBUTES):
            column.taken_for = None
    return view


def _batches(
    client: NocoClient, identity: str, table: int, mapping: FieldMapping, *, guesses: bool = False
) -> Iterator[tuple[FieldMapping, Rows]]:
    describe = cache(client.table)
    of_table = mapping if table == MESSAGES else mapping.of_conversations()
    reading = plan_reading(describe(identity), of_table, describe, guesses=guesses)
    for page in client.pages(identity, linked=reading.linked_fields):
        records, problems = reading.read(page)
        yield mapping, to_rows(records, table, mapping, identity, problems)


def _look_around(
    client: NocoClient, base_id: str | None, on_progress: Progress | None
) -> tuple[dict[str, ListedTable], dict[str, SeenTable]]:
    """Return every table that the token sees, and the description of those that could be looked at, by id.

    Args:
        client: Client of the server.
        base_id: The only base to look at; None for all bases.
        on_progress: Called with the number of tables looked at, and the number of tables.
    """
    listed: dict[str, ListedTable] = {}
    seen: dict[str, SeenTable] = {}
    places: list[tuple[NocoBase, str, str]] = []
    for base in _bases(client, base_id):
        try:
            places += [(base, identity, title) for identity, title in client.table_titles(base.id).items()]
        except (NocoAuthError, NocoNotFoundError, NocoRequestError):  # a base that the token may not open
            logger.warning("NocoDB base %s: the token may not list its tables", base.title)
    for number, (base, identity, title) in enumerate(places):
        listed[identity] = ListedTable(identity, title, base.title)
        if len(seen) >= _MOST_TABLES:
            fault = f"not looked at: only {_MOST_TABLES} tables are; NOCODB_MESSAGES_TABLE names the base to look at"
            listed[identity] = ListedTable(identity, title, base.title, fault=fault)
            continue
        try:
            one = SeenTable(base, client.table(identity), client.count(identity))
        except NocoError as error:  # of another database that is down, for one; the other tables can be read
            listed[identity] = ListedTable(identity, title, base.title, fault=str(error))
            continue
        seen[identity] = one
        listed[identity] = ListedTable(
            identity,
            title,
            base.title,
            one.rows,
            tuple((column.title, column.type) for column in one.table.columns if not column.system),
            fault=None if one.is_readable else f"cannot be a source: it has no column {ID}",
        )
        if on_progress:
            on_progress(number + 1, len(places))
    return listed, seen


def _bases(client: NocoClient, only: str | None) -> list[NocoBase]:
    """Return the bases to look at: all that the token sees, or the one with the id ``only``."""
    if only is None:
        return client.bases()
    try:
        return [base for base in client.bases() if base.id == only] or [NocoBase(only, only)]
    except (NocoAuthError, NocoNotFoundError, NocoRequestError):  # a token of one base may not list the others
        return [NocoBase(only, only)]


def _messages_table(
    client: NocoClient,
    seen: Mapping[str, SeenTable],
    tables: Mapping[str, NocoTable],
    mapping: FieldMapping,
    named: str | None,
) -> tuple[SeenTable, TableGuess] | None:
    """Return the table of messages and what its columns mean; None if no table looks like one."""

    def best(possible: Sequence[SeenTable]) -> list[tuple[SeenTable, TableGuess]]:
        guesses = [(table, guess_messages(table, tables, mapping)) for table in possible]
        usable = [pair for pair in guesses if pair[1].score > 0 or pair[0].table.id == named]
        return sorted(usable, key=lambda pair: (pair[1].score, pair[0].rows), reverse=True)

    if named:
        candidates = [seen[named]] if named in seen else []
    else:
        candidates = [table for table, _ in best([one for one in seen.values() if one.is_readable])]
    candidates = [sampled(table, _first_page(client, table)) for table in candidates[:_SAMPLED_TABLES]]
    return next(iter(best(candidates)), None)


def _first_page(client: NocoClient, table: SeenTable) -> list[Record]:
    return list(next(client.pages(table.table.id), [])) if table.rows else []


def _conversations_table(
    client: NocoClient,
    messages: SeenTable,
    mapping: FieldMapping,
    guess: TableGuess,
    others: Mapping[str, SeenTable],
    tables: Mapping[str, NocoTable],
    named: str | None,
) -> tuple[SeenTable, dict[str, str]] | None:
    """Return the table of conversations and the mapping of its columns; None if no table looks like one."""
    if guess.linked_table and guess.linked_table in others and named in (None, guess.linked_table):
        table = others[guess.linked_table]
        attributes = guess_attributes(table, tables)
        return (table, {"conversation_id": ID, **attributes}) if attributes or named else None
    ids = ids_in(messages.sample, mapping.column_of("conversation_id"))[:_COMPARED_IDS]
    nearby = [table for table in others.values() if table.base == messages.base and table.rows]
    possible = [others[named]] if named and named in others else nearby
    found = [(table, guess_attributes(table, tables)) for table in possible]
    found = [(table, attributes) for table, attributes in found if attributes or table.table.id == named]
    matches = [
        (_count_ids(client, table, key, ids), table, {"conversation_id": key, **attributes})
        for table, attributes in islice(found, _COMPARED_TABLES)
        for key in possible_keys(table.table)
        # Any table may have rows of the same numbers, so a number is compared with tickets only.
        if key != ID or named or meaning_of(table.table.title) == "conversation_id"
    ]
    count, table, columns = max(matches, key=lambda match: match[0], default=(0, messages, {}))
    return (table, columns) if count else None


def _count_ids(client: NocoClient, table: SeenTable, column: str, ids: Sequence[str]) -> int:
    """Return in how many rows of a table a column has one of the ids."""
    numeric = column == ID
    values: list[Any] = [int(text) for text in ids if text.isascii() and text.isdigit()] if numeric else list(ids)
    if not values:
        return 0
    try:
        return client.count(table.table.id, one_of(column, values))
    except (NocoError, ValueError):  # a column or a value that a filter cannot name
        return 0


def _matters(mapping: FieldMapping) -> dict[str, Any]:
    """Return what a mapping says beyond columns that have our own names."""
    stated = mapping.model_dump(exclude={"prices"})
    for part in ("columns", "conversations"):
        stated[part] = {name: column for name, column in stated[part].items() if name != column}
    return stated
