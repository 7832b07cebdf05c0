"""What a partition is computed from: the provenance that decides whether to compute it again.

Belongs here: a table's function, its inputs, and the fingerprint over code, inputs and settings.
Does not belong here: Dagster's contexts (``tables``) or where partitions are kept (``storage``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from analytics_platform.model import Table
from analytics_platform.storage.partitions import PartitionStore, PartitionStream, PartitionTask, fingerprint


@dataclass(frozen=True)
class Input:
    """One upstream table of a recipe.

    Attributes:
        table: Name of the table.
        store: Where it is kept.
        whole: Whether the function gets a stream of partitions, not the table of its own partition.
        days_before: For a stream into a daily table: how many days before its own it reads.
    """

    table: str
    store: str
    whole: bool = False
    days_before: int = 0


@dataclass(frozen=True)
class Recipe:
    """How one partition of a table is made, and from what.

    Attributes:
        table: Declaration of the result.
        store: Where the result is kept.
        compute: Pure function; its parameters are inputs, resources and optionally ``day``.
        takes_day: Whether the function has the parameter ``day``.
        inputs: Upstream tables by parameter.
        resources: Names of the parameters that are resources.
        daily: Whether the table has daily partitions; otherwise it is one partition, with key ``""``.
        code_version: Hash of the code that computes it.
        version: From (day, resources): what else the content depends on.
        annotate: From (day, resources): facts to keep with the partition.
        incomplete: From (day, resources): whether something that goes with the partition is missing.
    """

    table: Table
    store: str
    compute: Callable[..., pa.Table]
    takes_day: bool
    inputs: Mapping[str, Input]
    resources: tuple[str, ...]
    daily: bool
    code_version: str
    version: Callable[..., str] | None = None
    annotate: Callable[..., Mapping[str, str]] | None = None
    incomplete: Callable[..., bool] | None = None

    def fingerprint(self, day: str, streams: Mapping[str, PartitionStream], resources: Mapping[str, Any]) -> str:
        """Hash everything that the partition is computed from.

        Raises:
            KeyError: If an input is not stored for that day.
        """
        parts = [self.code_version, str(self.table.arrow_schema)]
        if self.version:
            parts.append(self.version(day, **resources))
        for name in self.inputs:  # in the order declared, whatever that of the streams
            stream = streams[name]
            for key in self._keys(name, day, stream):
                info = stream.info(key)
                if info is None:
                    raise KeyError(f"{stream.name} has no partition {key}; materialize it first")
                parts.append(f"{name}/{key}/{info.content_hash}")
        return fingerprint(*parts)

    def task(
        self, day: str, streams: Mapping[str, PartitionStream], resources: Mapping[str, Any], *, force: bool
    ) -> PartitionTask:
        """Return the lazy computation of one partition; whatever fails in it fails under the partition's name."""
        arguments: dict[str, Any] = {**resources, **({"day": day} if self.takes_day else {})}

        def compute() -> pa.Table:
            tables = {
                name: stream.only(self._keys(name, day, stream)) if self.inputs[name].whole else stream[day]
                for name, stream in streams.items()
            }
            return self.compute(**arguments, **tables)

        return PartitionTask(
            key=day,
            compute=compute,
            fingerprint=partial(self.fingerprint, day, streams, resources),
            annotate=partial(self.annotate, day, **resources) if self.annotate else None,
            force=lambda: force or self._is_incomplete(day, resources),
        )

    def stale_days(
        self, days: Iterable[str], stores: Mapping[str, PartitionStore], resources: Mapping[str, Any]
    ) -> list[str]:
        """Return the partitions that are missing, or were computed from something else than is there now.

        Args:
            days: Partitions asked about.
            stores: Every store by name.
            resources: Every resource by name.
        """
        mine = {name: resources[name] for name in self.resources}
        streams = {
            name: PartitionStream(stores[given.store], given.table, stores[given.store].keys(given.table))
            for name, given in self.inputs.items()
        }
        store = stores[self.store]
        return [day for day in days if self._is_stale(day, store, streams, mine)]

    def _is_stale(
        self, day: str, store: PartitionStore, streams: Mapping[str, PartitionStream], resources: Mapping[str, Any]
    ) -> bool:
        known = store.info(self.table.name, day)
        if known is None or self._is_incomplete(day, resources):
            return True
        try:
            return known.fingerprint != self.fingerprint(day, streams, resources)
        except KeyError:  # an input is missing, so this partition is of another time
            return True

    def _is_incomplete(self, day: str, resources: Mapping[str, Any]) -> bool:
        return self.incomplete is not None and self.incomplete(day, **resources)

    def _keys(self, name: str, day: str, stream: PartitionStream) -> list[str]:
        """Return the partitions of an input that the partition ``day`` reads."""
        given = self.inputs[name]
        if not given.whole:
            return [day]
        if not self.daily:
            return list(stream)
        first = (dt.date.fromisoformat(day) - dt.timedelta(days=given.days_before)).isoformat()
        return [key for key in stream if first <= key <= day]


@cache
def code_version(*places: ModuleType) -> str:
    """Hash the source text of modules, and of everything below those that are packages.

    So that an edit makes stale what it may change, and nobody has to remember to raise a number.
    """
    digest = hashlib.sha256()
    for place in places:
        origin = Path(str(place.__file__))
        files = sorted(origin.parent.rglob("*")) if origin.name == "__init__.py" else [origin]
        for file in files:
            if file.suffix in {".py", ".yaml", ".j2"}:
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
