"""The collection ``topic_curation``: what people say about discovered topics, a document for each topic or parent.

`insights.topics.curation` validates the documents.
"""

from __future__ import annotations

from typing import Any

from analytics_platform.storage.mongo.collections import TOPIC_CURATION
from analytics_platform.storage.mongo.mongo_store import MongoStore


def read_curated_topics(mongo: MongoStore) -> list[dict[str, Any]]:
    """Return every document of the collection.

    Raises:
        MongoStoreError: If the server does not answer.
    """
    with mongo.lend(TOPIC_CURATION.name) as collection:
        return list(collection.find({}))
