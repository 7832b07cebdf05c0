"""Failed conversations, stored in the annotations of their partition.

A partition carries two lists, each only when it is not empty: the conversations whose computation failed in this
table, and all conversations that are absent from it, including those that failed in an upstream table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

import orjson

from analytics_platform.storage.partitions import PartitionInfo

FAILURES_KEY = "failures"
LEFT_OUT_KEY = "left_out"

MOST_TRIES = 3
"""After so many tries a conversation is not tried again until inputs or code change, or a run asks for it."""


@dataclass(frozen=True)
class Failure:
    """A conversation that could not be computed.

    Attributes:
        conversation_id: The conversation.
        error: Kind of error, place in the code, and message without words of the conversation; one line.
        attempts: Number of tries on the same inputs by the same code.
        last_tried_at: Time of the last try, UTC, ISO 8601 to the second.
    """

    conversation_id: str
    error: str
    attempts: int
    last_tried_at: str


Failures: TypeAlias = Sequence[Failure]


def failures_of(info: PartitionInfo | None) -> list[Failure]:
    """Return the failed conversations of a partition, ordered by conversation."""
    text = info.annotations.get(FAILURES_KEY) if info else None
    return [Failure(**entry) for entry in orjson.loads(text)] if text else []


def left_out_of(info: PartitionInfo | None) -> frozenset[str]:
    """Return the conversations that failed in a partition's table or in an upstream table, and are absent from it."""
    text = info.annotations.get(LEFT_OUT_KEY) if info else None
    return frozenset(orjson.loads(text)) if text else frozenset()


def has_tries_left(info: PartitionInfo) -> bool:
    """Whether a partition has a failed conversation that the next run tries again without being asked."""
    return any(failure.attempts < MOST_TRIES for failure in failures_of(info))


def as_annotations(failures: Iterable[Failure], left_out: Collection[str]) -> Mapping[str, str]:
    """Return the two lists as annotations; an empty list has no annotation."""
    failed = sorted(failures, key=lambda failure: failure.conversation_id)
    absent = sorted({*left_out, *(failure.conversation_id for failure in failed)})
    annotations = {FAILURES_KEY: [asdict(failure) for failure in failed], LEFT_OUT_KEY: absent}
    return {key: orjson.dumps(value).decode() for key, value in annotations.items() if value}
