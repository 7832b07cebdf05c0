"""Orders: partitions of one table that another process computes and stores in the same lake.

An order names its partitions and what the run decided about them; it holds no tables. The other process reads the
inputs from the lake and writes the results there, so only names, decisions and infos travel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from analytics_platform.storage.leases.lease_table import LeaseEntry
from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform.storage.staleness import RecomputeDecision, RecomputePolicy

Stored: TypeAlias = tuple[PartitionInfo, tuple[str, ...]]
"""A stored partition, and the reasons why it was computed; no reasons if it was reused."""


@dataclass(frozen=True)
class Order:
    """Partitions of one table to compute and store.

    Attributes:
        table: Name of the table, which is stored in the lake.
        run: Identity of the run; the orders of a run see the same model.
        decisions: The decision about each partition, by its key, in the order of the partitions.
        policy: Which partitions the run computes again although nothing has changed.
        corrections: Rows of corrections by place, as the run read them; empty for a table that uses none.
        lease: The run's lease on the days of the partitions; None for a lake that no other machine shares.
    """

    table: str
    run: str
    decisions: Mapping[str, RecomputeDecision]
    policy: RecomputePolicy
    corrections: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    lease: LeaseEntry | None = None


@dataclass(frozen=True)
class Delivered:
    """What another process did about an order.

    Attributes:
        stored: The stored partitions by key. A partition is absent if it failed or comes after one that failed.
        checksums: SHA-256 of each stored partition's file, by key.
        declined: Why the process computed nothing; empty if it worked.
    """

    stored: Mapping[str, Stored] = field(default_factory=dict)
    checksums: Mapping[str, bytes] = field(default_factory=dict)
    declined: str = ""


class Delegate(Protocol):
    """Passes orders to other processes; safe to share between threads.

    Attributes:
        least_rows: Number of rows to compute from which the other processes are worth their start.
    """

    least_rows: int

    @property
    def width(self) -> int:
        """Number of orders that are worked on at once."""
        ...

    def start(self) -> None:
        """Have the other processes start without waiting for them, because orders are likely; more calls do nothing."""
        ...

    def deliver(self, order: Order) -> Mapping[str, Stored]:
        """Have an order worked on, and wait for it.

        Returns:
            The stored partitions by key. A partition is absent if it failed, or if the other process is gone or has
            another state of code, inputs or settings: this process then computes it.
        """
        ...

    def close(self) -> None:
        """Part from the other processes."""
        ...
