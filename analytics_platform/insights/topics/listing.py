"""The tables of discovered topics and of their genealogy, made of the epochs and of what people say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from analytics_platform.insights.topics.curation import CuratedTopic, Curation
from analytics_platform.insights.topics.epoch_rows import read_epochs
from analytics_platform.insights.topics.epochs import dead_topics
from analytics_platform.insights.topics.topic_sentence import choose_sentence
from analytics_platform.insights.topics.topics_in_force import TopicsInForce
from analytics_platform.model.tables.topic_tables import DISCOVERED_TOPICS, TOPIC_GENEALOGY

_EXAMPLES = 10


def discovered_topics(topic_epochs: pa.Table, topic_names: pa.Table, curation: Curation) -> pa.Table:
    """Return ``DISCOVERED_TOPICS`` of all epochs, as an LLM names the topics and people curate them."""
    by_model = {row["topic_id"]: row for row in topic_names.to_pylist() if row["name"]}
    names = {topic: row["name"] for topic, row in by_model.items()}
    topics = TopicsInForce(read_epochs(topic_epochs), curation, names)
    dead = dead_topics(topics.epochs)
    sizes = _sizes(topics)
    openings = {topic: said for epoch in topics.epochs for topic, said in epoch.openings.items()}
    own_names = topics.own_names
    rows = []
    for topic, (date, birth) in topics.births.items():
        said = topics.curation.topics.get(topic, CuratedTopic())
        into = topics.merged.get(topic)
        shown = "dead" if topic in dead and not said.pinned else "in use"
        rows.append(
            {
                "topic_id": topic,
                "topic_name": topics.names[topic],
                "named_by": topics.named_by(topic),
                "sentence": by_model[topic]["sentence"]
                if topic in by_model
                else choose_sentence(own_names[topic], openings[topic]),
                "parent_id": topics.parents[topic],
                "parent_name": topics.parent_name(topics.parents[topic]),
                "born_on": date,
                "status": "hidden" if said.hidden else "merged" if into else shown,
                "merged_into": into,
                "is_pinned": said.pinned,
                "conversation_count": sizes[topic],
                "examples": birth.conversations[:_EXAMPLES],
            }
        )
    return DISCOVERED_TOPICS.from_rows(rows)


def _sizes(topics: TopicsInForce) -> Counter[str]:
    """Return the number of conversations by topic, those of a merged topic under the topic that stands for it."""
    sizes: Counter[str] = Counter()
    for topic, count in (topics.epochs[-1].sizes if topics.epochs else {}).items():
        sizes[topics.merged.get(topic, topic)] += count
    return sizes


def topic_genealogy(topic_epochs: pa.Table, curation: Curation) -> pa.Table:
    """Return ``TOPIC_GENEALOGY`` of all epochs, as people curate the topics."""
    topics = TopicsInForce(read_epochs(topic_epochs), curation)
    rows = [
        {
            "event_date": epoch.date,
            "event": change.event,
            "topic_id": change.topic_id,
            "other_topic_id": change.other_topic_id,
            "conversation_count": change.count,
            "conversations": list(change.conversations),
        }
        for epoch in topics.epochs
        for change in epoch.changes
        if topics.holds(change)
    ]
    return TOPIC_GENEALOGY.from_rows([*rows, *_by_people(topics)])


def _by_people(topics: TopicsInForce) -> Iterator[dict[str, Any]]:
    """Yield the changes by people of topics that are known."""
    own, sizes = topics.epochs[-1].sizes if topics.epochs else {}, _sizes(topics)
    born = {topic: epoch.date for epoch in topics.epochs for topic in epoch.born.ids}
    for topic, said in sorted(topics.curation.topics.items()):
        if topic not in topics.names:
            continue
        into = said.merge_into if said.merge_into in topics.names else None
        events = {
            "renamed": (said.name, None),
            "merged by a person": (into, into),
            "moved": (said.parent, said.parent),
            "pinned": (said.pinned, None),
            "hidden": (said.hidden, None),
        }
        for event, (is_said, other) in events.items():
            if is_said:
                yield {
                    "event_date": said.date or born[topic],
                    "event": event,
                    "topic_id": topic,
                    "other_topic_id": other,
                    "conversation_count": sizes[topic] or own.get(topic, 0),
                    "conversations": [],
                }
