"""The stream of partitions: tables pass between assets one partition at a time, never as a whole range in memory.

An asset receives a ``PartitionStream`` per input (lazy: a partition is read when the asset asks for it) and returns
``PartitionTasks`` (lazy: a worker of the IO manager computes a partition when its turn comes).
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import pyarrow as pa

from analytics_platform.errors import UserError
from analytics_platform.system import interruption

if TYPE_CHECKING:  # blocks and decisions are about the classes of this module
    from analytics_platform.storage.staleness import RecomputeDecision
    from analytics_platform.storage.work.blocks import Block
    from analytics_platform.storage.work.orders import Order

Task = TypeVar("Task")
T = TypeVar("T")

FEW_KEYS = 3
"""Most partitions that are looked up one by one; of more, the table is listed."""
PATH = "path"
"""Annotation with the path of a partition that people open as a file; a store adds it to the info, but keeps none."""


@dataclass(frozen=True)
class PartitionInfo:
    """Facts of one stored partition, available without reading its rows.

    Attributes:
        key: Partition key, ``YYYY-MM-DD``; empty for an unpartitioned table.
        rows: Number of rows.
        bytes: Size as stored.
        content_hash: Hash of the content alone, independent of encoding (see ``content_hash``).
        provenance: Provenance of the content, as ``Provenance.text`` returns it.
        annotations: Further facts kept with the partition, e.g. the number of source rows read.
    """

    key: str
    rows: int
    bytes: int
    content_hash: str
    provenance: str
    annotations: Mapping[str, str] = field(default_factory=dict)


class PartitionStore(Protocol):
    """A store of partitions of tables: the lake, MongoDB, or the folder of pages."""

    def keys(self, name: str) -> list[str]:
        """Return the keys of the partitions stored for table ``name``, ascending."""
        ...

    def info(self, name: str, key: str) -> PartitionInfo | None:
        """Return the info of a partition, or None when the partition is not stored."""
        ...

    def read(self, name: str, key: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a partition, or some of its columns."""
        ...

    def write(
        self, name: str, key: str, table: pa.Table, provenance: str, annotations: Mapping[str, str] | None = None
    ) -> PartitionInfo:
        """Replace a partition so that a reader sees the whole old partition or the whole new one."""
        ...


def stored_keys(store: PartitionStore, name: str, wanted: Collection[str] | None) -> list[str]:
    """Return the stored partitions of a table among the wanted ones, ascending; all stored ones when None.

    A damaged partition counts as stored: the error that names the damage is raised when the partition is read.

    Raises:
        StoreUnreachableError: If the store cannot be reached.
    """
    if wanted is None:
        return store.keys(name)
    if len(wanted) > FEW_KEYS:
        chosen = set(wanted)
        return [key for key in store.keys(name) if key in chosen]
    return [key for key in sorted(wanted) if _is_stored(store, name, key)]


def _is_stored(store: PartitionStore, name: str, key: str) -> bool:
    try:
        return store.info(name, key) is not None
    except StoreUnreachableError:
        raise
    except UserError:
        return True


