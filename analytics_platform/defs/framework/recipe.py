"""The recipe of a table: its function, its inputs, and the provenance that decides whether a partition is stale."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal

import pyarrow as pa

from analytics_platform.defs.framework.computation import Computation
from analytics_platform.defs.framework.isolation import without
from analytics_platform.model import Table
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.failures import FAILURES_KEY, LEFT_OUT_KEY, failures_of, left_out_of
from analytics_platform.storage.partitions import (
    FEW_KEYS,
    PartitionInfo,
    PartitionStore,
    PartitionStream,
    PartitionTask,
)
from analytics_platform.storage.provenance import CODE, INPUT, SCHEMA, Provenance, short_hash
from analytics_platform.storage.staleness import (
    KeptDays,
    MissingInputError,
    RecomputeDecision,
    RecomputePolicy,
    decide,
    decide_not_kept,
)
from analytics_platform.storage.work.blocks import Block
from analytics_platform.storage.work.orders import Order

SOURCE_RESOURCE = "source"
"""Name of the resource that reads the source."""
DAY_PARAMETER = "day"
"""Parameter of a recipe's function that gets the key of the partition."""
DAYS_PARAMETER = "days"
"""Parameter of a function that spans days: the keys of the partitions that it computes at once."""
_ELSEWHERE = frozenset({"cleaning", "insights", "corrections"})
"""The resources that another process makes from its own settings, and from what an order holds."""


@dataclass(frozen=True)
class Input:
    """One upstream table of a recipe.

    Attributes:
        table: Name of the table.
        store: Name of the store that keeps it.
        gives: The argument of the function: the table of the same partition, a stream of partitions, the failures of
            the same partition, or nothing. An input that gives nothing only names conversations to leave out.
        days_before: For a stream into a daily table: number of days before the partition that it includes.
    """

    table: str
    store: str
    gives: Literal["table", "stream", "failures", "nothing"] = "table"
    days_before: int = 0

    @property
    def whole(self) -> bool:
        """Whether the input may span several partitions."""
        return self.gives == "stream"

    def identity(self, info: PartitionInfo) -> str:
        """Return a name of the content that the function gets from a partition; equal names mean equal input."""
        absent = info.annotations.get(LEFT_OUT_KEY, "")
        if self.gives == "failures":
            return info.annotations.get(FAILURES_KEY, "") + absent
        content = "" if self.gives == "nothing" else info.content_hash
        return f"{content} without {absent}" if absent and not self.whole else content


@dataclass(frozen=True)
class PartitionFacts:
    """Functions that say something about one partition; each takes its day and the recipe's resources by name.

    Attributes:
        version: Returns version strings, by name, of further things that the content depends on.
        annotate: Returns annotations stored with the partition.
        unfinished: Returns a phrase for work that the partition still waits for; None for no such work.
        metadata: Takes the day, the table and the resources; returns metadata to show in the graph, such as a chart.
        is_off: Takes the resources only; tells whether the table is empty on every day, whatever its inputs. Then
            nothing is read and no function called.
    """

    version: Callable[..., Mapping[str, str]] | None = None
    annotate: Callable[..., Mapping[str, str]] | None = None
    unfinished: Callable[..., str | None] | None = None
    metadata: Callable[..., Mapping[str, Any]] | None = None
    is_off: Callable[..., bool] | None = None


