"""A repair under the LLM tier: the labels that it computes again are the LLM's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analytics_platform.cli.app import app
from analytics_platform.cli.commands import run_graph
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.settings.loader import load_settings

pytestmark = pytest.mark.integration

DAYS = ["2006-05-16", "2006-05-17"]


@pytest.fixture
def home(tmp_path, monkeypatch, endpoint, steps):
    """Two days of the sample through the whole graph, labelled by the LLM."""
    monkeypatch.chdir(tmp_path)
    variables = {"HOME": tmp_path / "home", "START_DATE": DAYS[0], "END_DATE": DAYS[1], "TIER": "llm"}
    llm = {"LLM_MODEL": steps.MODEL, "LLM_BASE_URL": endpoint.url, "LLM_API_KEY": steps.KEY}
    for name, value in {**variables, **llm}.items():
        monkeypatch.setenv(f"ANALYTICS_{name}", str(value))
    monkeypatch.setenv("DAGSTER_HOME", "")  # commands set it
    platform = Platform(load_settings())
    try:
        assert run_graph(platform, quiet=True)[0].failures == []
    finally:
        platform.close()


def labels() -> list[dict[str, Any]]:
    """The labels of both days with their reasons, as the lake holds them."""
    platform = Platform(load_settings())
    try:
        return [row for day in DAYS for row in platform.lake.read("conversation_insights", day).to_pylist()]
    finally:
        platform.close()


def lake_file(table: str) -> Path:
    platform = Platform(load_settings())
    try:
        return Path(platform.lake.path(table, DAYS[0]))
    finally:
        platform.close()


def test_a_repair_gives_back_the_labels_of_the_llm(home, endpoint):
    """A repair recomputed the labels with the static engine, in lake, MongoDB and warehouse, and said that all is well.

    Where the answers of the LLM are damaged too, they have to come back before the labels that follow from them.
    """
    before, asked = labels(), len(endpoint.bodies)
    assert {row["tier"] for row in before} == {"llm"}
    for damaged in (["conversation_insights"], ["llm_insights", "conversation_insights"]):
        for table in damaged:
            lake_file(table).write_bytes(lake_file(table).read_bytes()[:-100])
        repaired = CliRunner().invoke(app, ["repair"], catch_exceptions=False)
        assert (repaired.exit_code, labels()) == (0, before), repaired.output
        assert len(endpoint.bodies) == asked
    assert "agree; nothing was written" in CliRunner().invoke(app, ["repair"], catch_exceptions=False).output
