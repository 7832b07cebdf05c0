"""The collection ``label_feedback``: corrections of labels that people and applications write.

`insights.quality.feedback` validates the corrections.
"""

from __future__ import annotations

from typing import Any

from analytics_platform.storage.mongo.collections import LABEL_FEEDBACK
from analytics_platform.storage.mongo.mongo_store import MongoStore


def read_corrections(mongo: MongoStore) -> list[dict[str, Any]]:
    """Return every document of the collection with its ``feedback_id``.

    Raises:
        MongoStoreError: If the server does not answer.
    """
    with mongo.lend(LABEL_FEEDBACK.name) as collection:
        return [{"feedback_id": str(document.pop("_id")), **document} for document in collection.find({})]
