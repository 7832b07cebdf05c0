"""Look into files before any run: what they are, what each column is taken for, and which rows could be used.

Nothing is stored. Rows are read and judged by the rules of a run, except the rules that need the whole source
(repeated messages, and the days that are kept).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.operations.inspecting.file_views import ColumnViews, FileView
from analytics_platform.sources.base import NoMessagesError, SourceError
from analytics_platform.sources.file_reading.date_orders import DateOrders
from analytics_platform.sources.file_reading.file_rows import date_orders, read_rows
from analytics_platform.sources.file_reading.locating import LeftOut, locate_files
from analytics_platform.sources.file_reading.recognised import Recognised
from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.mapping import LEFT_OUT, FieldMapping
from analytics_platform.sources.row_rules.deduplication import sessions_of
from analytics_platform.sources.row_rules.role_words import ENGLISH, plain_word, words_of_languages
from analytics_platform.sources.row_rules.row_validation import judge, prepare_judging
from analytics_platform.sources.rows import Rows
from analytics_platform.system.plain_text import agreeing, counted

SAMPLE_ROWS = 100_000
"""Rows of each file that are looked at unless the whole file is asked for."""

_SHOWN_MESSAGES, _SHOWN_CHARACTERS = 5, 100
_ROLE_WORDS = 30


def inspect_files(
    paths: str, mapping: FieldMapping, *, shape: str = "auto", encoding: str = "auto", whole: bool = False
) -> list[FileView]:
    """Look into the files that ``paths`` names.

    Args:
        paths: Paths, folders, zips or globs, separated by commas.
        mapping: The field mapping.
        shape: ``auto``, or the name of a shape of ``shapes.catalogue``.
        encoding: ``auto``, or the encoding of the text files.
        whole: Look at all rows, not only the first ``SAMPLE_ROWS`` of each file.

    Returns:
        A view for each file; then, for files of folders and zips that are not read, a view for each reason.

    Raises:
        SourceError: If a path matches no file.
    """
    located = locate_files(paths)
    files = [replace(file, shape=shape, encoding=encoding) for file in located.files]
    dates = date_orders(files, mapping)
    views = [_view(file, mapping, dates, whole=whole) for file in files]
    if any(view.kept for view in views):
        for view, file in zip(views, located.files, strict=True):
            if not file.is_named and (view.is_other_table or view.is_empty):
                view.skipped = "is empty" if view.is_empty else f"has no messages: {view.fault}"
                view.fault = None
    return [*views, *map(_view_of_left_out, located.left_out)]


def _view_of_left_out(files: LeftOut) -> FileView:
    return FileView(files.files, skipped=files.reason)


def _view(file: SourceFile, mapping: FieldMapping, dates: DateOrders, *, whole: bool) -> FileView:
    recognised = Recognised()
    limit = None if whole else SAMPLE_ROWS
    rows = read_rows(file, mapping, recognised, dates)
    view = view_rows(FileView(file.label), rows, mapping, place=file.place, limit=limit)
    view.what, view.notes = str(recognised), [*recognised.notes, *view.notes]
    if view.fault is None and not view.rows:
        view.is_other_table = not view.left_out and recognised.records > 0
        view.is_empty = not view.left_out and not view.is_other_table
        view.fault = f"{file.place}: {_reason_of_no_rows(view, recognised)}"
    if recognised.internal_notes:
        notes = recognised.internal_notes
        view.notes.append(
            f"{counted(notes, 'internal note')} got the role system: "
            f"{agreeing(notes, 'it is no answer', 'they are no answers')}."
        )
    return view


def _reason_of_no_rows(view: FileView, recognised: Recognised) -> str:
    if view.left_out:
        return (
            f"has no row to read: its {counted(view.left_out, 'row')} "
            f"{agreeing(view.left_out, 'is blank, or a rule drops it', 'are blank, or a rule drops them')}"
        )
    if recognised.records:
        return f"has {counted(recognised.records, 'record')}, none with a message of this shape: {recognised.shape}"
    return "is empty: it has no row; export it again, or leave it out of the source"


def view_rows(
    view: FileView,
    batches: Iterable[tuple[FieldMapping, Rows]],
    mapping: FieldMapping,
    *,
    place: str,
    limit: int | None,
) -> FileView:
    """Judge rows of messages as a run does, and return a view with their counts, columns and first messages.

    Args:
        view: The view to fill; says what the rows are of.
        batches: The rows, each batch with the mapping that applies to it; a ``SourceError`` becomes the view's fault.
        mapping: The mapping of the source.
        place: What the rows are of, for messages.
        limit: Number of rows from which on no further batch is read; None for all.
    """
    columns = ColumnViews()
    of_sessions: list[pa.Table] = []
    try:
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            prepare_judging(db, mapping)
            for of_batch, rows in batches:
                if limit is not None and view.rows >= limit:
                    view.whole = False
                    break
                columns.add(rows, of_batch)
                if not view.rows and rows.columns:  # lines that cannot be read have none
                    of_batch.require_columns(rows.columns, place)
                batch = of_batch.apply(rows)
                judged = judge(db, batch, file=0, first_position=0)
                _count(view, judged, batch.rows)
                if mapping.session_gap:
                    is_usable = pc.and_(judged["is_session"], pc.is_null(judged["reason"]))
                    of_sessions.append(judged.filter(is_usable).select(["position", "conversation_id", "timestamp"]))
            if of_sessions:
                _name_sessions(view, sessions_of(db, pa.concat_tables(of_sessions)), mapping)
    except SourceError as error:
        view.fault = str(error)
        view.is_other_table = isinstance(error, NoMessagesError)
    view.columns = columns.views()
    view.zone = columns.zone()
    known = mapping.role_words()
    view.unknown_roles = [word for word in view.roles if plain_word(word) not in known]
    if guessed := guessed_roles(view.roles, mapping):
        view.notes.append(f"Role words taken by their meaning: {guessed}; `roles:` in a mapping says otherwise.")
    return view


def _name_sessions(view: FileView, sessions: pa.Table, mapping: FieldMapping) -> None:
    """Give the shown messages the conversations that a run makes of them, and note how many those are."""
    names = dict(zip(sessions["position"].to_pylist(), sessions["conversation_id"].to_pylist(), strict=True))
    for message in view.messages:
        message["conversation_id"] = names.get(message["source_row"], message["conversation_id"])
    if names:
        made = pc.count_distinct(sessions["conversation_id"]).as_py()
        view.notes.append(
            f"session_gap {mapping.session_gap} makes {counted(made, 'conversation')} of "
            f"{counted(len(names), 'message')} that {agreeing(len(names), 'names', 'name')} none."
        )


def guessed_roles(words: Iterable[str], mapping: FieldMapping) -> str:
    """Return the words for roles that were taken from other languages than English, each with its role."""
    known = words_of_languages()
    plain = {word: plain_word(word) for word in words}
    return ", ".join(
        f"{word} is {known[form]}"
        for word, form in plain.items()
        if form in known and form not in mapping.roles and form not in ENGLISH
    )


def _count(view: FileView, judged: pa.Table, mapped: pa.Table) -> None:
    """Add a batch's rows to the counts of a view."""
    judged = judged.sort_by("source_row")
    is_row = pc.fill_null(pc.not_equal(judged["reason"], LEFT_OUT), fill_value=True)
    view.left_out += judged.num_rows - (pc.sum(is_row).as_py() or 0)
    judged = judged.filter(is_row)
    usable = judged.filter(pc.is_null(judged["reason"]))
    view.rows += judged.num_rows
    view.kept += usable.num_rows
    for pair in judged["reason"].value_counts().to_pylist():
        if pair["values"] is not None:
            view.quarantined[pair["values"]] = view.quarantined.get(pair["values"], 0) + pair["counts"]
    if usable.num_rows < judged.num_rows:
        for row in judged.filter(pc.is_valid(judged["reason"])).select(["reason", "detail"]).to_pylist():
            view.reasons.setdefault(row["reason"], row["detail"])
    for pair in mapped["role"].value_counts().to_pylist():
        word = pair["values"]
        if word is not None and (word in view.roles or len(view.roles) < _ROLE_WORDS):
            view.roles[word] = view.roles.get(word, 0) + pair["counts"]
    names = [repair["name"] for repairs in judged["repairs"].drop_null().to_pylist() for repair in repairs]
    view.repaired = dict(Counter(view.repaired) + Counter(names))
    if usable.num_rows:
        ends = pc.min_max(usable["timestamp"]).as_py()
        view.first = min(filter(None, (view.first, f"{ends['min']:%Y-%m-%d %H:%M:%S}")))
        view.last = max(filter(None, (view.last, f"{ends['max']:%Y-%m-%d %H:%M:%S}")))
        missing = _SHOWN_MESSAGES - len(view.messages)
        shown = ["conversation_id", "message_id", "role", "timestamp", "text", "user_id", "agent_id", "source_row"]
        for row in usable.slice(0, max(missing, 0)).select(shown).to_pylist():
            text = row["text"]
            cut = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
            view.messages.append({**row, "timestamp": f"{row['timestamp']:%Y-%m-%d %H:%M:%S.%f}", "text": cut})
