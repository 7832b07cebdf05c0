"""The Dagster IO manager: it stores an asset's result as partitions, and loads stored partitions as an asset's input.

One class serves every ``PartitionStore``: the lake, MongoDB and the report pages.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import dagster as dg
import pyarrow as pa

from analytics_platform.model import Table
from analytics_platform.storage import frames
from analytics_platform.storage.event_history.asset_events import CONTENT_HASH
from analytics_platform.storage.failures import FAILURES_KEY, LEFT_OUT_KEY, failures_of, left_out_of
from analytics_platform.storage.leases.held_lease import LeaseLostError
from analytics_platform.storage.partitions import (
    PATH,
    PartitionInfo,
    PartitionStore,
    PartitionStream,
    PartitionTask,
    PartitionTasks,
)
from analytics_platform.storage.provenance import Provenance
from analytics_platform.storage.validated import Validated
from analytics_platform.storage.work.blocks import BLOCK_ROWS
from analytics_platform.storage.work.orders import Delegate
from analytics_platform.storage.work.storing import store_all
from analytics_platform.system.disk_full import DiskFullError
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
        delegate: Passes blocks to other processes; None for a store whose blocks are all computed in this process.
        orders_follow: Tells whether a run computes a table from that of an asset, directly or not, which the delegate
            may compute. Gets the asset's name, and the names of the run's assets, none if it materializes all.
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
        delegate: Delegate | None = None,
        orders_follow: Callable[[str, Collection[str]], bool] = lambda _, __: False,
    ) -> None:
        self._store = store
        self._tables = tables
        self._workers = workers
        self._on_partition = on_partition
        self._validated = validated
        self._block_rows = block_rows
        self._delegate = delegate
        self._orders_follow = orders_follow
        self._ended: DiskFullError | LeaseLostError | None = None

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Compute and store every partition of the result, in order.

        Raises:
            PartitionError: Naming the first partition that failed; the partitions that were stored stay stored and are
                reported to Dagster as materialized, with the reasons why they were computed.
            DiskFullError: If a disk is full. After one asset of the run has met a full disk, every later asset raises
                this error at once: Dagster continues with steps that do not depend on the failed one, and they would
                fail too.
            LeaseLostError: If another machine has taken over the run's days; also for every later asset.
        """
        if self._ended is not None:
            raise self._ended
        name = context.definition_metadata[TABLE_KEY]
        result = as_tasks(obj, context.partition_key if context.has_partition_key else "")
        store, table = self._store(), self._tables[name]
        stored = store_all(
            result, store, table, self._workers, self._block_rows, self._delegate,
            orders_follow=self._orders_follow(context.asset_key.to_user_string(), result.selected),
        )  # fmt: skip
        written: list[tuple[PartitionInfo, tuple[str, ...]]] = []
        try:
            for info, reasons in stored:
                written.append((info, reasons))
                if self._validated and reasons:
                    self._validated.add(name, info, context.run_id)
                if result.written:
                    result.written(info, reasons, partial(store.read, name, info.key))
                if self._on_partition:
                    self._on_partition(name, info)
        except Exception as error:  # of any kind: the stored partitions are reported before it is raised again
            self._ended = error if isinstance(error, DiskFullError | LeaseLostError) else None
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
