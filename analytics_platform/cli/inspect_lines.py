"""What `analytics inspect` prints."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_platform.operations.inspection import FileView, trouble_lines

_SHOWN_FILES = 20


def inspect_lines(views: list[FileView]) -> Iterator[tuple[str | None, str]]:
    """Yield what was seen in files as (style, line)."""
    for view in views[:_SHOWN_FILES]:
        yield "bold", view.file
        yield None, f"  is        {view.what}"
        yield from ((None, f"  note      {note}") for note in view.notes)
        if view.fault:
            yield "red", f"  fault     {view.fault}"
        yield from _row_lines(view)
        yield from _column_lines(view)
        yield from _message_lines(view)
    if len(views) > _SHOWN_FILES:
        yield None, f"… and {len(views) - _SHOWN_FILES:,} more files; --json shows all"


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
