"""The Dagster IO manager: it stores an asset's result as partitions, and loads stored partitions as an asset's input.

One class serves every ``PartitionStore``: the lake, MongoDB and the report pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import dagster as dg
import pyarrow as pa

from analytics_platform.model import Table, find_violations
from analytics_platform.storage import frames
from analytics_platform.storage.asset_events import CONTENT_HASH
from analytics_platform.storage.blocks import BLOCK_ROWS, Block, Planned, contents_of, units
from analytics_platform.storage.failures import FAILURES_KEY, LEFT_OUT_KEY, failures_of, left_out_of
from analytics_platform.storage.partitions import (
    PATH,
    PartitionError,
    PartitionInfo,
    PartitionStore,
    PartitionStream,
    PartitionTask,
    PartitionTasks,
    run_tasks,
)
from analytics_platform.storage.provenance import Provenance
from analytics_platform.storage.staleness import RecomputeDecision
from analytics_platform.storage.validated import Validated
from analytics_platform.system.disk_full import DiskFullError, find_disk_full
from analytics_platform.system.memory import release_freed_memory
from analytics_platform.system.plain_text import on_one_line, plain_metadata

TABLE_KEY = "analytics/table"
"""Key of an asset's definition metadata: the name of its table."""

COMPUTED_BECAUSE = "computed_because"
"""Key of a materialization's metadata: the reasons why the partition was computed."""

COMPUTED_FROM = "computed_from"
"""Key of a materialization's metadata: the named parts of the partition's provenance."""

COLUMNS_KEY = "columns"
"""Key of an input's metadata: the columns to read."""


class StoreIOManager(dg.IOManager):
    """IO manager that keeps assets in a partition store, one partition in memory per worker.

    An asset may return ``PartitionTasks`` (lazy and parallel), a mapping or an iterable of (partition key, table) pairs
    (lazy), or one table for a single partition. The annotation of an asset's parameter decides how it receives its
    input: as a ``PartitionStream`` (lazy), or all requested partitions as one ``pyarrow.Table``, ``pandas.DataFrame``
    or ``cudf.DataFrame``. An asset may return a table of each of these classes, too.

    Args:
        store: Returns the store; called at first use, so that nothing connects earlier.
        tables: Each table's declaration by name; content that does not fit its declaration is refused.
        workers: Number of blocks of partitions computed at once.
        on_partition: Called with (table name, info) after each partition is stored, e.g. to show progress.
        validated: Gets every partition that was computed, and therefore validated.
        block_rows: Rows from which a block takes no further partition.
    """

    def __init__(
        self,
        store: Callable[[], PartitionStore],
        tables: Mapping[str, Table],
        workers: int,
        on_partition: Callable[[str, PartitionInfo], None] | None = None,
        *,
        validated: Validated | None = None,
        block_rows: int = BLOCK_ROWS,
    ) -> None:
        self._store = store
        self._tables = tables
        self._workers = workers
        self._on_partition = on_partition
        self._validated = validated
        self._block_rows = block_rows
        self._full: DiskFullError | None = None

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Compute and store every partition of the result, in order.

        Raises:
            PartitionError: Naming the first partition that failed; the partitions that were stored stay stored and are
                reported to Dagster as materialized, with the reasons why they were computed.
            DiskFullError: If a disk is full. After one asset of the run has met a full disk, every later asset raises
                this error at once: Dagster continues with steps that do not depend on the failed one, and they would
                fail too.
        """
        if self._full is not None:
            raise self._full
        name = context.definition_metadata[TABLE_KEY]
        result = as_tasks(obj, context.partition_key if context.has_partition_key else "")
        store, table = self._store(), self._tables[name]
        written: list[tuple[PartitionInfo, tuple[str, ...]]] = []
        try:
            for info, reasons in _run(result, store, table, self._workers, self._block_rows):
                written.append((info, reasons))
                if self._validated and reasons:
                    self._validated.add(name, info.key)
                if result.written:
                    result.written(info, reasons, partial(store.read, name, info.key))
                if self._on_partition:
                    self._on_partition(name, info)
        except Exception as error:  # of any kind: the stored partitions are reported before it is raised again
            self._full = error if isinstance(error, DiskFullError) else None
            for info, reasons in written:
                context.log_event(
                    dg.AssetMaterialization(
                        context.asset_key, partition=info.key or None, metadata=partition_metadata(info, reasons)
                    )
                )
            raise
        context.add_output_metadata({"dagster/row_count": sum(info.rows for info, _ in written)})

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the requested partitions as the class that the parameter's annotation names.

        Raises:
            KeyError: If a whole table is requested and none of its partitions is stored.
        """
        if context.upstream_output is None:
            raise ValueError(f"input {context.name} is not the output of an asset")
        name = context.upstream_output.definition_metadata[TABLE_KEY]
        keys = context.asset_partition_keys if context.has_asset_partitions else [""]
        stream = PartitionStream(self._store(), name, keys, (context.definition_metadata or {}).get(COLUMNS_KEY))
        wanted = context.dagster_type.typing_type
        if wanted not in frames.frame_kinds():
            return stream
        if not stream:
            raise KeyError(f"{name} has none of the {len(keys)} requested partitions; materialize it first")
        return frames.from_arrow(pa.concat_tables(stream.values()), wanted)


