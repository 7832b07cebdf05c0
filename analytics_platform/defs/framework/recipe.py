"""What a partition is computed from: the provenance that decides whether to compute it again.

Belongs here: a table's function, its inputs, and the fingerprint over code, inputs and settings.
Does not belong here: Dagster's contexts (``tables``) or where partitions are kept (``storage``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pyarrow as pa

from analytics_platform.defs.framework.computation import Computation, RecomputePolicy, is_due
from analytics_platform.model import Table
from analytics_platform.storage.failures import FAILURES_KEY, LEFT_OUT_KEY, failures_of, left_out_of
from analytics_platform.storage.partitions import (
    PartitionInfo,
    PartitionStore,
    PartitionStream,
    PartitionTask,
    fingerprint,
)

SOURCE_RESOURCE = "source"
"""The resource of recipes that read the source."""


@dataclass(frozen=True)
class Input:
    """One upstream table of a recipe.

    Attributes:
        table: Name of the table.
        store: Where it is kept.
        gives: What the function gets: the table of its own partition, a stream of partitions, what failed in its own
            partition, or nothing: then it only says which conversations to leave out.
        days_before: For a stream into a daily table: how many days before its own it reads.
    """

    table: str
    store: str
    gives: Literal["table", "stream", "failures", "nothing"] = "table"
    days_before: int = 0

    @property
    def whole(self) -> bool:
        """Whether it may be several partitions."""
        return self.gives == "stream"

    def identity(self, info: PartitionInfo) -> str:
        """Name what the function gets of a partition: equal names, equal input."""
        absent = info.annotations.get(LEFT_OUT_KEY, "")
        if self.gives == "failures":
            return info.annotations.get(FAILURES_KEY, "") + absent
        content = "" if self.gives == "nothing" else info.content_hash
        return f"{content} without {absent}" if absent and not self.whole else content


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
        isolates: Whether conversations that fail alone are left out, instead of failing the partition.
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
    isolates: bool = False

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
                parts.append(f"{name}/{key}/{self.inputs[name].identity(info)}")
        return fingerprint(*parts)

    def task(
        self, day: str, streams: Mapping[str, PartitionStream], resources: Mapping[str, Any], *, again: RecomputePolicy
    ) -> PartitionTask:
        """Return the lazy computation of one partition; whatever fails in it fails under the partition's name."""
        arguments: dict[str, Any] = {**resources, **({"day": day} if self.takes_day else {})}
        computation = Computation(
            partial(self.compute, **arguments),
            partial(self._read, day, streams),
            partial(self._left_out, day, streams),
            isolates=self.isolates,
        )

        def annotate(before: PartitionInfo | None) -> Mapping[str, str]:
            facts = self.annotate(day, **resources) if self.annotate else {}
            return {**facts, **computation.annotations(None if again is RecomputePolicy.FAILURES else before)}

        return PartitionTask(
            key=day,
            compute=computation.compute,
            rescue=computation.rescue,
            fingerprint=partial(self.fingerprint, day, streams, resources),
            annotate=annotate,
            force=lambda: again is RecomputePolicy.EVERYTHING or self._is_incomplete(day, resources),
            repeat=partial(is_due, again, reads_source=SOURCE_RESOURCE in self.resources),
        )

    def _read(self, day: str, streams: Mapping[str, PartitionStream]) -> dict[str, Any]:
        """Return what the function gets of its inputs."""
        found: dict[str, Any] = {}
        for name, stream in streams.items():
            match self.inputs[name].gives:
                case "table":
                    found[name] = stream[day]
                case "stream":
                    found[name] = stream.only(self._keys(name, day, stream))
                case "failures":
                    found[name] = failures_of(stream.info(day))
        return found

    def _left_out(self, day: str, streams: Mapping[str, PartitionStream]) -> frozenset[str]:
        """Return the conversations that an input of the same day lacks because they failed."""
        beside = [stream.info(day) for name, stream in streams.items() if not self.inputs[name].whole]
        return frozenset().union(*map(left_out_of, beside))

    def stale_days(
        self,
        days: Iterable[str],
        stores: Mapping[str, PartitionStore],
        resources: Mapping[str, Any],
        again: RecomputePolicy = RecomputePolicy.UNFINISHED,
    ) -> list[str]:
        """Return the partitions that are missing, due again, or were computed from something else than is there now.

        Args:
            days: Partitions asked about.
            stores: Every store by name.
            resources: Every resource by name.
            again: What counts as due though it is current.
        """
        mine = {name: resources[name] for name in self.resources}
        streams = {
            name: PartitionStream(stores[given.store], given.table, stores[given.store].keys(given.table))
            for name, given in self.inputs.items()
        }
        store = stores[self.store]
        return [day for day in days if self._is_stale(day, store, streams, mine, again)]

    def _is_stale(
        self,
        day: str,
        store: PartitionStore,
        streams: Mapping[str, PartitionStream],
        resources: Mapping[str, Any],
        again: RecomputePolicy,
    ) -> bool:
        known = store.info(self.table.name, day)
        if known is None or self._is_incomplete(day, resources) or is_due(again, known, reads_source=False):
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
