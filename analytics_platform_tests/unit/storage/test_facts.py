"""The facts that the models give, without dbt, and those that are published."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.settings.loader import PROJECT_ROOT
from analytics_platform.storage.warehouse.dbt_project import load_manifest
from analytics_platform.storage.warehouse.facts import FACTS, Facts, render
from analytics_platform.storage.warehouse.warehouse_file import DamagedWarehouseError

LAKE_TABLES = {asset.recipe.table.name: asset.recipe.table for asset in TABLES}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "macros").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "macros" / "twice.sql").write_text("{% macro twice(x) -%} 2 * {{ x }} {%- endmacro %}")
    (tmp_path / "models" / "stg_n.sql").write_text(
        "with source as (select * from {{ source('lake', 'n') }}) from source"
    )
    (tmp_path / "models" / "fct.sql").write_text(
        "with n as (from {{ ref('stg_n') }}) select id, {{ twice('v') }} as v from n"
    )
    return tmp_path


@pytest.mark.parametrize("name", FACTS)
def test_each_fact_has_the_columns_that_the_project_documents(name):
    """The SQL rendered without dbt must run on the lake's tables and give the columns that dbt publishes."""
    model = render(PROJECT_ROOT / "dbt_project", name)
    nodes = load_manifest(PROJECT_ROOT / "dbt_project")["nodes"].values()
    [documented] = [node["columns"] for node in nodes if (node["resource_type"], node["name"]) == ("model", name)]
    with duckdb.connect() as db:
        for table in model.tables:
            db.register(f"lake_{table}", LAKE_TABLES[table].empty())
        fact = db.sql(f"from {model.sql}")
        assert (fact.columns, fact.fetchall()) == (list(documented), [])


def test_a_model_is_rendered_with_its_references_sources_and_macros(project):
    model = render(project, "fct")
    assert model.tables == ("n",)
    lake_n = pa.table({"id": ["a"], "v": [3]})  # noqa: F841  (DuckDB finds it by its name)
    with duckdb.connect() as db:
        assert db.sql(f"from {model.sql}").fetchall() == [("a", 6)]


def test_a_model_that_needs_more_of_dbt_or_is_not_there_is_named(project):
    with pytest.raises(FileNotFoundError, match="has no model fct_other"):
        render(project, "fct_other")
    (project / "models" / "fct.sql").write_text("select 1 {% if is_incremental() %} where {% endif %}")
    with pytest.raises(Exception, match="is_incremental"):
        render(project, "fct")


def test_nothing_is_published_before_the_first_build(tmp_path):
    with Facts(tmp_path / "warehouse.duckdb", PROJECT_ROOT / "dbt_project").open() as facts:
        assert facts is None


def test_a_damaged_file_is_named_with_what_mends_it(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"no database" * 1000)
    with (
        pytest.raises(DamagedWarehouseError, match=r"warehouse.duckdb: damaged .*`analytics repair`"),
        Facts(path, PROJECT_ROOT / "dbt_project").open(),
    ):
        pass
