"""The whole graph with its lake on a real S3 server."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.defs.framework.day_ranges import days_between
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.operations.runs.run import materialize
from analytics_platform.settings.loader import PROJECT_ROOT, load_settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DAYS = ["2006-05-15", "2006-05-16", "2006-05-17"]
RESTATED = DAYS[1]
Hashes = dict[tuple[str, str], str]


def run(home: Path, monkeypatch, instance, **variables: str) -> tuple[Outcome, Hashes, list[object]]:
    monkeypatch.setenv("ANALYTICS_HOME", str(home))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    platform = Platform(settings)
    try:
        outcome = materialize(
            platform, Graph.of(build_definitions(platform), instance),
            days_between(settings.first_day, settings.last_day),
            job_name=EVERYTHING, assets=TABLES, selection=None, force=False,
        )  # fmt: skip
        hashes = {
            (asset.recipe.table.name, key): platform.store(asset.recipe.store)
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


def write_chats(path: Path, *, restated: bool) -> None:
    """Write three days of the sample; restated, the first message of the second day has another text."""
    rows = pq.read_table(PROJECT_ROOT / "analytics_platform" / "sample" / "conversations.parquet")
    day = pc.strftime(rows["timestamp"], "%Y-%m-%d")
    rows = rows.filter(pc.is_in(day, pa.array(DAYS)))
    if restated:
        texts = rows["text"].to_pylist()
        texts[pc.index(pc.strftime(rows["timestamp"], "%Y-%m-%d"), RESTATED).as_py()] = "Thank you, that works now!"
        rows = rows.set_column(rows.column_names.index("text"), "text", pa.array(texts))
    pq.write_table(rows, path)


def test_s3_and_disk_give_the_same_content_also_of_a_day_that_is_restated(s3, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chats, remote_lake = tmp_path / "chats.parquet", {"ANALYTICS_LAKE_URI": f"s3://{s3.bucket}/graph", **s3.variables}
    monkeypatch.setenv("ANALYTICS_SOURCE", "files")
    monkeypatch.setenv("ANALYTICS_SOURCE_PATH", str(chats))
    monkeypatch.setenv("ANALYTICS_START_DATE", DAYS[0])
    monkeypatch.setenv("ANALYTICS_END_DATE", DAYS[-1])
    found = {}
    with dg.DagsterInstance.ephemeral() as instance:
        for restated in (False, True):
            write_chats(chats, restated=restated)
            for name in remote_lake:
                monkeypatch.delenv(name, raising=False)
            local, local_hashes, local_facts = run(tmp_path / "local", monkeypatch, instance)
            remote, remote_hashes, remote_facts = run(tmp_path / "remote", monkeypatch, instance, **remote_lake)
            assert local.failures == remote.failures == []
            assert remote_hashes == local_hashes
            assert {name for name, _ in remote_hashes} == {asset.recipe.table.name for asset in TABLES}
            assert remote_facts == local_facts != []
            found[restated] = remote_hashes
    changed = {key for name, key in found[True] if found[True][name, key] != found[False][name, key]}
    assert RESTATED in changed
    assert ("messages", DAYS[0]) in found[True]
    assert found[True]["messages", DAYS[0]] == found[False]["messages", DAYS[0]]
    assert not (tmp_path / "remote" / "lake").exists()
