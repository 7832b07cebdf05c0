"""The marts in the graph: keys, partitions, lineage, checks and column schemas, from the prepared manifest."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from analytics_platform.defs.assets.mart_assets import build_marts
from analytics_platform.model.tables.clean_tables import MESSAGES
from analytics_platform.model.tables.error_tables import PROCESSING_ERRORS as ERRORS
from analytics_platform.settings.loader import PROJECT_ROOT
from analytics_platform.storage.warehouse.dbt_project import ManifestError, load_manifest, prepare_manifest
from analytics_platform.storage.warehouse.facts import render
from analytics_platform.storage.warehouse.marts_build import LAKE_TABLES

PROJECT = PROJECT_ROOT / "dbt_project"
DAYS = dg.DailyPartitionsDefinition("2006-05-15", end_date="2006-07-03")


@pytest.fixture(scope="module")
def marts() -> dg.AssetsDefinition:
    prepare_manifest(PROJECT)
    return build_marts(DAYS, load_manifest(PROJECT), ["team:analytics"])


def spec(marts: dg.AssetsDefinition, name: str) -> dg.AssetSpec:
    return marts.specs_by_key[dg.AssetKey(name)]


def upstream(marts: dg.AssetsDefinition, name: str) -> set[str]:
    return {dep.asset_key.to_user_string() for dep in spec(marts, name).deps}


def test_every_model_of_the_star_is_an_asset_of_the_group(marts: dg.AssetsDefinition) -> None:
    assert {key.to_user_string() for key in marts.keys} == {
        "agg_daily", "dim_agent", "dim_date", "dim_model", "dim_topic", "dim_user", "fct_conversation", "fct_message",
    }  # fmt: skip
    assert {one.group_name for one in marts.specs} == {"marts"}
    assert all(one.kinds == {"dbt", "duckdb"} and list(one.owners) == ["team:analytics"] for one in marts.specs)


def test_facts_are_built_by_day_and_dimensions_as_a_whole(marts: dg.AssetsDefinition) -> None:
    daily = {one.key.to_user_string() for one in marts.specs if one.partitions_def == DAYS}
    assert daily == {"fct_conversation", "fct_message", "agg_daily"}
    assert {one.partitions_def for one in marts.specs} == {DAYS, None}


def test_lineage_runs_from_the_lake_through_the_facts_without_staging(marts: dg.AssetsDefinition) -> None:
    assert upstream(marts, "fct_message") == {"messages", "message_insights", "processing_errors"}
    assert upstream(marts, "fct_conversation") == {
        "conversations",
        "conversation_insights",
        "conversation_topics",
        "processing_errors",
    }
    assert upstream(marts, "dim_user") == {"fct_conversation"}


def test_the_marts_wait_for_every_table_that_they_or_their_tests_read(marts: dg.AssetsDefinition) -> None:
    read_by_checks = {dep.asset_key.to_user_string() for check in marts.check_specs for dep in check.additional_deps}
    assert "daily_metrics" in read_by_checks
    names = {key.to_user_string() for key in marts.keys}
    waited_for = {key.to_user_string() for key in marts.keys_by_input_name.values()} - names
    assert waited_for == set(LAKE_TABLES)
    assert read_by_checks - names <= waited_for


def test_every_column_is_documented_and_typed(marts: dg.AssetsDefinition) -> None:
    for one in marts.specs:
        columns = one.metadata["dagster/column_schema"].columns
        assert columns
        assert all(column.type != "?" and column.description for column in columns), one.key


def test_dbt_tests_are_blocking_checks(marts: dg.AssetsDefinition) -> None:
    names = {check.name for check in marts.check_specs}
    expected = {"every_day_has_the_lakes_rows", "agg_daily_equals_daily_metrics", "a_message_is_in_fct_message_once"}
    assert expected <= names
    assert all(check.blocking for check in marts.check_specs)


def test_the_lake_tables_are_the_sources_of_the_dbt_project() -> None:
    assert {node["name"] for node in load_manifest(PROJECT)["sources"].values()} == set(LAKE_TABLES)


def test_no_mart_takes_sealed_spans_over(marts: dg.AssetsDefinition) -> None:
    manifest = load_manifest(PROJECT)
    [source] = [key for key, node in manifest["sources"].items() if node["name"] == "messages"]
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    readers = {model["name"] for model in models if source in model["depends_on"]["nodes"]}
    assert readers == {"stg_messages"}
    lake = {f"lake_{name}": table.empty() for name, table in (("messages", MESSAGES), ("processing_errors", ERRORS))}
    with duckdb.connect() as memory:
        for name, table in lake.items():
            memory.register(name, table)
        columns = memory.sql(f"from {render(PROJECT, 'stg_messages').sql}").columns
    assert set(MESSAGES.column_names) - {"code", "pii", "pii_spans", "quoted_text", "text", "token_count"} < set(
        columns
    )
    assert not {name for name in columns if "pii" in name}


def test_a_missing_or_outdated_manifest_is_one_error_that_names_the_command(tmp_path: Path) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, project)
    with (project / "macros" / "days.sql").open("a") as file:
        file.write("\n")
    with pytest.raises(ManifestError, match=r"has changed since.*`analytics prepare`"):
        load_manifest(project)
    shutil.rmtree(project / "target")
    with pytest.raises(ManifestError, match="is missing; prepare it with `analytics prepare`"):
        load_manifest(project)
