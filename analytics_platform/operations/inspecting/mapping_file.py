"""Write a commented mapping of an inspected file or table, as a start for corrections."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from analytics_platform.errors import UserError
from analytics_platform.files import write_atomically
from analytics_platform.model.tables.raw_tables import REQUIRED_INPUT
from analytics_platform.operations.inspecting.file_views import FileView
from analytics_platform.sources.mapping import INPUT_NAMES, FieldMapping
from analytics_platform.sources.row_rules.role_words import plain_word


def mapping_text(view: FileView, given: FieldMapping) -> str:
    """Return a commented mapping that says what was recognised, as a start for corrections.

    Lines of YAML are what the given mapping states and what a person must decide; what was recognised, and what a run
    recognises again, is a comment.

    Args:
        view: A file or a table.
        given: The mapping with which it was inspected; what it states is written, too.
    """
    lines = [f"# {view.file}: {view.what}"]
    lines += [f"# {note}" for note in view.notes]
    lines += ["", "# What is right needs no line: a run takes the same columns. Remove the # of a line to correct it."]
    lines += ["# input column: column of the file; any value within a record can be named with dots: author.type"]
    taken = {column.taken_for: column.name for column in view.columns if column.taken_for}
    taken |= {name: column for name, column in given.columns.items() if name not in taken}
    lines += _columns_of("columns", taken, given.columns)
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
        lines += _columns_of("conversations", given.conversations, given.conversations)
    return "\n".join(lines) + "\n"


def _columns_of(title: str, columns: Mapping[str, str], stated: Collection[str]) -> list[str]:
    """Return the lines that map input columns; one that nobody stated, or that has its own name, is a comment."""
    is_open = {name: name in stated and name != column for name, column in columns.items()}
    lines = [f"  {'' if is_open[name] else '# '}{name}: {_quoted(column)}" for name, column in columns.items()]
    return [f"{'' if any(is_open.values()) else '# '}{title}:", *lines] if lines else []


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