class PartitionStream(Mapping[str, pa.Table]):
    """A lazy, read-only mapping from partition key to table; each access reads the partition from the store.

    Args:
        store: The store of the partitions.
        name: Name of the table.
        keys: Requested keys; keys without a stored partition are left out.
        columns: Columns to read; all when None.
    """

    def __init__(
        self, store: PartitionStore, name: str, keys: Iterable[str], columns: Sequence[str] | None = None
    ) -> None:
        self.store = store
        self.name = name
        self.columns = columns
        wanted = list(keys)
        if len(wanted) <= FEW_KEYS:  # the table may have thousands
            stored = {key for key in wanted if store.info(name, key) is not None}
        else:
            stored = set(store.keys(name))
        self._keys = dict.fromkeys(key for key in wanted if key in stored)

    @classmethod
    def unlisted(cls, store: PartitionStore, name: str, keys: Iterable[str]) -> PartitionStream:
        """Return a stream of keys without asking the store which of them it has; ``info`` tells it of each."""
        stream = cls.__new__(cls)
        stream.store, stream.name, stream.columns, stream._keys = store, name, None, dict.fromkeys(keys)
        return stream

    def __getitem__(self, key: str) -> pa.Table:
        """Read one partition."""
        if key not in self._keys:
            raise KeyError(f"{self.name} has no partition {key}; materialize it first")
        return self.store.read(self.name, key, self.columns)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys, in the requested order."""
        return iter(self._keys)

    def __len__(self) -> int:
        """Return the number of partitions."""
        return len(self._keys)

    def select(self, *columns: str) -> PartitionStream:
        """Return the same stream, limited to these columns."""
        narrowed = copy.copy(self)
        narrowed.columns = columns
        return narrowed

    def only(self, keys: Iterable[str]) -> PartitionStream:
        """Return the same stream, limited to these partitions; keys that are not in the stream are ignored."""
        narrowed = copy.copy(self)
        narrowed._keys = dict.fromkeys(key for key in keys if key in self._keys)
        return narrowed

    def info(self, key: str) -> PartitionInfo | None:
        """Return the info of a partition without reading it; None when the partition is not in the stream."""
        return self.store.info(self.name, key) if key in self._keys else None


@dataclass(frozen=True)
class PartitionTask:
    """One partition to compute and write; a worker thread calls each function at most once.

    Args:
        key: Partition key; empty for an unpartitioned table.
        compute: Computes the table; not called when the stored partition is current.
        decide: Decides whether to compute; its argument looks up the stored partition. Without ``decide``, the
            partition is always computed.
        rescue: Called with the exception of ``compute`` or of the check of its result, and with the check. Returns a
            reduced table, or raises the exception again.
        annotate: Returns facts to keep with the partition, after ``compute``. Its argument is the stored partition if
            the provenance has not changed, otherwise None.
    """

    key: str
    compute: Callable[[], pa.Table]
    decide: Callable[[Callable[[], PartitionInfo | None]], RecomputeDecision] | None = None
    rescue: Callable[[Exception, Callable[[pa.Table], pa.Table]], pa.Table] | None = None
    annotate: Callable[[PartitionInfo | None], Mapping[str, str]] | None = None


@dataclass(frozen=True)
class PartitionTasks:
    """The lazy result of an asset: tasks in key order, and a callback for each stored partition.

    Args:
        tasks: The tasks; consumed once.
        written: Called in key order after each partition is stored, with its info, the reasons why it was computed
            (empty when it was reused), and a function that reads it.
        block: How several partitions are computed at once; None to compute each alone.
        order: Returns the order by which another process computes partitions, given the decisions about them by key;
            None if only this process can compute them.
        selected: Names of the assets that the run materializes; empty if it materializes all of them.
    """

    tasks: Iterable[PartitionTask]
    written: Callable[[PartitionInfo, tuple[str, ...], Callable[[], pa.Table]], None] | None = None
    block: Block | None = None
    order: Callable[[Mapping[str, RecomputeDecision]], Order] | None = None
    selected: frozenset[str] = frozenset()


class StoreUnreachableError(UserError):
    """A store does not answer for any partition; the message names the store."""


class PartitionError(RuntimeError):
    """Computing or storing one partition failed; the message names table and partition, ``__cause__`` is the reason."""


def run_tasks(tasks: Iterable[Task], work: Callable[[Task], T], workers: int) -> Iterator[T]:
    """Run ``work`` on every task, ``workers`` at a time, and yield the results in the order of the tasks.

    At most ``workers`` tasks are being computed or wait to be yielded, so memory holds at most that many results.
    The first failure, in task order, is raised after the results of all tasks that had started and succeed; tasks that
    have not started never start. An interruption does not wait for running tasks: each task stores its partition as a
    whole or not at all.
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
    except Exception:  # of any kind: it is raised again below
        for future in pending:
            future.cancel()
        # The partition of a running task is stored after the failure: its result must reach the caller, too.
        running = [future for future in pending if not future.cancelled() and not interruption.is_under_way()]
        yield from (future.result() for future in running if future.exception() is None)
        raise
    finally:
        pool.shutdown(wait=not interruption.is_under_way(), cancel_futures=True)
