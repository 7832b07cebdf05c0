"""The partitions that this process validated before it wrote them, so that a check need not decode them again."""

from __future__ import annotations

from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import PartitionStore


class Validated:
    """A record of validated partitions; safe to share between threads."""

    def __init__(self) -> None:
        self._partitions: set[tuple[str, str]] = set()

    def add(self, name: str, key: str) -> None:
        """Record that a partition of table ``name`` was validated against its declaration, and then written."""
        self._partitions.add((name, key))

    def covers(self, store: PartitionStore, name: str, key: str) -> bool:
        """Tell whether a stored partition is, byte for byte, a file that this process validated and wrote.

        Args:
            store: The store of the partition; only the lake keeps checksums of its files.
            name: The table.
            key: The partition.

        Raises:
            LakeError: If the file cannot be read.
        """
        return (name, key) in self._partitions and isinstance(store, Lake) and store.is_as_written(name, key)
