"""Training on the graph: corrections in, a candidate judged, a bad one refused, a good one labels."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.cli.commands import run_graph
from analytics_platform.cli.graph_commands import train_model
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.insights.quality.feedback import find_said, is_held_out, judge_feedback
from analytics_platform.insights.tiers.examples import shipped_gold
from analytics_platform.settings.loader import load_settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

FIRST, DAY = dt.date(2006, 5, 15), dt.date(2006, 6, 1)
SELECT = "group:raw or group:clean or group:insights"
NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")  # commands set these
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    platform = Platform(load_settings())
    yield platform
    platform.close()


def say(platform: Platform, rows: list[dict[str, Any]]) -> None:
    platform.mongo.migrate()
    with platform.mongo.lend("label_feedback") as collection:
        collection.delete_many({})
        collection.insert_many(rows)


def correction(conversation: str, label: str) -> dict[str, Any]:
    return {"conversation_id": conversation, "kind": "topic", "label": label, "author": "ann", "corrected_at": NOON}


def labels(platform: Platform, column: str) -> dict[str, str]:
    columns = ["conversation_id", column]
    table = pa.concat_tables(
        [
            platform.lake.read("conversation_insights", day, columns)
            for day in platform.lake.keys("conversation_insights")
        ]
    )
    return dict(zip(table["conversation_id"].to_pylist(), table[column].to_pylist(), strict=True))


def topics(platform: Platform) -> dict[str, str]:
    return labels(platform, "primary_topic")


def wrong_topic(topic: str) -> str:
    """Return nearly the same topic for all conversations, so that a model learns it and nearly all else is lost."""
    return "audio" if topic != "audio" else "networking"


def test_a_bad_candidate_is_refused_and_a_good_one_labels_from_then_on(platform):
    outcome, _ = run_graph(platform, FIRST, DAY, SELECT, quiet=True)
    assert outcome.failures == []
    before = topics(platform)

    say(platform, [correction("nobody", "audio")])
    first = train_model(platform)
    assert (first["failures"], first["promoted"], first["feedback"]) == ([], True, {"quarantined": 1})
    assert (first["changed"], first["corrections"]) == (False, 0)
    stored = platform.lake.info("promoted_model", "").content_hash
    assert (
        run_graph(platform, FIRST, DAY, SELECT, quiet=True)[0].runs == []
    )  # the default heads as a file change nothing

    free = sorted(set(before) - set(shipped_gold()["item"].to_pylist()))
    wrong = {name: wrong_topic(before[name]) for name in free if not is_held_out(name)}  # no gold confirms them
    say(platform, [correction(name, topic) for name, topic in wrong.items()])
    bad = train_model(platform)
    assert not bad["promoted"]
    assert any(line.startswith("check no_worse_than_promoted: topic: ") for line in bad["failures"])
    assert bad["kinds"]["topic"]["after"] < bad["kinds"]["topic"]["before"]
    assert platform.lake.info("promoted_model", "").content_hash == stored
    held, _ = run_graph(platform, FIRST, DAY, SELECT, quiet=True)  # corrections hold, whatever a model learns from them
    assert {name for name, table in held.tables.items() if table.reused < table.partitions} == {"conversation_insights"}
    assert topics(platform) == {**before, **wrong}

    intents = labels(platform, "intent")  # small talk is what the community is for; much else would cost gold labels
    unsure = [name for name in free if before[name] != "community" and intents[name] == "small_talk"]
    rows = [correction(name, "community") for name in unsure]
    found = find_said(rows, [platform.lake.read("messages", day) for day in platform.lake.keys("messages")])
    judged = judge_feedback(
        [{**row, "feedback_id": row["conversation_id"]} for row in rows], platform.insights.engine.taxonomy, found, ()
    )
    taught = set(judged.filter(pa.compute.equal(judged["status"], "training"))["conversation_id"].to_pylist())
    rows = [row for row in rows if row["conversation_id"] in taught][:2]  # the others are held out
    say(platform, rows)
    good = train_model(platform)
    assert (good["failures"], good["promoted"], good["changed"]) == ([], True, True)
    assert platform.lake.info("promoted_model", "").content_hash != stored
    ids = platform.lake.read("model_evaluation", "")["model_id"].to_pylist()
    assert len(set(ids)) == 3  # default heads, the bad candidate, the good one

    again, _ = run_graph(platform, FIRST, DAY, SELECT, quiet=True)
    assert again.failures == []
    computed = {name for name, table in again.tables.items() if table.reused < table.partitions}
    assert "conversation_insights" in computed
    assert "messages" not in computed
    after = topics(platform)
    corrected = {row["conversation_id"] for row in rows}
    assert {name: after[name] for name in corrected} == dict.fromkeys(corrected, "community")
    changed = {name for name, topic in after.items() if topic != before[name]}
    assert corrected <= changed & taught
    assert {after[name] for name in changed & taught} == {"community"}
    assert train_model(platform)["failures"] == []
