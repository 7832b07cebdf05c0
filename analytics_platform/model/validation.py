"""Checks a table's content against its declaration: schema, keys, nulls, ranges and closed label sets."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.table import Column, Table
from analytics_platform.system.plain_text import agreeing, counted


@dataclass(frozen=True)
class Violation:
    """A broken rule: the table, the column, the rule, and the number of rows that break it."""

    table: str
    column: str
    rule: str
    rows: int

    def __str__(self) -> str:
        """Return the violation as one sentence."""
        breaking = f"{counted(self.rows, 'row')} {agreeing(self.rows, 'breaks', 'break')}"
        return f"{self.table}.{self.column}: {breaking} «{self.rule}»"


def find_violations(declared: Table, table: pa.Table) -> list[Violation]:
    """Return every rule of the declaration that ``table`` breaks; empty if the table is valid.

    Args:
        declared: The declaration.
        table: Content of one partition.
    """
    if table.schema.remove_metadata() != declared.arrow_schema:
        return [Violation(declared.name, "*", "has the declared schema", table.num_rows)]
    if not table.num_rows:
        return []
    found = [
        Violation(declared.name, column.name, rule, rows)
        for column in declared.columns
        for rule, rows in _column_rules(column, table.column(column.name))
        if rows
    ]
    # Without threads: for the rows of a day or a block, starting them takes longer than they save.
    groups = table.group_by(list(declared.key), use_threads=False).aggregate([])
    repeated = table.num_rows - groups.num_rows
    if repeated:
        found.append(Violation(declared.name, ",".join(declared.key), "is unique", repeated))
    return found


def _column_rules(column: Column, values: pa.ChunkedArray) -> list[tuple[str, int]]:
    """Return (rule, number of rows that break it) for each rule of one column."""
    rules: list[tuple[str, int]] = []
    if not column.nullable:
        rules.append(("is not null", values.null_count))
    if column.allowed is not None:
        known = pc.is_in(values.drop_null(), value_set=pa.array(sorted(column.allowed)))
        rules.append((f"is one of {sorted(column.allowed)}", _count_false(known)))
    if pa.types.is_floating(column.type):
        rules.append(("is finite", _count_false(pc.is_finite(values.drop_null()))))
    if column.minimum is not None:
        rules.append((f">= {column.minimum}", _count_false(pc.greater_equal(values.drop_null(), column.minimum))))
    if column.maximum is not None:
        rules.append((f"<= {column.maximum}", _count_false(pc.less_equal(values.drop_null(), column.maximum))))
    return rules


def _count_false(flags: pa.ChunkedArray) -> int:
    return len(flags) - (pc.sum(flags).as_py() or 0)
