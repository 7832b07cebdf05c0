"""Epochs as rows of ``topic_epochs``, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from itertools import accumulate

import pyarrow as pa

from analytics_platform.insights.discovery.topic_model import TopicModel
from analytics_platform.insights.topics.epochs import Epoch
from analytics_platform.insights.topics.topic_changes import TopicChange
from analytics_platform.model.tables.topic_tables import TOPIC_EPOCHS


def epoch_rows(epochs: Sequence[Epoch]) -> pa.Table:
    """Return ``TOPIC_EPOCHS``."""
    return TOPIC_EPOCHS.from_rows(
        [
            {
                "epoch": epoch.date,
                "first_day": epoch.first_day,
                "last_day": epoch.last_day,
                "conversation_count": epoch.conversations,
                "outlier_count": epoch.outliers,
                "changes": [asdict(change) for change in epoch.changes],
                "sizes": [{"topic_id": name, "count": count} for name, count in sorted(epoch.sizes.items())],
                "openings": [{"topic_id": name, "openings": said} for name, said in sorted(epoch.openings.items())],
                "fingerprint": epoch.fingerprint,
                "topics_version": version,
                "content": epoch.content,
            }
            for epoch, version in zip(epochs, _versions(epochs), strict=True)
        ]
    )


def _versions(epochs: Sequence[Epoch]) -> list[str]:
    """Return for each epoch a hash of its topics and changes and those of all epochs before it."""
    said = [b"%s %s" % (epoch.content, str(epoch.changes).encode()) for epoch in epochs]
    return list(accumulate((hashlib.sha256(one).hexdigest()[:16] for one in said), _chained))


def _chained(before: str, own: str) -> str:
    return hashlib.sha256(f"{before} {own}".encode()).hexdigest()[:16]


def read_epochs(table: pa.Table) -> list[Epoch]:
    """Return the epochs of ``TOPIC_EPOCHS``.

    Raises:
        TopicModelError: If a row is damaged, or of another version of this program.
    """
    return [
        Epoch(
            date=row["epoch"],
            first_day=row["first_day"],
            last_day=row["last_day"],
            fingerprint=row["fingerprint"],
            conversations=row["conversation_count"],
            outliers=row["outlier_count"],
            born=TopicModel.from_text(row["content"].decode()),
            changes=tuple(
                TopicChange(**{**change, "conversations": tuple(change["conversations"])}) for change in row["changes"]
            ),
            sizes={size["topic_id"]: size["count"] for size in row["sizes"]},
            openings={said["topic_id"]: tuple(said["openings"]) for said in row["openings"]},
        )
        for row in table.to_pylist()
    ]
