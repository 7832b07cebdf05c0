"""The whole graph with its lake on a real S3 server."""

from __future__ import annotations

import dagster as dg
import duckdb
import pytest

from analytics_platform.definitions import EVERYTHING, TABLES, build_definitions
from analytics_platform.defs.resources import Platform
from analytics_platform.defs.runs import days_between, materialize
from analytics_platform.settings import load_settings

pytestmark = pytest.mark.integration


def run(home, monkeypatch, instance, **variables: str):
    monkeypatch.setenv("ANALYTICS_HOME", str(home))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    platform = Platform(settings)
    try:
        outcome = materialize(
            platform, build_definitions(platform), days_between(settings.first_day, settings.first_day)[:1],
            job_name=EVERYTHING, assets=TABLES, selection=None, force=False, instance=instance,
        )  # fmt: skip
        hashes = {
            (asset.recipe.store, asset.recipe.table.name, key): platform.store(asset.recipe.store)
            .info(asset.recipe.table.name, key)
            .content_hash
            for asset in TABLES
            for key in platform.store(asset.recipe.store).keys(asset.recipe.table.name)
        }
    finally:
        platform.close()
    with duckdb.connect(settings.warehouse_path, read_only=True) as warehouse:
        facts = warehouse.sql("select * from fct_conversation order by all").fetchall()
    return outcome, hashes, facts


def test_s3_and_disk_give_the_same_content(s3, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        local, local_hashes, local_facts = run(tmp_path / "local", monkeypatch, instance)
        remote, remote_hashes, remote_facts = run(
            tmp_path / "remote", monkeypatch, instance, ANALYTICS_LAKE_URI=f"s3://{s3.bucket}/graph", **s3.variables
        )
    assert local.failures == remote.failures == []
    assert remote_hashes == local_hashes
    assert len(remote_hashes) == len(TABLES)
    assert remote_facts == local_facts != []
    assert not (tmp_path / "remote" / "lake").exists()
