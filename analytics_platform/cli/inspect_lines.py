"""What `analytics inspect` prints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from analytics_platform.cli.source_lines import trouble_lines
from analytics_platform.operations.inspecting.file_views import FileView
from analytics_platform.operations.inspecting.nocodb_inspection import ListedTable, ServerView
from analytics_platform.system.plain_text import counted

_SHOWN_FILES = 20
_SHOWN_COLUMNS = 12


def inspect_lines(views: list[FileView]) -> Iterator[tuple[str | None, str]]:
    """Yield what was seen in files as (style, line)."""
    read = [view for view in views if not view.skipped]
    for view in read[:_SHOWN_FILES]:
        yield "bold", view.file
        if view.what:
            yield None, f"  is        {view.what}"
        yield from ((None, f"  note      {note}") for note in view.notes)
        if view.fault:
            yield "red", f"  fault     {view.fault}"
        yield from _row_lines(view)
        yield from _column_lines(view)
        yield from _message_lines(view)
    if len(read) > _SHOWN_FILES:
        yield None, f"… and {counted(len(read) - _SHOWN_FILES, 'more file')}; --json shows all"
    for view in views:
        if view.skipped:
            yield "bold", view.file
            yield "yellow", f"  left out  {view.skipped}"


def _row_lines(view: FileView) -> Iterator[tuple[str | None, str]]:
    if not view.rows:
        return
    of = f"all {view.rows:,}" if view.whole else f"the first {view.rows:,}; --whole looks at all"
    yield None, f"  rows      {view.kept:,} could be used of {of}"
    yield from (("yellow", f"            {line}") for line in trouble_lines(view))
    if view.first:
        yield None, f"  times     {view.first} to {view.last} UTC; zone: {view.zone}"
    if view.roles:
        words = [
            f"{word} {count:,}{' (unknown)' if word in view.unknown_roles else ''}"
            for word, count in view.roles.items()
        ]
        yield None, f"  roles     {', '.join(words)}"


def _column_lines(view: FileView) -> Iterator[tuple[str | None, str]]:
    if not view.columns:
        return
    yield None, "  columns   name → taken for, share of rows filled, examples"
    wide = min(max(len(column.name) for column in view.columns), 30)
    for column in view.columns:
        taken = f"→ {column.taken_for}" if column.taken_for else "→ extra"
        examples = " | ".join(column.examples)
        yield None, f"            {column.name:{wide}} {taken:18} {column.filled:5.0%}  {examples}"


def _message_lines(view: FileView) -> Iterator[tuple[str | None, str]]:
    if view.messages:
        yield None, "  messages  as they will stand"
    for row in view.messages:
        yield None, f"            {row['conversation_id']}  {row['timestamp'][:19]}  {row['role']:9}  {row['text']}"


def server_lines(view: ServerView, written: Path | None) -> Iterator[tuple[str | None, str]]:
    """Yield what was seen on a NocoDB server as (style, line).

    Args:
        view: The server.
        written: The file that the mapping was written to; None if it was not.
    """
    for base, tables in groupby(view.tables, key=lambda table: table.base):
        yield "bold", f"base {base}"
        for table in tables:
            yield from _table_lines(table)
    if not view.tables:
        yield "red", "The token sees no table: make an API token of a user who may read the base"
    elif view.messages is None:
        yield "red", "No table looks like one of messages, with a text and who says it; NOCODB_MESSAGES_TABLE names it"
    yield from inspect_lines(view.views)
    if not view.settings:
        return
    yield "bold", "settings of a run"
    yield from ((None, f"  {name}={value}") for name, value in view.settings.items())
    if written:
        yield None, f"  ANALYTICS_SOURCE_MAPPING={written}"
    elif view.is_mapping_new:
        yield (
            None,
            "  ANALYTICS_SOURCE_MAPPING=mapping.yaml    # analytics inspect nocodb --write mapping.yaml writes it",
        )


def _table_lines(table: ListedTable) -> Iterator[tuple[str | None, str]]:
    rows = "" if table.rows is None else f"  {counted(table.rows, 'row')}"
    taken_for = f"  → {table.taken_for}" if table.taken_for else ""
    yield None, f"  table {table.title} ({table.id}){rows}{taken_for}"
    if table.fault:
        yield "yellow", f"      {table.fault}"
    if table.columns:
        shown = ", ".join(f"{title} {kind}" for title, kind in table.columns[:_SHOWN_COLUMNS])
        more = len(table.columns) - _SHOWN_COLUMNS
        yield None, f"      {shown}{f' … and {more} more' if more > 0 else ''}"
