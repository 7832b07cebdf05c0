"""The partitions that this process validated before it wrote them, so that a check need not read them again."""

from __future__ import annotations

from analytics_platform.storage.lake import Lake
from analytics_platform.storage.mongo import MongoStore
from analytics_platform.storage.partitions import PartitionInfo, PartitionStore


class Validated:
    """A record of validated partitions; safe to share between threads."""

    def __init__(self) -> None:
        self._partitions: dict[tuple[str, str], tuple[PartitionInfo, str]] = {}

    def add(self, name: str, info: PartitionInfo, run_id: str) -> None:
        """Record that a run validated a partition of table ``name`` against its declaration, and then wrote it."""
        self._partitions[name, info.key] = info, run_id

    def covers(self, store: PartitionStore, name: str, key: str, run_id: str) -> bool:
        """Tell whether a stored partition is as this process validated and wrote it.

        The lake keeps checksums: a file must be the same, byte for byte. MongoDB keeps none: the partition must have
        been written by the same run, its ledger entry must be the one that the run wrote, and the server must count as
        many documents as the entry says.

        Args:
            store: The store of the partition; no partition of another store than these two is covered.
            name: The table.
            key: The partition.
            run_id: The run that asks.

        Raises:
            LakeError: If the file cannot be read.
            MongoStoreError: If the server does not answer.
        """
        if (name, key) not in self._partitions:
            return False
        info, writer = self._partitions[name, key]
        if isinstance(store, Lake):
            return store.is_as_written(name, key)
        return isinstance(store, MongoStore) and writer == run_id and store.is_as_written(name, info)