@dataclass(frozen=True)
class Recipe:
    """The computation of a table by partitions.

    Attributes:
        table: Declaration of the result.
        store: Name of the store that keeps the result.
        compute: Pure function; its parameters are inputs, resources and optionally ``day``, or ``days`` if it spans
            them.
        inputs: Upstream tables by parameter.
        cadence: The period of one partition; a ``WHOLE`` table is one partition with key ``""``.
        code_version: Hash of the code that computes the table.
        facts: What else decides about a partition, and is stored or shown with it.
        isolates: Whether conversations that fail alone are left out, instead of failing the partition.
        spans_days: Whether the function computes several days at once from tables of several days; its result for a day
            does not depend on the other days.
        kept_days: The days that the store keeps; None if it keeps all.
    """

    table: Table
    store: str
    compute: Callable[..., pa.Table]
    inputs: Mapping[str, Input]
    cadence: Cadence
    code_version: str
    facts: PartitionFacts = field(default_factory=PartitionFacts)
    isolates: bool = False
    spans_days: bool = False
    kept_days: KeptDays | None = None

    def keeps(self, key: str) -> bool:
        """Tell whether the store keeps a partition."""
        return self.kept_days is None or self.cadence is Cadence.WHOLE or key in self.kept_days

    @cached_property
    def _parameters(self) -> frozenset[str]:
        return frozenset(inspect.signature(self.compute).parameters)

    @cached_property
    def takes_day(self) -> bool:
        """Whether the function has the parameter ``day`` or ``days``."""
        return not self._parameters.isdisjoint({DAY_PARAMETER, DAYS_PARAMETER})

    @cached_property
    def _schema_version(self) -> str:
        return short_hash(self.table.form)

    @cached_property
    def resources(self) -> tuple[str, ...]:
        """Names of the function's parameters that are resources."""
        names = inspect.signature(self.compute).parameters
        return tuple(name for name in names if name not in (*self.inputs, DAY_PARAMETER, DAYS_PARAMETER))

    def provenance(self, day: str, streams: Mapping[str, PartitionStream], resources: Mapping[str, Any]) -> Provenance:
        """Return the named parts that the partition is computed from.

        Raises:
            MissingInputError: If an input of the partition is not stored.
        """
        parts = {CODE: self.code_version, SCHEMA: self._schema_version}
        if self.facts.version:
            parts |= self.facts.version(day, **resources)
        for name in self.inputs:
            stream = streams[name]
            identities = []
            for key in self._keys(name, day, stream):
                info = stream.info(key)
                if info is None:
                    raise MissingInputError(stream.name, key)
                identities.append(f"{key}/{self.inputs[name].identity(info)}")
            parts[f"{INPUT}{stream.name}"] = short_hash("\x1f".join(identities))
        return Provenance.of(parts)

    def decide(
        self,
        day: str,
        stored: Callable[[], PartitionInfo | None],
        streams: Mapping[str, PartitionStream],
        resources: Mapping[str, Any],
        policy: RecomputePolicy,
    ) -> RecomputeDecision:
        """Decide whether one partition must be computed; ``stored`` looks up the stored partition."""
        if self.kept_days is not None and not self.keeps(day):
            return decide_not_kept(stored, self.kept_days)
        return decide(
            stored,
            partial(self.provenance, day, streams, resources),
            policy,
            reads_source=SOURCE_RESOURCE in self.resources,
            unfinished=self.facts.unfinished(day, **resources) if self.facts.unfinished else None,
        )

    def task(
        self, day: str, streams: Mapping[str, PartitionStream], resources: Mapping[str, Any], *, policy: RecomputePolicy
    ) -> PartitionTask:
        """Return the lazy computation of one partition."""
        is_off = self._is_off(resources)
        computation = Computation(
            self.table.empty if is_off else partial(self.compute, **resources, **self._of_days([day])),
            dict if is_off else partial(self._read, day, streams),
            partial(self._left_out, day, streams),
            isolates=self.isolates,
        )

        def annotate(before: PartitionInfo | None) -> Mapping[str, str]:
            told = self.facts.annotate(day, **resources) if self.facts.annotate else {}
            return {**told, **computation.annotations(None if policy is RecomputePolicy.FAILURES else before)}

        return PartitionTask(
            key=day,
            compute=computation.compute,
            decide=lambda stored: self.decide(day, stored, streams, resources, policy),
            rescue=computation.rescue,
            annotate=annotate,
        )

    def block(self, streams: Mapping[str, PartitionStream], resources: Mapping[str, Any]) -> Block | None:
        """Return how partitions are computed together; None if the function computes one partition at a time."""
        is_off = self._is_off(resources)
        if not self.spans_days and not is_off:
            return None
        tables = [name for name, given in self.inputs.items() if given.gives == "table"]
        whole = [name for name, given in self.inputs.items() if given.whole]

        def rows(day: str) -> int:
            found = [streams[name].info(day) for name in tables]
            return max((info.rows for info in found if info), default=0)

        def compute(days: Sequence[str]) -> pa.Table:
            if is_off:
                return self.table.empty()
            read = [without(self._read(day, streams), self._left_out(day, streams)) for day in days]
            joined: dict[str, Any] = {name: pa.concat_tables([inputs[name] for inputs in read]) for name in tables}
            for name in whole:
                joined[name] = streams[name].only([key for day in days for key in self._keys(name, day, streams[name])])
            return self.compute(**resources, **self._of_days(days), **joined)

        return Block(rows, compute)

    @cached_property
    def is_orderable(self) -> bool:
        """Whether another process can compute partitions of the table."""
        by_day = all(given.gives in ("table", "nothing") for given in self.inputs.values())
        return self.spans_days and by_day and self.store == "lake" and _ELSEWHERE.issuperset(self.resources)

    def order(
        self, run: str, resources: Mapping[str, Any], policy: RecomputePolicy
    ) -> Callable[[Mapping[str, RecomputeDecision]], Order] | None:
        """Return what makes orders for other processes; None if only this process can compute the table.

        Args:
            run: Identity of the run.
            resources: The resources of the recipe, by name.
            policy: Which partitions are computed again although nothing has changed.
        """
        if not self.is_orderable:
            return None

        def ordered(decisions: Mapping[str, RecomputeDecision]) -> Order:
            corrections = resources["corrections"].by_place if "corrections" in resources else {}
            return Order(self.table.name, run, decisions, policy, corrections)

        return ordered

    def _is_off(self, resources: Mapping[str, Any]) -> bool:
        return self.facts.is_off is not None and self.facts.is_off(**resources)

    def _of_days(self, days: Sequence[str]) -> dict[str, Any]:
        """Return the argument of the function that names its days; none if it takes none."""
        if DAY_PARAMETER in self._parameters:
            return {DAY_PARAMETER: days[0]}
        return {DAYS_PARAMETER: days} if DAYS_PARAMETER in self._parameters else {}

    def _read(self, day: str, streams: Mapping[str, PartitionStream]) -> dict[str, Any]:
        """Return the arguments of the function that come from inputs."""
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
        """Return the conversations that failed in an input of the same partition."""
        beside = [stream.info(day) for name, stream in streams.items() if not self.inputs[name].whole]
        return frozenset().union(*map(left_out_of, beside))

    def decisions(
        self,
        days: Iterable[str],
        stores: Mapping[str, PartitionStore],
        resources: Mapping[str, Any],
        policy: RecomputePolicy = RecomputePolicy.UNFINISHED,
        keys: Callable[[str, str], Sequence[str]] | None = None,
    ) -> dict[str, RecomputeDecision]:
        """Decide for each partition whether it must be computed.

        Args:
            days: Keys of the partitions.
            stores: Every store by name.
            resources: Every resource by name.
            policy: Which partitions are computed again although nothing has changed.
            keys: Returns the keys of the stored partitions, given the names of a store and of a table; the store is
                asked when None. Who decides about many tables lists each input once.
        """
        days = list(days)
        mine = {name: resources[name] for name in self.resources}
        listed = keys or (lambda store, table: stores[store].keys(table))
        streams = {
            name: PartitionStream.unlisted(
                stores[source.store],
                source.table,
                listed(source.store, source.table) if source.whole or len(days) > FEW_KEYS else days,
            )
            for name, source in self.inputs.items()
        }
        stored = stores[self.store].info
        return {day: self.decide(day, partial(stored, self.table.name, day), streams, mine, policy) for day in days}

    def _keys(self, name: str, day: str, stream: PartitionStream) -> list[str]:
        """Return the partitions of an input that the partition ``day`` reads."""
        given = self.inputs[name]
        if not given.whole:
            return [day]
        if self.cadence is Cadence.WHOLE:
            return list(stream)
        first = (dt.date.fromisoformat(day) - dt.timedelta(days=given.days_before)).isoformat()
        return [key for key in stream if first <= key <= day]
