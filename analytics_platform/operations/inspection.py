"""Look into files before any run: what they are, what each column is taken for, and which rows could be used.

Nothing is stored. Rows are read and judged by the rules of a run, except the rules that need the whole source
(repeated messages, and days outside the partitions).
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from analytics_platform.errors import UserError
from analytics_platform.files import write_atomically
from analytics_platform.model.raw_tables import REQUIRED_INPUT
from analytics_platform.sources.base import NoMessagesError, SourceError
from analytics_platform.sources.file_reading.file_rows import Recognised, read_rows
from analytics_platform.sources.file_reading.locating import LeftOut, locate_files
from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.mapping import INPUT_NAMES, LEFT_OUT, FieldMapping
from analytics_platform.sources.row_rules.role_words import ENGLISH, plain_word, words_of_languages
from analytics_platform.sources.row_rules.row_summary import REMEDIES
from analytics_platform.sources.row_rules.row_validation import judge, prepare_judging
from analytics_platform.sources.rows import Rows

SAMPLE_ROWS = 100_000
"""Rows of each file that are looked at unless the whole file is asked for."""

_EXAMPLES, _EXAMPLE_CHARACTERS = 3, 40
_SHOWN_MESSAGES, _SHOWN_CHARACTERS = 5, 100
_ROLE_WORDS = 30
_SHOWN_FILES = 5
_ZONE = re.compile(r".*\d[ ]?(?:[Zz]|UTC|GMT|[+-]\d{2}:?\d{2})(?:\[.*\])?\s*")
_NUMBER = re.compile(r"\s*[\d.eE+]+\s*")


@dataclass
class ColumnView:
    """One column of a file.

    Attributes:
        name: Name in the file.
        taken_for: Input column that is read from it; None for a further column.
        filled: Share of rows with a value.
        examples: First different values, cut.
    """

    name: str
    taken_for: str | None
    filled: float
    examples: list[str]


@dataclass
class FileView:
    """What one file was recognised as, and what would become of its rows.

    Attributes:
        file: Name of the file.
        what: Format, encoding, separator and shape in one line.
        notes: Sentences about times, roles and conversations of this shape.
        rows: Rows looked at.
        whole: Whether these are all rows of the file.
        kept: Rows that could be used.
        left_out: Blank rows, and rows that a rule of the mapping drops; they count as no rows.
        repaired: Column to rows of which a value was mended or left out.
        quarantined: Reason to number of rows.
        reasons: Reason to the detail of its first row.
        roles: The file's word for a role to number of rows.
        unknown_roles: Role words without a role.
        first: Earliest time, UTC; None without a readable one.
        last: Latest time, UTC.
        zone: How the zone of the times is known.
        columns: The columns.
        messages: First messages as they will stand.
        fault: Why the file cannot be read; None if it can.
        skipped: Why a run does not read the file, or the files that ``file`` names together; None if it does.
        is_other_table: Whether the fault is that the file has no columns of messages.
        is_empty: Whether the fault is that the file has no rows.
    """

    file: str
    what: str = ""
    notes: list[str] = field(default_factory=list)
    rows: int = 0
    whole: bool = True
    kept: int = 0
    left_out: int = 0
    repaired: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    roles: dict[str, int] = field(default_factory=dict)
    unknown_roles: list[str] = field(default_factory=list)
    first: str | None = None
    last: str | None = None
    zone: str | None = None
    columns: list[ColumnView] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    fault: str | None = None
    skipped: str | None = None
    is_other_table: bool = False
    is_empty: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the view as plain values."""
        return asdict(self)


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
    views = [_view(replace(file, shape=shape, encoding=encoding), mapping, whole=whole) for file in located.files]
    if any(view.kept for view in views):
        for view, file in zip(views, located.files, strict=True):
            if not file.is_named and (view.is_other_table or view.is_empty):
                view.skipped = "is empty" if view.is_empty else f"has no messages: {view.fault}"
                view.fault = None
    return [*views, *map(_view_of_left_out, located.left_out)]


def _view_of_left_out(files: LeftOut) -> FileView:
    return FileView(files.files, skipped=files.reason)


