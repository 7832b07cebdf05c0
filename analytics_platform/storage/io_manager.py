"""The IO manager: how an asset's result becomes stored partitions, and stored partitions an asset's input.

One class serves every ``PartitionStore`` (lake, MongoDB, pages). Belongs here: the meeting of Dagster's
contexts with the stream of partitions. Does not belong here: how a store keeps a partition.
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
from analytics_platform.system.disk_full import DiskFullError, find_disk_full
from analytics_platform.system.plain_text import on_one_line, plain_metadata

TABLE_KEY = "analytics/table"
"""Definition metadata that names the table an asset is stored as."""

COMPUTED_BECAUSE = "computed_because"
"""Metadata of a partition that was computed: why."""

COMPUTED_FROM = "computed_from"
"""Metadata of a stored partition: the named parts of its provenance."""

COLUMNS_KEY = "columns"
"""Input metadata that lists the columns to read."""


class StoreIOManager(dg.IOManager):
    """Keep assets in a partition store; ranges of partitions stream through.

    An asset may return ``PartitionTasks`` (lazy and parallel), a mapping or an iterable of
    (partition key, table) pairs (lazy), or one table for a single partition. It receives, by its parameter's
    annotation, a ``PartitionStream`` (lazy), or all partitions asked for as a ``pyarrow.Table``, a ``pandas.DataFrame``
    or a ``cudf.DataFrame``; it may return any of these tables, too.

    Args:
        store: Gives the store; called at the first use, so that nothing is contacted before.
        tables: The declaration of every table by its name; what does not fit its declaration is refused.
        workers: Partitions worked on at once.
        on_partition: Told (table name, info) after each partition is stored, e.g. to show progress.
    """

    def __init__(
        self,
        store: Callable[[], PartitionStore],
        tables: Mapping[str, Table],
        workers: int,
        on_partition: Callable[[str, PartitionInfo], None] | None = None,
    ) -> None:
        self._store = store
        self._tables = tables
        self._workers = workers
        self._on_partition = on_partition
        self._full: DiskFullError | None = None

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Compute and store every partition of the result, in order.

        Raises:
            PartitionError: Naming the first partition that failed; those before it stay stored and are
                reported to Dagster as materialized.
            DiskFullError: If a disk is full, also where it was another asset of the run that met it: Dagster goes on
                with the steps that do not depend on one that failed, and there is nothing to be gained from them.
        """
        if self._full is not None:
            raise self._full
        name = context.definition_metadata[TABLE_KEY]
        result = as_tasks(obj, context.partition_key if context.has_partition_key else "")
        store, table = self._store(), self._tables[name]
        written: list[PartitionInfo] = []
        try:
            for info, reasons in run_tasks(result.tasks, lambda task: _work(store, table, task), self._workers):
                written.append(info)
                if result.written:
                    result.written(info, reasons, partial(store.read, name, info.key))
                if self._on_partition:
                    self._on_partition(name, info)
        except Exception as error:  # whatever it was, what is stored is told before it goes on
            self._full = error if isinstance(error, DiskFullError) else None
            for info in written:
                context.log_event(
                    dg.AssetMaterialization(
                        context.asset_key, partition=info.key or None, metadata=partition_metadata(info)
                    )
                )
            raise
        context.add_output_metadata({"dagster/row_count": sum(info.rows for info in written)})

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the partitions asked for, as the annotation of the parameter says.

        Raises:
            KeyError: If a whole table is asked for and none of its partitions is stored.
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
            raise KeyError(f"{name} has none of the {len(keys)} partitions asked for; materialize it first")
        return frames.from_arrow(pa.concat_tables(stream.values()), wanted)


def partition_metadata(
    info: PartitionInfo, reasons: Sequence[str] | None = None, shown: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what Dagster shows of a stored partition: first what it holds, then how it came about.

    Args:
        info: What is stored.
        reasons: Why it was computed; empty when it was reused; None when that is not known.
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
        COMPUTED_FROM: dict(Provenance.parse(info.fingerprint).parts),
    }
    return {name: plain_metadata(value) for name, value in facts.items()}


def store_task(store: PartitionStore, table: Table, task: PartitionTask) -> PartitionInfo:
    """Compute and store one partition by itself, under the same rules as the result of an asset.

    Raises:
        PartitionError: Naming the partition, if it cannot be computed, does not fit its declaration, or is not stored.
        DiskFullError: If a disk is full.
    """
    return _work(store, table, task)[0]


def as_tasks(obj: Any, key: str) -> PartitionTasks:
    """Bring whatever an asset returned into the form of tasks; ``key`` is that of a single partition.

    Raises:
        TypeError: If it is nothing that can be stored.
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


def _work(store: PartitionStore, table: Table, task: PartitionTask) -> tuple[PartitionInfo, tuple[str, ...]]:
    """Store one partition unless it is current; return its info, and why it was computed."""
    try:
        stored = partial(store.info, table.name, task.key)
        decision = task.decide(stored) if task.decide else RecomputeDecision(("it has no provenance",), Provenance())
        if decision.stored is not None and not decision.is_stale:
            return decision.stored, ()
        provenance = decision.known_provenance()
        content = _content(table, task)
        annotations = task.annotate(decision.stored if decision.unchanged else None) if task.annotate else None
        return store.write(table.name, task.key, content, provenance.text(), annotations), decision.reasons
    except Exception as error:  # whatever it was, it is raised again under the name of its partition
        place = f"partition {task.key} of {table.name}" if task.key else table.name
        if full := find_disk_full(error, place):
            raise full from error
        message = error.args[0] if isinstance(error, KeyError) and error.args else error  # a KeyError quotes itself
        raise PartitionError(on_one_line(f"{place}: {message}")) from error


def _content(table: Table, task: PartitionTask) -> pa.Table:
    """Return the content of a partition as it is stored, or what of it can be rescued."""
    try:
        return _checked(table, task.compute())
    except Exception as error:
        if task.rescue is None:
            raise
        return task.rescue(error, partial(_checked, table))


def _checked(table: Table, content: pa.Table) -> pa.Table:
    content = table.conform(frames.leave_gpu(content))
    if violations := find_violations(table, content):
        raise ValueError("; ".join(map(str, violations)))
    return content
