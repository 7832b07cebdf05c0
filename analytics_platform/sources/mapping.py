"""The field mapping: from a file's own columns and values to the input columns.

`row_validation` checks the values; this module reads and checks the mapping's YAML file, and picks columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from analytics_platform.model.raw_tables import INPUT_COLUMNS, REQUIRED_INPUT, ROLES
from analytics_platform.sources.base import SourceError
from analytics_platform.sources.rows import Rows

INPUT_NAMES = tuple(column.name for column in INPUT_COLUMNS)
EPOCH_FORMATS = ("epoch_seconds", "epoch_milliseconds")
VARIABLE = "ANALYTICS_SOURCE_MAPPING"


@dataclass(frozen=True)
class Batch:
    """Rows after mapping and before validation; every value is text.

    Attributes:
        rows: Shape (rows, ...): ``source_row``, the input columns, ``cells`` and ``extra_cells`` (lists as long as
            the names below), and ``problem``, ``problem_detail``, ``line`` (see ``rows.Problem``).
        names: The file's columns, sorted; ``cells`` has their values.
        extra_names: The file's columns that no input column is read from, sorted; ``extra_cells`` has their values.
    """

    rows: pa.Table
    names: list[str]
    extra_names: list[str]


class FieldMapping(BaseModel):
    """What a source's columns and values are called.

    Attributes:
        columns: Input column to the column of the file; an input column not named is looked for by its own name.
        roles: The file's word for a role, in any case, to one of ours.
        timestamp_format: ``epoch_seconds``, ``epoch_milliseconds`` or a strptime format; by default ISO 8601
            and epoch numbers are recognised.
        constants: Input column to the value that every row gets.
        conversations: For a source with a table of conversations beside that of messages: input column to the column
            of that table.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    columns: dict[str, str] = {}
    roles: dict[str, str] = {}
    timestamp_format: str | None = None
    constants: dict[str, str] = {}
    conversations: dict[str, str] = {}

    @field_validator("columns", "constants", "conversations")
    @classmethod
    def _known_columns(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value) - set(INPUT_NAMES))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not an input column; these are: {', '.join(INPUT_NAMES)}")
        return value

    @field_validator("roles")
    @classmethod
    def _known_roles(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value.values()) - ROLES)
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not a role; these are: {', '.join(sorted(ROLES))}")
        return {given.strip().lower(): role for given, role in value.items()}

    @field_validator("timestamp_format")
    @classmethod
    def _known_format(cls, value: str | None) -> str | None:
        if value is None or value in EPOCH_FORMATS:
            return value
        try:
            with duckdb.connect() as db:
                db.execute("SELECT try_strptime('', ?)", [value]).fetchall()
        except duckdb.Error:
            raise ValueError(f"{value!r} is none of {', '.join(EPOCH_FORMATS)} and no strptime format") from None
        if "%" not in value:
            raise ValueError(f"{value!r} is none of {', '.join(EPOCH_FORMATS)} and no strptime format")
        return value

    @model_validator(mode="after")
    def _either_column_or_constant(self) -> FieldMapping:
        both = sorted(set(self.columns) & set(self.constants))
        if both:
            raise ValueError(f"{', '.join(both)}: under columns and under constants; keep one")
        return self

    def role_words(self) -> dict[str, str]:
        """Return each word for a role, in lower case, and its role."""
        return {role: role for role in ROLES} | self.roles

    def of_conversations(self) -> FieldMapping:
        """Return the mapping of the table of conversations."""
        return FieldMapping(columns=self.conversations)

    def column_of(self, name: str) -> str:
        """Return the file's column that an input column is read from."""
        return self.columns.get(name, name)

    def require_columns(self, present: Iterable[str], place: str) -> None:
        """Check that a file has every required column.

        Raises:
            SourceError: Naming the file, the missing columns, the columns it has, and where to map them.
        """
        names = sorted(set(present))
        needed = [name for name in REQUIRED_INPUT if name not in self.constants]
        missing = [
            name if self.column_of(name) == name else f"{self.column_of(name)} (for {name})"
            for name in needed
            if self.column_of(name) not in names
        ]
        if missing:
            raise SourceError(
                f"{place}: lacks the column {', '.join(missing)}; it has {', '.join(names) or 'none'}; "
                f"say in the file of {VARIABLE} what its columns are called"
            )

    def require_mapped_columns(self, present: Iterable[str]) -> None:
        """Check that each column in the mapping occurs in a file of the source.

        Raises:
            SourceError: Naming the columns that occur in no file, most often misspelled ones.
        """
        missing = sorted(set(self.columns.values()) - set(present))
        if missing:
            raise SourceError(
                f"{VARIABLE}: no file has the column {', '.join(missing)}; they have {', '.join(sorted(present))}"
            )

    def apply(self, rows: Rows) -> Batch:
        """Return rows with the input columns, and with all their values under the file's own names."""
        count = len(rows.numbers)
        used = {self.column_of(name) for name in INPUT_NAMES if name not in self.constants}
        names = sorted(rows.columns)
        extra_names = [name for name in names if name not in used]
        columns: dict[str, pa.Array] = {"source_row": pa.array(rows.numbers)}
        for name in INPUT_NAMES:
            if name in self.constants:
                columns[name] = pa.repeat(pa.scalar(self.constants[name], pa.string()), count)
            else:
                columns[name] = rows.columns.get(self.column_of(name), pa.nulls(count, pa.string()))
        columns["cells"] = _row_lists([rows.columns[name] for name in names], count)
        columns["extra_cells"] = _row_lists([_plain_booleans(rows.columns[name]) for name in extra_names], count)
        problems = [rows.problems.get(number) for number in rows.numbers.tolist()] if rows.problems else [None] * count
        columns["problem"] = pa.array([problem and problem.reason for problem in problems], pa.string())
        columns["problem_detail"] = pa.array([problem and problem.detail for problem in problems], pa.string())
        columns["line"] = pa.array([problem and problem.line for problem in problems], pa.string())
        return Batch(pa.table(columns), names, extra_names)


def load_mapping(path: Path | None) -> FieldMapping:
    """Read a mapping file; without a file, return the mapping that changes nothing.

    Raises:
        SourceError: Naming the file, the place in it, and the fault.
    """
    if path is None:
        return FieldMapping()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{VARIABLE}: cannot read {path} ({error})") from None
    except yaml.YAMLError as error:
        raise SourceError(f"{VARIABLE}: {path} is not YAML: {' '.join(str(error).split())}") from None
    try:
        return FieldMapping.model_validate({} if content is None else content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise SourceError(f"{VARIABLE}: {path}: {problems}") from None


def _row_lists(columns: list[pa.Array], count: int) -> pa.Array:
    """Return the values of each row as a list: columns of shape (count,) become ``count`` lists, an item per column."""
    width = len(columns)
    # Column after column becomes row after row: cell (row, column) of the stacked columns is at column * count + row.
    by_row = np.arange(width * count).reshape(width, count).T.ravel()
    stacked = pa.concat_arrays([pa.array([], pa.string()), *columns])
    offsets = np.arange(count + 1, dtype=np.int32) * width
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), stacked.take(pa.array(by_row)))


def _plain_booleans(values: pa.Array) -> pa.Array:
    """Convert ``True`` and ``False``, as Python's CSV writers write them, to the lower case of the other formats."""
    capitalised = pc.is_in(values, value_set=pa.array(["True", "False"]))
    return pc.if_else(capitalised, pc.utf8_lower(values), values)
