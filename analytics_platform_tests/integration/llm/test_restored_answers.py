"""After a home is lost, a backup in an empty one: no answer is paid for twice, and training finds the corrections."""

from __future__ import annotations

import datetime as dt
from contextlib import closing

import pytest

from analytics_platform.cli.commands import run_graph
from analytics_platform.cli.graph_commands import train_model
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.backup import back_up, restore
from analytics_platform.settings.loader import load_settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SELECT = "group:raw or group:clean or group:insights"
CORRECTION = {"conversation_id": "nobody", "kind": "topic", "label": "audio", "author": "ann"}


def use(home, monkeypatch):
    monkeypatch.setenv("ANALYTICS_HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", "")  # commands set it
    return closing(Platform(load_settings()))


def test_a_restored_home_asks_nothing_again_and_learns_from_its_corrections(tmp_path, monkeypatch, endpoint, steps):
    for name, value in {"LLM_MODEL": steps.MODEL, "LLM_BASE_URL": endpoint.url, "LLM_API_KEY": steps.KEY}.items():
        monkeypatch.setenv(f"ANALYTICS_{name}", value)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    day = steps.DAY
    with use(tmp_path / "lost", monkeypatch) as platform:
        assert run_graph(platform, day, day, SELECT, quiet=True)[0].failures == []
        labels = platform.lake.info("llm_insights", str(day))
        calls = platform.lake.read("llm_calls", str(day))
        with platform.mongo.lend("label_feedback") as collection:
            collection.insert_one({**CORRECTION, "corrected_at": dt.datetime.now(dt.UTC)})
        back_up(platform, tmp_path / "backup")
    asked = len(endpoint.bodies)
    assert asked > 0
    with use(tmp_path / "new", monkeypatch) as platform:
        restore(platform, tmp_path / "backup")
        assert run_graph(platform, day, day, SELECT, quiet=True)[0].failures == []
        assert len(endpoint.bodies) == asked
        assert platform.lake.info("llm_insights", str(day)).content_hash == labels.content_hash
        assert platform.lake.read("llm_calls", str(day)) == calls
        assert train_model(platform)["feedback"] == {"quarantined": 1}
