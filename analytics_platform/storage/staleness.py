"""The one decision whether a stored partition must be computed again, and why.

The lake, MongoDB and the warehouse, a run, the planning of a run and `analytics why` all ask here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from analytics_platform.storage.failures import failures_of, has_tries_left
from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform.storage.provenance import Provenance


class RecomputePolicy(Enum):
    """What a run computes again though nothing that it depends on has changed."""

    UNFINISHED = "unfinished"  # partitions with failures that have tries left
    NOTHING = "nothing"
    FAILURES = "failures"  # partitions with failures, and what is read from the source; tries are counted anew
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
class RecomputeDecision:
    """Whether a partition must be computed.

    Attributes:
        reasons: Why, each a phrase such as ``changed code``; empty when what is stored is current.
        provenance: What the partition is computed from now; None when an input is missing.
        missing: The input that is missing.
        stored: What is stored; None when nothing is, or when nobody looked.
        unchanged: Whether what is stored was computed from the same.
    """

    reasons: tuple[str, ...]
    provenance: Provenance | None
    missing: MissingInputError | None = None
    stored: PartitionInfo | None = None
    unchanged: bool = False

    @property
    def is_stale(self) -> bool:
        """Whether the partition must be computed."""
        return bool(self.reasons)

    def known_provenance(self) -> Provenance:
        """Return what the partition is computed from now.

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
        stored: Looks up what is stored. Not called when everything is computed again: what is stored may be damaged.
        provenance: Returns what the partition is computed from now.
        policy: What is computed again though nothing has changed.
        reads_source: Whether the partition is read from the source.
        unfinished: What is still to be done about the partition, as a phrase; None when nothing is.
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
        return RecomputeDecision((unfinished,), now)
    if changes := now.changes_since(Provenance.parse(info.fingerprint)):
        return RecomputeDecision(changes, now, stored=info)
    return RecomputeDecision(_due(policy, info, reads_source=reads_source), now, stored=info, unchanged=True)


def _due(policy: RecomputePolicy, info: PartitionInfo, *, reads_source: bool) -> tuple[str, ...]:
    """Return why a stored, unchanged partition is computed again."""
    if policy is RecomputePolicy.UNFINISHED and has_tries_left(info):
        return ("failed conversations with tries left",)
    if policy is RecomputePolicy.FAILURES and failures_of(info):
        return ("another try for failed conversations",)
    if policy is RecomputePolicy.FAILURES and reads_source:
        return ("another look at the source",)
    return ()
