"""The warehouse as a resource of assets of one's own: it reads what is published, and cannot write."""

from __future__ import annotations

import dagster as dg
import duckdb
import pytest
from dagster_duckdb import DuckDBResource

from analytics_platform.defs.resources.graph_resources import graph_resources
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.settings.loader import load_settings


@pytest.fixture
def platform(tmp_path, monkeypatch) -> Platform:
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path))
    with duckdb.connect(tmp_path / "warehouse.duckdb") as published:
        published.execute("create table fct_conversation as select 'mail' as primary_topic")
    return Platform(load_settings())


def test_an_asset_reads_the_marts_and_is_refused_to_write_them(platform):
    @dg.asset
    def topics(warehouse: dg.ResourceParam[DuckDBResource]) -> list[str]:
        with warehouse.get_connection() as connection:
            with pytest.raises(duckdb.InvalidInputException, match="read-only"):
                connection.execute("delete from fct_conversation")
            return [topic for (topic,) in connection.sql("select primary_topic from fct_conversation").fetchall()]

    warehouse = graph_resources(platform, [], on_partition=None)["warehouse"]
    assert dg.materialize_to_memory([topics], resources={"warehouse": warehouse}).output_for_node("topics") == ["mail"]
