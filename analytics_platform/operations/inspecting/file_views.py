"""What was seen in one file or table: its kind, its rows and its columns."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from analytics_platform.sources.mapping import INPUT_NAMES, FieldMapping
from analytics_platform.sources.rows import Rows

_EXAMPLES, _EXAMPLE_CHARACTERS = 3, 40
NOT_STATED = "not stated"
"""Beginning of ``FileView.zone`` where the times do not state their zone."""

_ZONE = re.compile(r".*\d[ ]?(?:[Zz]|UTC|GMT|[+-]\d{2}:?\d{2})(?:\[.*\])?\s*")
_NUMBER = re.compile(r"\s*[\d.eE+]+\s*")
_DAY_NUMBER = re.compile(r"\s*[2-7]\d{4}(?:[.,]\d+)?\s*")


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
        is_other_table: Whether the fault is that the file has no columns of messages, or records without any message.
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


class ColumnViews:
    """Collects how the columns of a file or a table are filled."""

    def __init__(self) -> None:
        self._rows = 0
        self._filled: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}
        self._taken_for: dict[str, str] = {}
        self._zone: str | None = None

    def add(self, rows: Rows, mapping: FieldMapping) -> None:
        """Add a batch of rows."""
        self._rows += len(rows.numbers)
        self._zone = mapping.timezone
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
        if all(_DAY_NUMBER.fullmatch(example) for example in examples):
            return f"{NOT_STATED} by these days since 1899-12-30: {self._assumed()}"
        if all(_NUMBER.fullmatch(example) for example in examples):
            return "seconds or parts of them since 1970, which are UTC"
        if all(_ZONE.fullmatch(example) for example in examples):
            return "stated by each time"
        return f"{NOT_STATED}: {self._assumed()}"

    def _assumed(self) -> str:
        return f"taken as {self._zone}, which the mapping names" if self._zone else "taken as UTC"
