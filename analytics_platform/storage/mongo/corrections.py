"""Read the collection ``label_feedback``: corrections of labels that people or applications write.

`insights.quality.feedback` validates the corrections.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from analytics_platform.storage.mongo.collections import LABEL_FEEDBACK
from analytics_platform.storage.mongo.mongo_store import MongoStore


class Corrections:
    """The corrections as they were at the first read, so that a run sees one state of them.

    Args:
        mongo: The database; None if there is none, and so no corrections.
    """

    def __init__(self, mongo: MongoStore | None) -> None:
        self._mongo = mongo

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Every correction with its ``feedback_id``, ascending by ``feedback_id``."""
        if self._mongo is None:
            return []
        self._mongo.migrate()
        with self._mongo.lend(LABEL_FEEDBACK.name) as collection:
            documents = [{**document, "feedback_id": str(document.pop("_id"))} for document in collection.find({})]
        return sorted(documents, key=lambda row: str(row["feedback_id"]))
