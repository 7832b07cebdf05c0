"""Names topics that people changed and that were never discovered."""

from __future__ import annotations

from analytics_platform.insights.topics.curation import Curation
from analytics_platform.model.tables.topic_tables import DISCOVERED_TOPICS
from analytics_platform.storage.partitions import PartitionStore
from analytics_platform.system.plain_text import agreeing, counted, on_one_line

_NAMED = 3


def tell_unknown_topics(lake: PartitionStore, curation: Curation) -> str:
    """Return how many topics that people changed do not exist, with some of their names; empty if all do.

    Args:
        lake: The store of the topics; before it has some, none is unknown.
        curation: What people say about topics.
    """
    said = {*curation.topics, *(one.merge_into for one in curation.topics.values() if one.merge_into)}
    if not said or lake.info(DISCOVERED_TOPICS.name, "") is None:
        return ""
    known = set(lake.read(DISCOVERED_TOPICS.name, "", ["topic_id"])["topic_id"].to_pylist())
    unknown = sorted(said - known)
    if not unknown:
        return ""
    count = len(unknown)
    named = on_one_line(", ".join([*unknown[:_NAMED], *(["…"] if count > _NAMED else [])]))
    return (
        f"ANALYTICS_TOPICS and topic_curation: {counted(count, 'topic')} {agreeing(count, 'does', 'do')} not exist "
        f"({named}), and what people say of them changes nothing; `analytics topics --all` lists those that exist"
    )
