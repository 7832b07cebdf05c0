"""Derive a collection's ``$jsonSchema`` validator from its table's declaration; ``migrations`` applies it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from analytics_platform.model import Column, Table, find_violations
from analytics_platform.model.table import SchemaError

_BSON_TYPES = (
    (pa.types.is_string, ["string"]),
    (pa.types.is_boolean, ["bool"]),
    (pa.types.is_integer, ["int", "long"]),
    (pa.types.is_floating, ["double"]),
    (pa.types.is_date32, ["date"]),
    (pa.types.is_timestamp, ["date"]),
)


def validator(table: Table) -> dict[str, Any]:
    """Return the validator of a table's documents: exactly the declared columns, with their types and bounds.

    Raises:
        SchemaError: If a column's type has no BSON form.
    """
    properties = {"_id": {"bsonType": ["string"]}}
    for column in table.columns:
        try:
            properties[column.name] = _property(column)
        except SchemaError as error:
            raise SchemaError(f"table {table.name}, column {column.name}: {error}") from None
    return {"$jsonSchema": _object(properties)}


def satisfies_validator(declared: Table, table: pa.Table) -> bool:
    """Tell whether the validator of a table accepts every row of its content.

    A server would check each document by itself; here a rule costs one pass over a column.

    Args:
        declared: The declaration.
        table: The content.
    """
    if find_violations(declared, table):
        return False
    columns = (table.column(column.name).combine_chunks() for column in declared.columns)
    return all(_has_declared_nulls(column) for column in columns)


def _has_declared_nulls(values: pa.Array) -> bool:
    """Tell whether nested values are null only where their type allows it, in values that are not null themselves."""
    if pa.types.is_struct(values.type):
        present = values.drop_null()
        return all(
            (field.nullable or not child.null_count) and _has_declared_nulls(child)
            for field, child in zip(present.type, present.flatten(), strict=True)
        )
    if pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        items = values.drop_null().flatten()
        return (values.type.value_field.nullable or not items.null_count) and _has_declared_nulls(items)
    return True


def _property(column: Column) -> dict[str, Any]:
    schema = _schema(column.type, nullable=column.nullable)
    if column.allowed is not None:
        schema["enum"] = [*sorted(column.allowed), *([None] if column.nullable else [])]
    if column.minimum is not None:
        schema["minimum"] = column.minimum
    if column.maximum is not None:
        schema["maximum"] = column.maximum
    return schema


def _schema(kind: pa.DataType, *, nullable: bool) -> dict[str, Any]:
    """Return the schema of an Arrow type's values, including nested types."""
    if pa.types.is_struct(kind):
        schema = _object({field.name: _schema(field.type, nullable=field.nullable) for field in kind})
    elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        item = kind.value_field
        schema = {"bsonType": ["array"], "items": _schema(item.type, nullable=item.nullable)}
        if pa.types.is_fixed_size_list(kind):
            schema |= {"minItems": kind.list_size, "maxItems": kind.list_size}
    else:
        schema = {"bsonType": _scalar(kind)}
    if nullable:
        schema["bsonType"] = [*schema["bsonType"], "null"]
    return schema


def _object(properties: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "bsonType": ["object"],
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _scalar(kind: pa.DataType) -> list[str]:
    for matches, names in _BSON_TYPES:
        if matches(kind):
            return list(names)
    raise SchemaError(f"type {kind} has no BSON form")
