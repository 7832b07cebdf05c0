"""Names of topics by an LLM in the graph: the tables, the ledger, the price, and what a failure leaves."""

from __future__ import annotations

import datetime as dt

import orjson
import pytest
from typer.testing import CliRunner

from analytics_platform.cli.app import app
from analytics_platform.cli.commands import run_graph
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.settings.loader import load_settings

pytestmark = pytest.mark.integration

FIRST, LAST = dt.date(2006, 5, 15), dt.date(2006, 5, 17)
SELECTION = '+key:"discovered_topics" or +key:"conversation_topics"'


@pytest.fixture
def home(tmp_path, monkeypatch, endpoint, steps):
    """A home of the sample, whose endpoint is at hand."""
    monkeypatch.chdir(tmp_path)
    variables = {"HOME": tmp_path / "home", "LLM_MODEL": steps.MODEL, "LLM_BASE_URL": endpoint.url}
    for name, value in {**variables, "LLM_API_KEY": steps.KEY}.items():
        monkeypatch.setenv(f"ANALYTICS_{name}", str(value))
    monkeypatch.setenv("DAGSTER_HOME", "")  # commands set it


def run(selection=SELECTION):
    """Bring three days up to date; return the outcome, the topics by id, the names, and the names shown on the days."""
    platform = Platform(load_settings())
    try:
        outcome, _ = run_graph(platform, FIRST, LAST, selection, quiet=True)
        topics = {row["topic_id"]: row for row in platform.lake.read("discovered_topics", "").to_pylist()}
        names = platform.lake.read("topic_names", "").to_pylist()
        days = platform.lake.keys("conversation_topics")
        shown = {
            row["topic_id"]: row["topic_name"]
            for day in days
            for row in platform.lake.read("conversation_topics", day).to_pylist()
            if row["topic_id"]
        }
        calls = [
            row for day in platform.lake.keys("llm_calls") for row in platform.lake.read("llm_calls", day).to_pylist()
        ]
    finally:
        platform.close()
    assert outcome.failures == []
    return outcome, topics, names, shown, calls


def own_words(topics):
    return {name: topic["topic_name"] for name, topic in topics.items() if topic["named_by"] == "own words"}


def test_topics_are_named_once_and_the_ledger_has_every_call(home, endpoint, tmp_path, monkeypatch):
    outcome, topics, names, shown, calls = run(f'{SELECTION} or key:"llm_insights" or key:"llm_calls"')
    assert len(topics) > 3
    assert {topic["named_by"] for topic in topics.values()} == {"model"}
    assert {row["topic_id"]: row["name"] for row in names} == {
        one: topic["topic_name"] for one, topic in topics.items()
    }
    assert all(topic["sentence"].startswith("Customers write about ") for topic in topics.values())
    assert shown == {one: topics[one]["topic_name"] for one in shown}
    assert outcome.warnings == []
    assert len(calls) == len(endpoint.served)
    assert sum(call["prompt_version"].startswith("topic_name.") for call in calls) == len(topics)

    asked = len(endpoint.bodies)
    again, *_ = run()
    assert again.runs == []
    priced = ["llm-cost", "--from", str(FIRST), "--to", str(LAST), "--json"]
    figures = orjson.loads(CliRunner().invoke(app, priced, catch_exceptions=False).stdout)
    assert (figures["naming_topics"], figures["naming_to_call"]) == (len(topics), 0)
    assert len(endpoint.bodies) == asked

    named = next(iter(shown))
    (tmp_path / "topics.yaml").write_text(f"topics: {{{named}: {{name: Mine}}}}")
    monkeypatch.setenv("ANALYTICS_TOPICS", str(tmp_path / "topics.yaml"))
    _, topics, _, shown, _ = run()
    assert (shown[named], topics[named]["named_by"]) == ("Mine", "person")
    assert topics[named]["sentence"].startswith("Customers write about ")
    assert len(endpoint.bodies) == asked


def test_a_failure_leaves_the_own_words_and_the_next_run_asks_again(home, endpoint, monkeypatch, steps):
    monkeypatch.delenv("ANALYTICS_LLM_MODEL")
    _, topics, names, shown, _ = run()
    expected = own_words(topics)
    assert expected.keys() == topics.keys()
    assert names == []
    assert shown.items() <= expected.items()
    assert endpoint.bodies == []

    monkeypatch.setenv("ANALYTICS_LLM_MODEL", steps.MODEL)
    monkeypatch.setenv("ANALYTICS_LLM_BUDGET_TOKENS", "1000")
    outcome, topics, names, _, _ = run()
    assert own_words(topics) == expected
    assert {(row["failure"], row["will_retry"]) for row in names} == {("budget", True)}
    count = len(topics)
    assert outcome.warnings == [
        f"topic_names: {count} topics have no answer: {count} budget spent; see the table topic_names"
    ]

    monkeypatch.delenv("ANALYTICS_LLM_BUDGET_TOKENS")
    endpoint.default = steps.fails(401)
    outcome, topics, names, _, _ = run()
    assert own_words(topics) == expected
    assert {(row["failure"], row["will_retry"]) for row in names} == {("unavailable", True)}

    endpoint.default = steps.good
    outcome, topics, names, shown, _ = run()
    assert own_words(topics) == {}
    assert shown == {one: topics[one]["topic_name"] for one in shown}
    assert outcome.warnings == []
