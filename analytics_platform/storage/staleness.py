"""The one decision whether a stored partition is stale, and why.

The IO manager, the warehouse build, the plan of a run and `analytics why` all use this decision.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from analytics_platform.storage.failures import failures_of, has_tries_left
from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform.storage.provenance import Provenance
from analytics_platform.system.plain_text import counted


class RecomputePolicy(Enum):
    """Partitions that a run computes again although nothing that they depend on has changed."""

    UNFINISHED = "unfinished"  # partitions with failures that have tries left
    NOTHING = "nothing"
    FAILURES = "failures"  # partitions with failures, and partitions read from the source; tries are counted from 0
    EVERYTHING = "everything"


class MissingInputError(KeyError):
    """An input of a partition is not stored.

    Args:
        name: The input table.
        key: Its partition.
    """

    def __init__(self, name: str, key: str) -> None:
        super().__init__(f"{name} has no partition {key}; materialize it first")
        self.place = f"{name} {key}".rstrip()

    def __str__(self) -> str:
        """Return the message without the quotes of a ``KeyError``."""
        return str(self.args[0])


@dataclass(frozen=True)
class KeptDays:
    """The most recent days of a daily table; its store keeps no earlier ones.

    Args:
        count: Number of days.
        last_day: Returns the last of them, which may move on at midnight.
        setting: Variable that sets the number, for people.
    """

    count: int
    last_day: Callable[[], dt.date]
    setting: str

    @property
    def first(self) -> str:
        """The earliest day that is kept, ``YYYY-MM-DD``."""
        return str(self.last_day() - dt.timedelta(days=self.count - 1))

    def __contains__(self, key: str) -> bool:
        """Tell whether the partition of a day is kept."""
        return key >= self.first

    def __str__(self) -> str:
        """Return a phrase such as ``90 days, from 2026-09-02 on (ANALYTICS_MONGO_DAYS=90)``."""
        return f"{counted(self.count, 'day')}, from {self.first} on ({self.setting}={self.count})"


@dataclass(frozen=True)
class RecomputeDecision:
    """Whether a partition must be computed.

    Attributes:
        reasons: Why, each a phrase such as ``changed code``; empty when the stored partition is current.
        provenance: The partition's provenance now; None when an input is missing.
        missing: The error that names the missing input; None when every input is stored.
        stored: The stored partition; None when there is none, or when the decision did not look it up.
        unchanged: Whether the stored partition has the same provenance.
        not_kept: Why the store does not keep the partition, so that no run computes it; None for a partition to keep.
    """

    reasons: tuple[str, ...]
    provenance: Provenance | None
    missing: MissingInputError | None = None
    stored: PartitionInfo | None = None
    unchanged: bool = False
    not_kept: str | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the partition must be computed."""
        return bool(self.reasons)

    def known_provenance(self) -> Provenance:
        """Return the partition's provenance now.

        Raises:
            MissingInputError: If an input is missing, so that the partition cannot be computed.
        """
        if self.missing is not None:
            raise self.missing
        assert self.provenance is not None
        return self.provenance


def decide(
    stored: Callable[[], PartitionInfo | None],
    provenance: Callable[[], Provenance],
    policy: RecomputePolicy = RecomputePolicy.UNFINISHED,
    *,
    reads_source: bool = False,
    unfinished: str | None = None,
) -> RecomputeDecision:
    """Decide whether a partition must be computed.

    Args:
        stored: Looks up the stored partition. Not called under ``EVERYTHING``, because the partition may be damaged.
        provenance: Returns the partition's provenance now.
        policy: Which unchanged partitions are computed again.
        reads_source: Whether the partition is read from the source.
        unfinished: A phrase for remaining work on the partition; None when there is none.
    """
    try:
        now = provenance()
    except MissingInputError as error:
        return RecomputeDecision((f"missing input {error.place}",), None, error)
    if policy is RecomputePolicy.EVERYTHING:
        return RecomputeDecision(("everything was asked for",), now)
    info = stored()
    if info is None:
        return RecomputeDecision(("not stored before",), now)
    if unfinished:
        return RecomputeDecision((unfinished,), now, stored=info)
    if changes := now.changes_since(Provenance.parse(info.provenance)):
        return RecomputeDecision(changes, now, stored=info)
    return RecomputeDecision(_due(policy, info, reads_source=reads_source), now, stored=info, unchanged=True)


def decide_not_kept(stored: Callable[[], PartitionInfo | None], kept: KeptDays) -> RecomputeDecision:
    """Return the decision about a partition that its store does not keep; it may still be stored until the next run."""
    return RecomputeDecision((), None, stored=stored(), not_kept=f"MongoDB keeps {kept}")


def _due(policy: RecomputePolicy, info: PartitionInfo, *, reads_source: bool) -> tuple[str, ...]:
    """Return why a stored, unchanged partition is computed again."""
    if policy is RecomputePolicy.UNFINISHED and has_tries_left(info):
        return ("failed conversations with tries left",)
    if policy is RecomputePolicy.FAILURES and failures_of(info):
        return ("another try for failed conversations",)
    if policy is RecomputePolicy.FAILURES and reads_source:
        return ("another look at the source",)
    return ()
