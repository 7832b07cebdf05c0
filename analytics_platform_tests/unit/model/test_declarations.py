"""What holds for every table that is declared."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pyarrow as pa
import pytest

from analytics_platform import model
from analytics_platform.model import Table, find_violations
from analytics_platform.model.tables.clean_tables import MESSAGES, STAYS_IN_THE_LAKE
from analytics_platform.model.tables.raw_tables import INPUT_COLUMNS, REQUIRED_INPUT

NOT_PER_DAY = {
    "user_analytics",
    "unplaced_rows",
    "label_feedback",
    "gold_labels",
    "llm_lessons",
    "candidate_model",
    "promoted_model",
    "model_evaluation",
    "topic_epochs",
    "topic_names",
    "discovered_topics",
    "topic_genealogy",
}


def declared_tables() -> list[Table]:
    found = pkgutil.walk_packages(model.__path__, f"{model.__name__}.")
    modules = [importlib.import_module(info.name) for info in found]
    tables = [value for module in modules for value in vars(module).values() if isinstance(value, Table)]
    return list({id(table): table for table in tables}.values())  # one module may import another's table


TABLES = declared_tables()
every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def test_the_tables_of_every_layer_are_found() -> None:
    names = {table.name for table in TABLES}
    assert {"raw_messages", "conversations", "conversation_insights", "daily_metrics", "analytics_reports"} <= names


@every_table
def test_a_table_says_its_grain_and_what_every_column_means(table: Table) -> None:
    assert re.match(r"one (row|document) per ", table.grain)
    for column in table.columns:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        assert re.fullmatch(r"[A-Z0-9].*\.", column.doc), f"{table.name}.{column.name}: {column.doc!r} is no sentence"


@every_table
def test_a_column_that_may_be_null_says_what_null_means(table: Table) -> None:
    """An analyst cannot tell "unknown" from "does not apply" when a description leaves null out."""
    assert [column.name for column in table.columns if column.nullable and "null" not in column.doc] == []


@every_table
def test_a_key_is_never_missing(table: Table) -> None:
    assert not [name for name in table.key if table.column(name).nullable]


@every_table
def test_a_table_of_days_carries_its_day(table: Table) -> None:
    assert ("date" in table.column_names) == (table.name not in NOT_PER_DAY)


def test_sealed_spans_are_in_no_table_but_the_lakes_messages() -> None:
    assert [table.name for table in TABLES if set(table.column_names) & STAYS_IN_THE_LAKE] == ["messages"]
    assert {column.name for column in MESSAGES.columns if pa.types.is_binary(column.type)} == STAYS_IN_THE_LAKE


@every_table
def test_bounds_and_labels_fit_the_type(table: Table) -> None:
    for column in table.columns:
        number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        assert number or (column.minimum is None and column.maximum is None)
        assert column.allowed is None or pa.types.is_string(column.type)
        assert column.minimum is None or column.maximum is None or column.minimum < column.maximum


@every_table
def test_the_empty_table_is_valid(table: Table) -> None:
    assert find_violations(table, table.conform(table.empty())) == []


def test_what_a_source_must_provide_is_among_what_it_may_provide() -> None:
    assert set(REQUIRED_INPUT) <= {column.name for column in INPUT_COLUMNS}
