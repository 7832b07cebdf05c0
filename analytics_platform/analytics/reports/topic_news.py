"""What is new in a report about discovered topics: topics that were born, that grow, and that are gone."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from analytics_platform.analytics.reports.evidence import BASELINE_DAYS, FEW
from analytics_platform.analytics.reports.findings import surprise_of

COLUMNS = ("conversation_id", "topic_id", "topic_name", "topic_confidence")
"""Columns of ``CONVERSATION_TOPICS`` that the news are made of."""
NEW, GROWING, GONE = "new", "growing", "gone"
_MOST = 5
"""Most topics of each kind."""
_EXAMPLES = 2
_SURPRISE = 2.0  # standard errors


@dataclass(frozen=True)
class ChangedTopic:
    """A topic that was born or died at the epoch in force.

    Attributes:
        topic_id: Its identifier.
        name: Its name.
        count: Number of conversations in which it was found.
        conversations: Identifiers of some of them, the most central first; of a topic that died, of those at its birth.
    """

    topic_id: str
    name: str
    count: int
    conversations: Sequence[str]


def topic_news(
    date: dt.date, history: Mapping[str, pa.Table], born: Sequence[ChangedTopic], gone: Sequence[ChangedTopic]
) -> list[dict[str, Any]]:
    """Return the items of ``discovered_topics`` of a day's report: new topics, growing ones, and those that are gone.

    A topic grows if its share of the day's conversations is clearly larger than on the seven days before.

    Args:
        date: The day.
        history: ISO day → the columns ``COLUMNS`` of the day, and of each of the seven days before that has any.
        born: The topics that were born at the epoch in force.
        gone: The topics that died at it.
    """
    today = history[date.isoformat()]
    earlier = [history[day] for day in _days_before(date) if day in history]
    before = Counter(topic for table in earlier for topic in table["topic_id"].to_pylist())
    news = [*_listed(NEW, born, before), *_growing(today, before), *_listed(GONE, gone, before)]
    new = {one.topic_id for one in born}
    return [item for item in news if item["change"] != GROWING or item["topic_id"] not in new]


def _days_before(date: dt.date) -> list[str]:
    return [(date - dt.timedelta(days=back)).isoformat() for back in range(1, BASELINE_DAYS + 1)]


def _listed(change: str, topics: Sequence[ChangedTopic], before: Counter[str | None]) -> Iterator[dict[str, Any]]:
    for topic in sorted(topics, key=lambda one: (-one.count, one.topic_id))[:_MOST]:
        yield {
            "change": change,
            "topic_id": topic.topic_id,
            "topic_name": topic.name,
            "count": topic.count,
            "count_before": before[topic.topic_id],
            "examples": list(topic.conversations[:_EXAMPLES]),
        }


def _growing(today: pa.Table, before: Counter[str | None]) -> Iterator[dict[str, Any]]:
    total, earlier = len(today), before.total()
    counts = Counter(today["topic_id"].to_pylist())
    names = dict(zip(today["topic_id"].to_pylist(), today["topic_name"].to_pylist(), strict=True))
    grown = [
        (surprise_of(count, total, before[topic], earlier), topic, count)
        for topic, count in counts.items()
        if topic is not None and count >= FEW
    ]
    order = [("topic_confidence", "descending"), ("conversation_id", "ascending")]
    for surprise, topic, count in sorted(grown, key=lambda one: (-one[0], one[1]))[:_MOST]:
        if surprise >= _SURPRISE:
            members = today.filter(pa.compute.equal(today["topic_id"], topic)).sort_by(order)
            yield {
                "change": GROWING,
                "topic_id": topic,
                "topic_name": names[topic],
                "count": count,
                "count_before": before[topic],
                "examples": members["conversation_id"].slice(0, _EXAMPLES).to_pylist(),
            }
