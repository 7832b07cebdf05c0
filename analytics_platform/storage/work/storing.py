"""Computes and stores the partitions of a result: in units, in this process or by a delegate, each exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain

import pyarrow as pa

from analytics_platform.model import Table, find_violations
from analytics_platform.storage import frames
from analytics_platform.storage.leases.held_lease import LeaseLostError
from analytics_platform.storage.partitions import (
    PartitionError,
    PartitionInfo,
    PartitionStore,
    PartitionTask,
    PartitionTasks,
    run_tasks,
)
from analytics_platform.storage.provenance import Provenance
from analytics_platform.storage.staleness import RecomputeDecision
from analytics_platform.storage.work.blocks import BLOCK_ROWS, Block, Planned, contents_of, units
from analytics_platform.storage.work.orders import Delegate, Stored
from analytics_platform.system.disk_full import find_disk_full
from analytics_platform.system.memory import release_freed_memory
from analytics_platform.system.plain_text import on_one_line


def store_all(
    result: PartitionTasks,
    store: PartitionStore,
    table: Table,
    workers: int,
    block_rows: int = BLOCK_ROWS,
    delegate: Delegate | None = None,
    *,
    orders_follow: bool = False,
) -> Iterator[Stored]:
    """Store every partition of a result, and yield them in their order.

    After the first failure no further unit of work starts; the failure is raised after the partitions that were stored.

    Args:
        result: The tasks.
        store: The store.
        table: Declaration of the table.
        workers: Number of units that are worked on at once in this process.
        block_rows: Rows from which a unit takes no further partition.
        delegate: Passes units to other processes; used only if the result has orders, and rows enough to compute.
        orders_follow: Whether the run computes a table of this one later that the delegate may compute. If so, the
            other processes start once this process has computed rows enough to make their start worth it.
    """
    failures: list[Exception] = []
    planned = (Planned(task, _decided(store, table, task)) for task in result.tasks if not failures)
    waiting = units(planned, result.block, block_rows)
    helper, waiting = _worthwhile(delegate, result, waiting)
    work = partial(_store_unit, store, table, result, helper)
    computed = 0
    for stored, failure in run_tasks(waiting, work, helper.width if helper else workers):
        if delegate is not None and helper is None and orders_follow:
            computed += sum(info.rows for info, reasons in stored if reasons)
            if computed >= delegate.least_rows:
                delegate.start()
        yield from stored
        if failure is not None:
            failures.append(failure)
    if failures:
        raise failures[0]


def _worthwhile(
    delegate: Delegate | None, result: PartitionTasks, waiting: Iterator[list[Planned]]
) -> tuple[Delegate | None, Iterator[list[Planned]]]:
    """Return the delegate if enough rows wait for it, otherwise None; and all the units."""
    if delegate is None or result.block is None or result.order is None:
        return None, waiting
    seen, rows = [], 0
    for unit in waiting:
        seen.append(unit)
        rows += sum(result.block.rows(one.task.key) for one in unit if one.is_computable)
        if rows >= delegate.least_rows:
            return delegate, chain(seen, waiting)
    return None, iter(seen)


def _store_unit(
    store: PartitionStore, table: Table, result: PartitionTasks, delegate: Delegate | None, unit: Sequence[Planned]
) -> tuple[list[Stored], Exception | None]:
    done: Mapping[str, Stored] = {}
    if delegate is not None and result.order is not None:
        decisions = {one.task.key: one.decision for one in unit if one.is_computable}
        wanted = {key: decision for key, decision in decisions.items() if isinstance(decision, RecomputeDecision)}
        done = delegate.deliver(result.order(wanted)) if wanted else {}
    return store_unit(store, table, result.block, unit, done)


def store_unit(
    store: PartitionStore, table: Table, block: Block | None, unit: Sequence[Planned], done: Mapping[str, Stored]
) -> tuple[list[Stored], Exception | None]:
    """Store the partitions of a unit up to the first that fails.

    Args:
        store: The store.
        table: Declaration of the table.
        block: How the partitions are computed together; None if they are not.
        unit: The partitions.
        done: Those that another process has stored already, by key.

    Returns:
        The stored partitions, and the failure; None if none failed.
    """
    contents = contents_of([one for one in unit if one.task.key not in done], block, partial(_checked, table))
    stored: list[Stored] = []
    for one in unit:
        key = one.task.key
        try:
            stored.append(done[key] if key in done else _finish(store, table, one, contents.get(key)))
        except Exception as error:  # noqa: BLE001  (of any kind: the caller raises it after the stored partitions)
            return stored, error
    del contents
    if block is not None and any(one.is_computable for one in unit):
        release_freed_memory()
    return stored, None


def store_task(store: PartitionStore, table: Table, task: PartitionTask) -> PartitionInfo:
    """Compute and store one partition outside a Dagster step, by the same rules as an asset's result.

    Raises:
        PartitionError: Naming the partition, if computing fails, the table does not fit its declaration, or storing
            fails.
        DiskFullError: If a disk is full.
    """
    return _finish(store, table, Planned(task, _decided(store, table, task)), None)[0]


def _decided(store: PartitionStore, table: Table, task: PartitionTask) -> RecomputeDecision | Exception:
    """Decide whether a partition must be computed; return an error, so that it is raised in the partition's turn."""
    try:
        stored = partial(store.info, table.name, task.key)
        return task.decide(stored) if task.decide else RecomputeDecision(("it has no provenance",), Provenance())
    except Exception as error:  # noqa: BLE001  (of any kind: see above)
        return error


def _finish(store: PartitionStore, table: Table, planned: Planned, content: pa.Table | None) -> Stored:
    """Store one partition unless it is current.

    Args:
        store: The store.
        table: Declaration of the partition's table.
        planned: The partition.
        content: Its checked content if it was computed in a block; None to compute it now.

    Raises:
        PartitionError: Naming the partition.
        DiskFullError: If a disk is full.
        LeaseLostError: If another machine has taken over the run's days.
    """
    task, decision = planned.task, planned.decision
    try:
        if isinstance(decision, Exception):
            raise decision  # noqa: TRY301  (it gets the partition's name below, like every other error)
        if decision.stored is not None and not decision.is_stale:
            return decision.stored, ()
        provenance = decision.known_provenance()
        content = _content(table, task) if content is None else content
        annotations = task.annotate(decision.stored if decision.unchanged else None) if task.annotate else None
        return store.write(table.name, task.key, content, provenance.text(), annotations), decision.reasons
    except LeaseLostError:  # of all days of the run, so that its partition does not matter
        raise
    except Exception as error:  # of any kind: it is raised again with the name of its partition
        place = f"partition {task.key} of {table.name}" if task.key else table.name
        if full := find_disk_full(error, place):
            raise full from error
        message = error.args[0] if isinstance(error, KeyError) and error.args else error  # a KeyError quotes itself
        raise PartitionError(on_one_line(f"{place}: {message}")) from error


def _content(table: Table, task: PartitionTask) -> pa.Table:
    """Return the checked content of a partition; if computing fails, the result of the task's ``rescue``."""
    try:
        return _checked(table, task.compute())
    except Exception as error:  # of any kind: the task decides what a failed computation leaves
        if task.rescue is None:
            raise
        return task.rescue(error, partial(_checked, table))


def _checked(table: Table, content: pa.Table) -> pa.Table:
    content = table.conform(frames.leave_gpu(content))
    if violations := find_violations(table, content):
        raise ValueError("; ".join(map(str, violations)))
    return content