def _view(file: SourceFile, mapping: FieldMapping, *, whole: bool) -> FileView:
    recognised = Recognised()
    limit = None if whole else SAMPLE_ROWS
    view = view_rows(FileView(file.label), read_rows(file, mapping, recognised), mapping, place=file.place, limit=limit)
    view.what, view.notes = str(recognised), [*recognised.notes, *view.notes]
    if view.fault is None and not view.rows:
        view.is_empty = not view.left_out
        view.fault = (
            f"{file.place}: is empty: it has no row; export it again, or leave it out of the source"
            if view.is_empty
            else f"{file.place}: has no row to read: its {view.left_out:,} rows are blank, or a rule drops them"
        )
    if recognised.internal_notes:
        view.notes.append(f"{recognised.internal_notes:,} internal notes got the role system: they are no answers.")
    return view


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
    try:
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            prepare_judging(db, mapping)
            for of_batch, rows in batches:
                if limit is not None and view.rows >= limit:
                    view.whole = False
                    break
                columns.add(rows, of_batch)
                if not view.rows:
                    of_batch.require_columns(rows.columns, place)
                batch = of_batch.apply(rows)
                _count(view, judge(db, batch, file=0, first_position=0), batch.rows)
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
        shown = ["conversation_id", "message_id", "role", "timestamp", "text", "user_id", "agent_id"]
        for row in usable.slice(0, max(missing, 0)).select(shown).to_pylist():
            text = row["text"]
            cut = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
            view.messages.append({**row, "timestamp": f"{row['timestamp']:%Y-%m-%d %H:%M:%S.%f}", "text": cut})


class ColumnViews:
    """Collects how the columns of a file or a table are filled."""

    def __init__(self) -> None:
        self._rows = 0
        self._filled: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}
        self._taken_for: dict[str, str] = {}

    def add(self, rows: Rows, mapping: FieldMapping) -> None:
        """Add a batch of rows."""
        self._rows += len(rows.numbers)
        for name in INPUT_NAMES:
            if name not in mapping.constants and mapping.column_of(name) in rows.columns:
                self._taken_for.setdefault(mapping.column_of(name), name)
        for name, values in rows.columns.items():
            self._filled[name] += len(values) - values.null_count
            examples = self._examples.setdefault(name, [])
            if len(examples) < _EXAMPLES:
                for value in values.slice(0, 100).drop_null().unique().to_pylist():
                    if len(examples) < _EXAMPLES and value[:_EXAMPLE_CHARACTERS] not in examples:
                        examples.append(value[:_EXAMPLE_CHARACTERS])

    def views(self) -> list[ColumnView]:
        """Return the columns: those taken for input columns first."""
        found = [
            ColumnView(name, self._taken_for.get(name), round(count / max(self._rows, 1), 3), self._examples[name])
            for name, count in self._filled.items()
            if count or name in self._taken_for
        ]
        order = list(INPUT_NAMES)
        return sorted(found, key=lambda view: order.index(view.taken_for) if view.taken_for else len(order))

    def zone(self) -> str | None:
        """Say how the zone of the times is known, from the examples."""
        names = [name for name, taken in self._taken_for.items() if taken == "timestamp"]
        examples = self._examples.get(names[0], []) if names else []
        if not examples:
            return None
        if all(_NUMBER.fullmatch(example) for example in examples):
            return "seconds or parts of them since 1970, which are UTC"
        if all(_ZONE.fullmatch(example) for example in examples):
            return "stated by each time"
        return "not stated: taken as UTC"


def mapping_text(view: FileView, given: FieldMapping) -> str:
    """Return a commented mapping that says what was recognised, as a start for corrections.

    Args:
        view: A file or a table.
        given: The mapping with which it was inspected; what it states is written, too.
    """
    lines = [f"# {view.file}: {view.what}"]
    lines += [f"# {note}" for note in view.notes]
    lines += ["", "# input column: column of the file; any value within a record can be named with dots: author.type"]
    taken = {column.taken_for: column.name for column in view.columns if column.taken_for}
    taken |= {name: column for name, column in given.columns.items() if name not in taken}
    lines += _columns_of("columns", taken)
    further = [column.name for column in view.columns if not column.taken_for]
    missing = [name for name in INPUT_NAMES if name not in taken]
    lines += [f"# further columns, kept in extra: {', '.join(map(_quoted, further)) or 'none'}"]
    lines += [f"# input columns that nothing is read for: {', '.join(missing) or 'none'}"]
    needed = [name for name in REQUIRED_INPUT if name not in taken and name not in given.constants]
    lines += [f"# needed, and missing: {', '.join(needed)}"] if needed else []
    lines += _roles_of(view, given)
    lines += ["", f"# times: {view.first or 'none readable'} to {view.last or 'none readable'}; zone {view.zone}"]
    lines += [f"timestamp_format: {_quoted(given.timestamp_format)}"] if given.timestamp_format else []
    if "bad_timestamp" in view.quarantined:
        lines += [f"# {view.reasons['bad_timestamp']}: say how times are written"]
        lines += ['# timestamp_format: "%d.%m.%Y %H:%M"']
    lines += ["", "# input column: a value that every row gets", "# constants: {channel: email}"]
    if given.constants:
        lines[-1] = f"constants: {json.dumps(given.constants, ensure_ascii=False)}"
    lines += _settings_of(given)
    if given.conversations:
        lines += ["", "# input column: column of the table of conversations"]
        lines += _columns_of("conversations", given.conversations)
    return "\n".join(lines) + "\n"


