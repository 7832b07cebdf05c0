"""Discovered topics on the graph: whatever the order in which days are computed, and after people change topics."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow.compute as pc
import pytest
import yaml

from analytics_platform.cli.commands import run_graph
from analytics_platform.cli.doctor import examine
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.discovering.topic_label import TopicLabelError, write_label
from analytics_platform.operations.discovering.topic_list import TopicError, list_topics
from analytics_platform.operations.discovering.unknown_topics import tell_unknown_topics
from analytics_platform.settings.loader import load_settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

FIRST, LAST = dt.date(2006, 5, 25), dt.date(2006, 6, 16)
SELECT = "+key:topic_genealogy or +key:discovered_topics or +key:conversation_topics"
WHOLE = ("topic_epochs", "topic_names", "discovered_topics", "topic_genealogy")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANALYTICS_MONGO_URI", "off")
    monkeypatch.setenv("DAGSTER_HOME", "")  # commands set these
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    return tmp_path


def platform_of(home: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("ANALYTICS_HOME", str(home))
    return Platform(load_settings())


def compute(platform: Platform, first: dt.date, last: dt.date, *, force: bool = False) -> int:
    """Compute a range; return the number of partitions of ``conversation_topics`` that were written."""
    outcome, _ = run_graph(platform, first, last, SELECT, quiet=True, force=force)
    assert outcome.failures == []
    table = outcome.tables.get("conversation_topics")
    return table.partitions - table.reused if table else 0


def hashes(platform: Platform) -> dict[str, str]:
    lake = platform.lake
    keys = [(name, "") for name in WHOLE] + [("conversation_topics", day) for day in lake.keys("conversation_topics")]
    return {f"{name} {key}": lake.info(name, key).content_hash for name, key in keys}


def test_days_in_any_order_give_the_same_topics_and_people_change_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = (platform_of(home / name, monkeypatch) for name in ("whole", "parts"))
    with pytest.raises(TopicError, match="analytics run"):
        list_topics(whole.lake, examples=1)
    compute(whole, FIRST, LAST)
    middle = dt.date(2006, 6, 5)
    for first, last in ((middle, dt.date(2006, 6, 9)), (dt.date(2006, 6, 10), LAST), (FIRST, middle), (FIRST, LAST)):
        compute(parts, first, last)
    assert hashes(parts) == hashes(whole)
    assert compute(parts, FIRST, LAST) == 0
    before = hashes(parts)
    compute(parts, FIRST, LAST, force=True)
    assert hashes(parts) == before

    listed = list_topics(parts.lake, examples=3)
    assert len(listed) > 10
    assert all(topic.examples for topic in listed[:5])
    flights = next(topic for topic in listed if "flight" in topic.name)
    out = home / "flights.yaml"
    assert write_label(parts.lake, flights.topic_id, "cancel_flight", out) == "cancel_flight"
    assert "flight" in " ".join(yaml.safe_load(out.read_text())["topics"][0]["examples"])
    with pytest.raises(TopicLabelError, match="exists"):
        write_label(parts.lake, flights.topic_id, None, out)
    with pytest.raises(TopicError, match="t-no"):
        write_label(parts.lake, "t-no", None, home / "other.yaml")
    parts.close()

    said = home / "topics.yaml"
    unknown = {"t-gone": {"name": "Gone"}, "t-old": {"merge_into": flights.topic_id}}
    moved = {"name": "Cancelled flights", "parent": "p-typo"}
    said.write_text(
        yaml.safe_dump({"topics": {flights.topic_id: moved, **unknown}, "parents": {"p-empty": {"name": "None"}}})
    )
    monkeypatch.setenv("ANALYTICS_TOPICS", str(said))
    renamed = platform_of(home / "parts", monkeypatch)
    outcome, _ = run_graph(renamed, FIRST, LAST, SELECT, quiet=True)
    assert outcome.tables["conversation_topics"].reused < outcome.tables["conversation_topics"].partitions
    day = next(
        day
        for day in renamed.lake.keys("conversation_topics")
        if flights.topic_id in renamed.lake.read("conversation_topics", day)["topic_id"].to_pylist()
    )
    rows = renamed.lake.read("conversation_topics", day)
    named = rows.filter(pc.equal(rows["topic_id"], flights.topic_id))["topic_name"].unique().to_pylist()
    assert named == ["Cancelled flights"]
    genealogy = renamed.lake.read("topic_genealogy", "")
    assert genealogy.filter(pc.equal(genealogy["event"], "renamed"))["topic_id"].to_pylist() == [flights.topic_id]
    told = tell_unknown_topics(renamed.lake, renamed.topics.curation)
    assert "2 topics do not exist (t-gone, t-old)" in told
    assert "1 parent has no topic (p-empty)" in told
    assert "1 parent does not exist (p-typo)" in told
    examined = {line.what: line for line in examine(renamed.settings)}
    assert told in examined["topics"].says
    assert outcome.warnings == [told]
    assert hashes(renamed)["topic_epochs "] == before["topic_epochs "]
    renamed.close()
    whole.close()
