"""Read a file of labels, CSV, JSON lines or Parquet, as a table of texts; rows that cannot be read are counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from analytics_platform.errors import UserError
from analytics_platform.system.plain_text import counted

ROW = "row"
"""Column of the number of a row in its file; the first row below the header is row 1."""
_SHOWN = 3
_SUFFIXES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
_DELIMITERS = ",;\t|"


class LabelFileError(UserError, ValueError):
    """A file of labels cannot be used; the message names the file, its fault and the way out."""


@dataclass(frozen=True)
class BadRows:
    """Rows of one file that are left out.

    Attributes:
        path: The file.
        reasons: Reason by number of the row, in the order of the rows.
    """

    path: Path
    reasons: Mapping[int, str]

    @property
    def statement(self) -> str:
        """One line with the number of rows and the first of them; empty if there are none."""
        if not self.reasons:
            return ""
        first = "; ".join(f"row {row}: {reason}" for row, reason in sorted(self.reasons.items())[:_SHOWN])
        return f"{self.path}: {counted(len(self.reasons), 'row')} left out ({first})"


def distinct_names(paths: Iterable[Path]) -> dict[Path, str]:
    """Return for each file the shortest end of its path that no other of the files has: usually its name alone.

    Args:
        paths: The files; two of them may have one name, such as ``a/labels.csv`` and ``b/labels.csv``.
    """
    every = list(dict.fromkeys(paths))
    names: dict[Path, str] = {}
    for path in every:
        for length in range(1, max(len(one.parts) for one in every) + 1):
            end = path.parts[-length:]
            if sum(one.parts[-length:] == end for one in every) == 1:
                names[path] = str(Path(*end))
                break
    return names


def read_label_file(path: Path, columns: Mapping[str, Sequence[str]]) -> tuple[pa.Table, BadRows]:
    """Read some columns of a file as trimmed texts, null where a cell is empty.

    Args:
        path: A file whose name ends in .csv, .tsv, .txt, .jsonl, .ndjson or .parquet.
        columns: Names under which each column may stand in the file, in any case; the file may lack a column.

    Returns:
        The columns that the file has, and ``ROW``; and the rows that are no rows of a table.

    Raises:
        LabelFileError: If the file cannot be read, has another format, or has no rows.
    """
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise LabelFileError(f"{path}: the name must end in {', '.join(_SUFFIXES)}")
    if not path.is_file():
        raise LabelFileError(f"{path}: there is no such file")
    read = {"csv": _read_csv, "json": _read_json, "parquet": _read_parquet}[kind]
    try:
        table, bad = read(path)
    except (pa.ArrowException, duckdb.Error, OSError) as error:
        hint = "; save the file as UTF-8" if "UTF" in str(error).upper() else ""
        raise LabelFileError(f"{path}: cannot be read as {kind}: {' '.join(str(error).split())[:300]}{hint}") from error
    if not table.num_rows and not bad:
        raise LabelFileError(f"{path}: has no rows")
    by_name = {name.strip().lower(): name for name in reversed(table.column_names)}
    chosen = {ROW: table[ROW]}
    for name, aliases in columns.items():
        column = next((by_name[alias] for alias in aliases if alias in by_name), None)
        if column is not None:
            chosen[name] = _trimmed(path, table[column], column)
    return pa.table(chosen), BadRows(path, bad)


def require_columns(path: Path, table: pa.Table, needed: Iterable[str], hint: str) -> None:
    """Refuse a table that lacks columns.

    Raises:
        LabelFileError: Naming the missing columns.
    """
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise LabelFileError(f"{path}: lacks the column {', '.join(missing)}; {hint}")


def _read_csv(path: Path) -> tuple[pa.Table, dict[int, str]]:
    bad: dict[int, str] = {}

    def leave_out(row: pa_csv.InvalidRow) -> str:
        bad[row.number - 1] = f"{row.actual_columns} cells, and the header has {row.expected_columns}"
        return "skip"

    with path.open("rb") as file:
        header = file.readline().decode("utf-8", "replace")
    names = pa_csv.open_csv(
        path,
        pa_csv.ReadOptions(use_threads=False),
        pa_csv.ParseOptions(delimiter=_delimiter(header), invalid_row_handler=lambda _: "skip"),
    ).schema.names
    table = pa_csv.read_csv(
        path,
        pa_csv.ReadOptions(use_threads=False),
        pa_csv.ParseOptions(
            delimiter=_delimiter(header),
            newlines_in_values=True,
            invalid_row_handler=leave_out,
            ignore_empty_lines=True,
        ),
        pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )
    numbers = np.setdiff1d(np.arange(1, table.num_rows + len(bad) + 1), list(bad))
    return _numbered(table, numbers), bad


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _read_json(path: Path) -> tuple[pa.Table, dict[int, str]]:
    with duckdb.connect() as database:
        # DuckDB's own search for columns reads a sample, and takes a file with one line that is no object for no table.
        lines = database.read_json(
            str(path), format="newline_delimited", ignore_errors=True, records="false", columns={"line": "JSON"}
        )
        table = lines.project(*(_cell(keys).alias(name) for name, keys in _json_keys(lines).items())).to_arrow_table()
    numbers = np.arange(1, table.num_rows + 1)
    empty = np.logical_and.reduce([pc.is_null(column).to_numpy() for column in table.columns])
    bad = dict.fromkeys(numbers[empty].tolist(), "not a JSON object with these columns")
    return _numbered(table, numbers).filter(pa.array(~empty)), bad


def _json_keys(lines: duckdb.DuckDBPyRelation) -> dict[str, list[str]]:
    """Return the keys of all objects by the name of their column: the key in lower case, without outer spaces."""
    objects = lines.filter("json_type(line) = 'OBJECT'")
    keys = objects.project("unnest(json_keys(line)) AS key").aggregate("key, count(*) AS rows").order("rows DESC, key")
    by_name: dict[str, list[str]] = {}
    for key, _ in keys.fetchall():
        by_name.setdefault(key.strip().lower(), []).append(key)
    return by_name or {"": [""]}


def _cell(keys: Sequence[str]) -> duckdb.Expression:
    """Return the first value that an object has under one of the keys, as text."""
    pointers = ("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
    line = duckdb.ColumnExpression("line")
    values = (duckdb.FunctionExpression("json_extract_string", line, duckdb.ConstantExpression(p)) for p in pointers)
    return duckdb.CoalesceOperator(*values)


def _read_parquet(path: Path) -> tuple[pa.Table, dict[int, str]]:
    table = pq.read_table(path)
    return _numbered(table, np.arange(1, table.num_rows + 1)), {}


def _numbered(table: pa.Table, numbers: np.ndarray[Any, Any]) -> pa.Table:
    """Return the table with the numbers of its rows, in place of a column of the file with this name."""
    table = table.drop_columns([name for name in table.column_names if name == ROW])
    return table.append_column(ROW, pa.array(numbers, pa.int64()))


def _trimmed(path: Path, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise LabelFileError(f"{path}: column {name} is not text ({column.type})") from error
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
