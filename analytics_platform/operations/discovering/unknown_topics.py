"""Names topics and parents that people changed and that do not exist."""

from __future__ import annotations

from collections.abc import Collection

from analytics_platform.insights.topics.curation import Curation
from analytics_platform.model.tables.topic_tables import DISCOVERED_TOPICS
from analytics_platform.storage.partitions import PartitionStore
from analytics_platform.system.plain_text import agreeing, counted, on_one_line

_NAMED = 3


def tell_unknown_topics(lake: PartitionStore, curation: Curation) -> str:
    """Return how many topics and parents that people changed do not exist, with some of their identifiers.

    Args:
        lake: The store of the topics; before it has some, none is unknown.
        curation: What people say about topics.

    Returns:
        One line; empty if all of them exist.
    """
    said = curation.topics.values()
    changed = {*curation.topics, *(one.merge_into for one in said if one.merge_into)}
    chosen = {one.parent for one in said if one.parent}
    if not (changed or curation.parents) or lake.info(DISCOVERED_TOPICS.name, "") is None:
        return ""
    rows = lake.read(DISCOVERED_TOPICS.name, "", ["topic_id", "parent_id", "parent_name"]).to_pylist()
    topics = changed - {row["topic_id"] for row in rows}
    without_topics = curation.parents.keys() - {row["parent_id"] for row in rows} - chosen
    # A parent that discovery has not made bears its identifier as its name.
    made = {row["parent_id"] for row in rows if row["parent_name"] != row["parent_id"]}
    nameless = chosen - made - curation.parents.keys()
    missing, empty = ("does not exist", "do not exist"), ("has no topic", "have no topic")
    told = [
        _told(topics, "topic", missing, "such entries change nothing; `analytics topics --all` lists topics"),
        _told(without_topics, "parent", empty, "such names change nothing"),
        _told(nameless, "parent", missing, "correct the identifier, or give a new parent a name under `parents`"),
    ]
    return f"ANALYTICS_TOPICS and topic_curation: {'; '.join(filter(None, told))}" if any(told) else ""


def _told(ids: Collection[str], noun: str, verbs: tuple[str, str], remedy: str) -> str:
    """Return how many identifiers have a fault, the first of them, and the remedy; empty without any."""
    count, ordered = len(ids), sorted(ids)
    named = on_one_line(", ".join([*ordered[:_NAMED], *(["…"] if count > _NAMED else [])]))
    return f"{counted(count, noun)} {agreeing(count, *verbs)} ({named}): {remedy}" if ids else ""
