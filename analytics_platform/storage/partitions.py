"""The stream of partitions: how tables travel between assets without a range ever being in memory.

An asset receives a ``PartitionStream`` per input (lazy: a partition is read when asked for) and returns
``PartitionTasks`` (lazy: a partition is computed when its turn comes, by the IO manager's workers).
Belongs here: these two shapes, and the parallel, ordered, bounded execution of tasks. Does not belong
here: where a partition is kept.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import pyarrow as pa

from analytics_platform.errors import UserError
from analytics_platform.system import interruption

if TYPE_CHECKING:  # decisions are about ``PartitionInfo``
    from analytics_platform.storage.staleness import RecomputeDecision

T = TypeVar("T")

PATH = "path"
"""Annotation of a partition that people open as a file: where the file is. Stores add it; no store keeps it."""


@dataclass(frozen=True)
class PartitionInfo:
    """What is known of one stored partition without reading its rows.

    Attributes:
        key: Partition key, ``YYYY-MM-DD``; empty for an unpartitioned table.
        rows: Number of rows.
        bytes: Size as stored.
        content_hash: Hash of the content alone, independent of encoding (see ``content_hash``).
        fingerprint: What the content was computed from, as ``Provenance.text`` returns it; stores do not read it.
        annotations: Further facts kept with the partition, e.g. how many source rows were read.
    """

    key: str
    rows: int
    bytes: int
    content_hash: str
    fingerprint: str
    annotations: Mapping[str, str] = field(default_factory=dict)


class PartitionStore(Protocol):
    """A place that keeps partitions of tables: the lake, MongoDB, the folder of pages."""

    def keys(self, name: str) -> list[str]:
        """Return the keys of the partitions stored for table ``name``, ascending."""
        ...

    def info(self, name: str, key: str) -> PartitionInfo | None:
        """Return what is known of a partition, or None when it is not stored."""
        ...

    def read(self, name: str, key: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a partition, or some of its columns."""
        ...

    def write(
        self, name: str, key: str, table: pa.Table, fingerprint: str, annotations: Mapping[str, str] | None = None
    ) -> PartitionInfo:
        """Replace a partition as a whole: a reader sees the old one or the new one."""
        ...


class PartitionStream(Mapping[str, pa.Table]):
    """A lazy, read-only mapping from partition key to table; a partition is read each time it is asked for.

    Args:
        store: Where the partitions are.
        name: Name of the table.
        keys: Keys asked for; those that were never materialized are left out.
        columns: Columns to read; all when None.
    """

    def __init__(
        self, store: PartitionStore, name: str, keys: Iterable[str], columns: Sequence[str] | None = None
    ) -> None:
        self.store = store
        self.name = name
        self.columns = columns
        stored = set(store.keys(name))
        self._keys = dict.fromkeys(key for key in keys if key in stored)

    def __getitem__(self, key: str) -> pa.Table:
        """Read one partition."""
        if key not in self._keys:
            raise KeyError(f"{self.name} has no partition {key}; materialize it first")
        return self.store.read(self.name, key, self.columns)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys, in the order asked for."""
        return iter(self._keys)

    def __len__(self) -> int:
        """Return the number of partitions."""
        return len(self._keys)

    def select(self, *columns: str) -> PartitionStream:
        """Return the same stream with only these columns read."""
        narrowed = copy.copy(self)
        narrowed.columns = columns
        return narrowed

    def only(self, keys: Iterable[str]) -> PartitionStream:
        """Return the same stream with only these partitions, as far as they are in it."""
        narrowed = copy.copy(self)
        narrowed._keys = dict.fromkeys(key for key in keys if key in self._keys)
        return narrowed

    def info(self, key: str) -> PartitionInfo | None:
        """Return what is known of a partition without reading it."""
        return self.store.info(self.name, key) if key in self._keys else None


@dataclass(frozen=True)
class PartitionTask:
    """One partition to be computed and written; all its functions are called by a worker thread, at most once.

    Args:
        key: Partition key; empty for an unpartitioned table.
        compute: Makes the table; not called when the stored partition is current.
        decide: Given a function that looks up what is stored: decides whether to compute; without it, always.
        rescue: Given what ``compute`` or a check of its result raised, and that check: makes what can be made
            nevertheless, or raises the same.
        annotate: Facts to keep with the partition, asked for after ``compute``; told what is stored, when it was
            computed from the same.
    """

    key: str
    compute: Callable[[], pa.Table]
    decide: Callable[[Callable[[], PartitionInfo | None]], RecomputeDecision] | None = None
    rescue: Callable[[Exception, Callable[[pa.Table], pa.Table]], pa.Table] | None = None
    annotate: Callable[[PartitionInfo | None], Mapping[str, str]] | None = None


@dataclass(frozen=True)
class PartitionTasks:
    """The lazy result of an asset: tasks in key order, and what to tell about each one written.

    Args:
        tasks: The tasks; consumed once.
        written: Called in key order after each partition is safely stored, with its info, why it was computed (empty
            when it was reused), and a function that reads it.
    """

    tasks: Iterable[PartitionTask]
    written: Callable[[PartitionInfo, tuple[str, ...], Callable[[], pa.Table]], None] | None = None


class StoreUnreachableError(UserError):
    """A store does not answer, whichever partition it is asked for; the message names it."""


class PartitionError(RuntimeError):
    """Computing or storing one partition failed; the message names table and partition, the cause follows."""


def run_tasks(tasks: Iterable[PartitionTask], work: Callable[[PartitionTask], T], workers: int) -> Iterator[T]:
    """Run ``work`` on every task, ``workers`` at a time, and yield the results in the order of the tasks.

    At most ``workers`` tasks are computed or waiting to be yielded, so memory stays at that many partitions.
    The first failure, in task order, is raised after the results before it; tasks not yet started never start.
    An interruption does not wait for the tasks that run: each one stores its partition as a whole or not at all.
    """
    if workers == 1:
        yield from map(work, tasks)
        return
    pending: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="partition")
    try:
        for task in tasks:
            if len(pending) == workers:
                yield pending.popleft().result()
            pending.append(pool.submit(work, task))
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=not interruption.is_under_way(), cancel_futures=True)
