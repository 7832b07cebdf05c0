"""The LLM tier in the graph: what the budget leaves is done by the next run, and what is done is not asked again."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import dagster as dg
import orjson
import pytest
from typer.testing import CliRunner

from analytics_platform.cli.app import app
from analytics_platform.cli.commands import run_graph
from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.assets.everyday import tables_of
from analytics_platform.defs.framework.day_ranges import days_between
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.run import materialize
from analytics_platform.settings.loader import load_settings

pytestmark = pytest.mark.integration

READ = ("llm_insights", "llm_calls", "llm_failures", "quarantined_rows")


@pytest.fixture
def home(tmp_path, monkeypatch, endpoint, steps):
    monkeypatch.chdir(tmp_path)
    variables = {"HOME": tmp_path / "home", "LLM_MODEL": steps.MODEL, "LLM_BASE_URL": endpoint.url}
    for name, value in {**variables, "LLM_API_KEY": steps.KEY}.items():
        monkeypatch.setenv(f"ANALYTICS_{name}", str(value))


def run(*names):
    """Bring two days up to date; return the outcome, and rows by table of both days."""
    settings = load_settings()
    platform = Platform(settings)
    days = days_between(settings.first_day, settings.last_day)[:2]
    definitions = build_definitions(platform)
    keys = dg.AssetSelection.assets(*READ, *names).upstream().resolve(definitions.resolve_asset_graph())
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            outcome = materialize(
                platform, Graph.of(definitions, instance), days,
                job_name=EVERYTHING, assets=tables_of(settings), selection=sorted(keys), force=False,
            )  # fmt: skip
        assert outcome.failures == []
        rows = {name: sum(platform.lake.read(name, day).num_rows for day in days) for name in READ}
        conversations = sum(len(platform.lake.read("messages", day)["conversation_id"].unique()) for day in days)
    finally:
        platform.close()
    return outcome, rows, conversations


def test_a_budget_leaves_the_rest_to_the_next_run_until_all_is_done(home, endpoint, monkeypatch):
    monkeypatch.setenv("ANALYTICS_LLM_BUDGET_TOKENS", "60000")
    outcome, rows, conversations = run()
    assert outcome.failures == []
    assert 0 < rows["llm_insights"] < conversations
    assert rows["llm_insights"] + rows["llm_failures"] == conversations
    assert sum(i + o for i, o, _ in endpoint.served) <= 60_000
    monkeypatch.delenv("ANALYTICS_LLM_BUDGET_TOKENS")
    outcome, rows, _ = run()
    assert (rows["llm_insights"], rows["llm_failures"]) == (conversations, 0)
    assert rows["llm_calls"] == len(endpoint.served)
    asked = len(endpoint.bodies)
    outcome, _, _ = run()
    assert outcome.runs == []
    assert len(endpoint.bodies) == asked


def tiers_of_labels():
    """Conversations of both days by the tier that labelled them, and the intents there are."""
    platform = Platform(load_settings())
    try:
        days = days_between(platform.settings.first_day, platform.settings.last_day)[:2]
        labels = [row for day in days for row in platform.lake.read("conversation_insights", day).to_pylist()]
    finally:
        platform.close()
    return Counter(row["tier"] for row in labels), {row["intent"] for row in labels if row["tier"] == "llm"}


def test_where_the_tier_is_llm_its_labels_are_the_conversations_and_the_engine_stands_in(home, endpoint, monkeypatch):
    monkeypatch.setenv("ANALYTICS_TIER", "llm")
    monkeypatch.setenv("ANALYTICS_LLM_BUDGET_TOKENS", "60000")
    _, rows, conversations = run("conversation_insights")
    tiers, intents = tiers_of_labels()
    assert tiers == {"llm": rows["llm_insights"], "static": conversations - rows["llm_insights"]}
    assert min(tiers.values()) > 0
    assert "report_problem" in intents
    monkeypatch.delenv("ANALYTICS_LLM_BUDGET_TOKENS")
    run("conversation_insights")
    assert tiers_of_labels()[0] == {"llm": conversations}
    outcome, _, _ = run("conversation_insights")
    assert outcome.runs == []
    monkeypatch.delenv("ANALYTICS_TIER")
    run("conversation_insights")
    assert tiers_of_labels()[0] == {"static": conversations}


def test_a_run_says_how_many_conversations_have_no_answer_and_why(home, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")  # commands set it
    monkeypatch.setenv("ANALYTICS_LLM_BUDGET_TOKENS", "60000")
    platform = Platform(load_settings())
    days = dt.date(2006, 5, 15), dt.date(2006, 5, 16)
    try:
        outcome, _ = run_graph(platform, *days, '+key:"llm_*"', quiet=True)
    finally:
        platform.close()
    failed = outcome.tables["llm_failures"].rows
    assert failed > 0
    assert outcome.warnings[0] == (
        f"llm_insights: {failed} conversations have no answer: {failed} budget spent; see the table llm_failures"
    )


def test_the_dry_run_prices_a_range_of_days(home, endpoint, tmp_path):
    run_without_asking = ["llm-cost", "--from", "2006-05-15", "--to", "2006-05-16", "--json"]
    run()
    asked = len(endpoint.bodies)
    plan = orjson.loads(CliRunner().invoke(app, run_without_asking, catch_exceptions=False).stdout)
    assert (plan["to_call"], plan["cost_usd"]) == (0, 0.0)
    assert plan["cached"] + plan["naming_cached"] == asked
    assert len(endpoint.bodies) == asked


def test_without_a_model_the_tables_are_empty_and_nothing_is_asked(home, endpoint, monkeypatch):
    monkeypatch.delenv("ANALYTICS_LLM_MODEL")
    outcome, rows, conversations = run()
    assert outcome.failures == []
    assert (rows["llm_insights"], rows["llm_calls"], rows["llm_failures"]) == (0, 0, 0)
    assert conversations > 0
    assert endpoint.bodies == []
