"""Dagster metadata of a table's declaration: column schema, grain, key, and column lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from analytics_platform.model import Column, Table


def table_metadata(table: Table) -> dict[str, Any]:
    """Return the definition metadata of a table: its columns, grain and key."""
    return {
        "dagster/column_schema": dg.TableSchema(
            columns=[_column(column, unique=table.key == (column.name,)) for column in table.columns],
        ),
        "grain": table.grain,
        "key": ", ".join(table.key),
    }


def _column(column: Column, *, unique: bool) -> dg.TableColumn:
    rules = []
    if column.allowed is not None:
        rules.append(f"one of {', '.join(sorted(column.allowed))}")
    if column.minimum is not None:
        rules.append(f">= {column.minimum}")
    if column.maximum is not None:
        rules.append(f"<= {column.maximum}")
    unit = f" Unit: {column.unit}." if column.unit else ""
    return dg.TableColumn(
        name=column.name,
        type=str(column.type),
        description=column.doc + unit,
        constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=unique, other=rules),
    )


def column_lineage(table: Table, upstream: Mapping[dg.AssetKey, Table]) -> dict[str, Any]:
    """Return for each column the upstream columns of the same name and type.

    A column name has one meaning throughout the model, so an upstream column of the same name and type holds the same
    values.
    """
    carried = {
        column.name: [
            dg.TableColumnDep(asset_key=key, column_name=column.name)
            for key, source in upstream.items()
            if column.name in source.column_names and source.column(column.name).type == column.type
        ]
        for column in table.columns
    }
    deps = {name: sources for name, sources in carried.items() if sources}
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)} if deps else {}