def _columns_of(title: str, columns: Mapping[str, str]) -> list[str]:
    """Return the lines that map input columns; one that has its own name is only a comment."""
    lines = [f"  {'# ' if name == column else ''}{name}: {_quoted(column)}" for name, column in columns.items()]
    all_own = all(name == column for name, column in columns.items())
    return [f"{'# ' if all_own else ''}{title}:", *lines] if lines else []


def _roles_of(view: FileView, given: FieldMapping) -> list[str]:
    """Return the lines about words for roles; those that are known without a mapping are comments."""
    lines = ["", "# the file's word for a role, in any case: user, assistant, agent, system or tool"]
    written = given.roles
    lines += ["roles:" if view.unknown_roles or written else "# roles:"]
    known = given.role_words()
    for word in view.roles:
        role = known.get(plain_word(word))
        if role is None:
            lines.append(f"  {_quoted(word)}: user  # a guess: say who this is")
        elif plain_word(word) not in written:
            lines.append(f"  # {_quoted(word)}: {role}")
    return [*lines, *(f"  {_quoted(word)}: {role}" for word, role in written.items())]


def _settings_of(given: FieldMapping) -> list[str]:
    """Return the lines of what else a mapping states."""
    stated = given.model_dump(
        mode="json",
        include={"timestamp_formats", "timezone", "date_order", "null_words", "rules", "session_gap", "session_keys"},
        exclude_defaults=True,
    )
    return (
        ["", *(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in stated.items())] if stated else []
    )


def write_mapping(path: Path, view: FileView, given: FieldMapping) -> None:
    """Write a commented mapping for a file.

    Args:
        path: The new file.
        view: The inspected file.
        given: The mapping with which the file was inspected.

    Raises:
        UserError: If the file exists, or cannot be written.
    """
    if path.exists():
        raise UserError(f"--write {path}: exists; name a new file")
    try:
        write_atomically(path, mapping_text(view, given).encode())
    except OSError as error:
        raise UserError(f"--write {path}: cannot be written ({error})") from None


def _quoted(word: str) -> str:
    """Return a word for YAML; quotes where YAML would read something else than the word."""
    if re.fullmatch(r"[A-Za-z_][\w.-]*", word) and not _YAML_WORD.fullmatch(word):
        return word
    return yaml.safe_dump(word, default_style='"', allow_unicode=True, width=sys.maxsize).rstrip("\n")


_YAML_WORD = re.compile(r"(?i:y|n|yes|no|true|false|on|off|null)")


def short_lines(views: list[FileView]) -> Iterator[str]:
    """Yield what a run prints about files that it has not read before: what each is, and how many rows are usable."""
    read = [view for view in views if not view.skipped]
    for view in read[:_SHOWN_FILES]:
        yield f"{view.file}: {view.fault or view.what}"
        if view.fault is None:
            of = f"{view.rows:,} rows" if view.whole else f"the first {view.rows:,} rows"
            yield f"  {view.kept:,} of {of} usable{_time_range(view)}"
            yield from (f"  {line}" for line in trouble_lines(view))
            yield from (f"  {note}" for note in view.notes)
    if len(read) > _SHOWN_FILES:
        yield f"… and {len(read) - _SHOWN_FILES:,} more files"
    yield from (f"{view.file}: left out: {view.skipped}" for view in views if view.skipped)


def _time_range(view: FileView) -> str:
    return f", {view.first} to {view.last} UTC" if view.first else ""


def trouble_lines(view: FileView) -> Iterator[str]:
    """Yield a line per reason of quarantine, with its first detail and the way out, and per column with repairs."""
    for reason, count in sorted(view.quarantined.items(), key=lambda item: -item[1]):
        yield f"{count:,} rows {reason}: {view.reasons[reason]}; {REMEDIES.get(reason, 'mend the row')}"
    for name, count in view.repaired.items():
        yield f"{count:,} rows with an unreadable {name}, which is left out or mended"