def partition_metadata(
    info: PartitionInfo, reasons: Sequence[str] | None = None, shown: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the metadata that Dagster shows of a stored partition: its content first, then its provenance.

    Args:
        info: The stored partition.
        reasons: Why the partition was computed; empty when it was reused; None when the reasons are unknown.
        shown: Metadata of this table alone, such as a chart or the path of a page.
    """
    facts = {
        **({PATH: dg.MetadataValue.path(on_one_line(path))} if (path := info.annotations.get(PATH)) else {}),
        "dagster/partition_row_count": info.rows,
        **(shown or {}),
        **({"failures": [asdict(failure) for failure in failures]} if (failures := failures_of(info)) else {}),
        **({"left_out_conversations": len(absent)} if (absent := left_out_of(info)) else {}),
        **{name: text for name, text in info.annotations.items() if name not in (FAILURES_KEY, LEFT_OUT_KEY, PATH)},
        "reused": reasons is not None and not reasons,
        **({COMPUTED_BECAUSE: "; ".join(reasons)} if reasons else {}),
        "bytes": info.bytes,
        CONTENT_HASH: info.content_hash,
        COMPUTED_FROM: dict(Provenance.parse(info.provenance).parts),
    }
    return {name: plain_metadata(value) for name, value in facts.items()}


def store_task(store: PartitionStore, table: Table, task: PartitionTask) -> PartitionInfo:
    """Compute and store one partition outside a Dagster step, by the same rules as an asset's result.

    Raises:
        PartitionError: Naming the partition, if computing fails, the table does not fit its declaration, or storing
            fails.
        DiskFullError: If a disk is full.
    """
    return _work(store, table, task)[0]


def as_tasks(obj: Any, key: str) -> PartitionTasks:
    """Convert an asset's return value to partition tasks.

    Args:
        obj: The return value.
        key: Partition key of a single returned table.

    Raises:
        TypeError: If the value is neither tasks, a table, a mapping nor an iterable of pairs.
    """
    if isinstance(obj, PartitionTasks):
        return obj
    if isinstance(obj, frames.frame_kinds()):
        obj = {key: obj}
    if isinstance(obj, Mapping):
        return PartitionTasks(PartitionTask(k, partial(obj.__getitem__, k)) for k in obj)
    if isinstance(obj, Iterable) and not isinstance(obj, str | bytes):
        return PartitionTasks(_given(obj))
    raise TypeError(f"cannot store a {type(obj).__name__}; return tables, a mapping or an iterable of (key, table)")


def _given(pairs: Iterable[tuple[str, pa.Table]]) -> Iterator[PartitionTask]:
    for key, table in pairs:
        yield PartitionTask(key, partial(_itself, table))


def _itself(table: pa.Table) -> pa.Table:
    return table


Stored = tuple[PartitionInfo, tuple[str, ...]]
"""A stored partition, and the reasons why it was computed; no reasons if it was reused."""


def _run(
    result: PartitionTasks, store: PartitionStore, table: Table, workers: int, block_rows: int = BLOCK_ROWS
) -> Iterator[Stored]:
    """Store every partition of a result, and yield them in their order.

    After the first failure no further unit of work starts; the failure is raised after the partitions that were stored.
    """
    failures: list[Exception] = []
    planned = (Planned(task, _decided(store, table, task)) for task in result.tasks if not failures)
    work = partial(_work_on_unit, store, table, result.block)
    for stored, failure in run_tasks(units(planned, result.block, block_rows), work, workers):
        yield from stored
        if failure is not None:
            failures.append(failure)
    if failures:
        raise failures[0]


def _work_on_unit(
    store: PartitionStore, table: Table, block: Block | None, unit: Sequence[Planned]
) -> tuple[list[Stored], Exception | None]:
    """Store the partitions of a unit up to the first that fails; return them, and the failure."""
    contents = contents_of(unit, block, partial(_checked, table))
    stored = []
    for one in unit:
        try:
            stored.append(_finish(store, table, one, contents.get(one.task.key)))
        except Exception as error:  # noqa: BLE001  (of any kind: the caller raises it after the stored partitions)
            return stored, error
    del contents
    if block is not None:
        release_freed_memory()
    return stored, None


def _work(store: PartitionStore, table: Table, task: PartitionTask) -> Stored:
    """Store one partition unless it is current."""
    return _finish(store, table, Planned(task, _decided(store, table, task)), None)


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
