"""Building the marts: which days of the warehouse are out of date, and one ``dbt build`` that brings them up to date.

Belongs here: the decision what to build, and publishing it only when every test passed. Does not belong here: the
tables themselves (``dbt_project/``) and how Dagster shows them (``defs.assets.mart_assets``).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import duckdb
import fsspec  # type: ignore[import-untyped]

from analytics_platform.errors import UserError
from analytics_platform.storage.partitions import PartitionInfo, PartitionStore
from analytics_platform.storage.provenance import CODE, INPUT, Provenance, short_hash
from analytics_platform.storage.staleness import MissingInputError, RecomputeDecision, RecomputePolicy, decide
from analytics_platform.storage.warehouse.dbt_project import (
    DbtError,
    NodeOutcome,
    build_project,
    project_hash,
    s3_defaults,
)
from analytics_platform.storage.warehouse.failed_tests import describe_problems
from analytics_platform.storage.warehouse.warehouse_file import Warehouse, read_days, record_days
from analytics_platform.system.disk_full import DiskFullError, disk_full_told, duckdb_says_full
from analytics_platform.system.plain_text import on_one_line

logger = logging.getLogger(__name__)

UNFINISHED = RecomputePolicy.UNFINISHED

LAKE_TABLES = (
    "conversations",
    "conversation_insights",
    "messages",
    "message_insights",
    "daily_metrics",
    "processing_errors",
)
"""The tables of the lake that the marts read: dbt's sources."""


class MissingDaysError(UserError, LookupError):
    """A day was asked for that the lake does not hold completely; the message names table and day."""


class MartsFailedError(UserError, RuntimeError):
    """A model or a data test failed, so nothing was published; the message names each.

    Attributes:
        outcomes: What became of every model and test.
    """

    def __init__(self, outcomes: Sequence[NodeOutcome]) -> None:
        self.outcomes = outcomes
        super().__init__(*self._lines())

    def text(self, reported: Collection[str] = ()) -> str:
        """Return what failed, one line each.

        Args:
            reported: Names of tests whose problems are told elsewhere; only their names are told.
        """
        return "\n".join(map(on_one_line, self._lines(reported)))

    def _lines(self, reported: Collection[str] = ()) -> list[str]:
        failed = [one for one in self.outcomes if one.failed]
        lines = [one.name if one.name in reported else f"{one.name}: {one.explanation}" for one in failed]
        noun = "failure" if len(failed) == 1 else "failures"
        return [f"the warehouse stays as it was, because of {len(failed)} {noun}", *lines]


@dataclass(frozen=True)
class MartsReport:
    """What a build did.

    Attributes:
        days: Why each day was computed, ascending by day; empty when all were up to date and dbt was not started.
        outcomes: What became of every model and test, in the order in which dbt ran them.
    """

    days: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outcomes: Sequence[NodeOutcome] = ()


@dataclass(frozen=True)
class Marts:
    """The marts of one warehouse over one lake.

    Args:
        warehouse: Where they are published.
        lake: What the lake's partitions hold, to tell which days have changed.
        lake_uri: Folder or ``s3://bucket/prefix`` of the same lake, for dbt.
        project_dir: Folder of the dbt project.
        target_dir: Folder for dbt's artifacts and log.
        s3_options: Keyword arguments of ``s3fs.S3FileSystem`` (``key``, ``secret``, ``endpoint_url``, ...), for a lake
            on S3 that the usual ``AWS_*`` variables do not describe.
    """

    warehouse: Warehouse
    lake: PartitionStore
    lake_uri: str
    project_dir: Path
    target_dir: Path
    s3_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def decisions(self, days: Iterable[str]) -> dict[str, RecomputeDecision]:
        """Decide for each of these days whether the published warehouse must be built for it."""
        recorded = self.warehouse.days()
        return {day: self._decide(day, recorded) for day in days}

    def _decide(self, day: str, recorded: Mapping[str, str], policy: RecomputePolicy = UNFINISHED) -> RecomputeDecision:
        def stored() -> PartitionInfo | None:
            text = recorded.get(day)
            return None if text is None else PartitionInfo(day, rows=0, bytes=0, content_hash="", fingerprint=text)

        return decide(stored, partial(self._provenance, day), policy)

    def build(
        self,
        days: Iterable[str] | None,
        on_message: Callable[[str, str], None],
        *,
        force: bool = False,
        anew: bool = False,
    ) -> MartsReport:
        """Bring these days up to date and publish, or do nothing when they are.

        When the dbt project has changed since the warehouse was built, all of its days are built anew, so that one
        warehouse is never the work of two versions; a day that has left the lake since then leaves it too.

        Args:
            days: Days as ``YYYY-MM-DD``; all days that the warehouse holds when None.
            on_message: Called with (level, text) for every message of dbt worth a reader's time.
            force: Whether to build also days that are up to date.
            anew: Whether to start from an empty file, which will hold these days alone; the published one is not read.

        Raises:
            MissingDaysError: If the lake lacks a table of a day asked for.
            DiskFullError: If there is no space for the copy; the published warehouse is as it was.
            MartsFailedError: If a model or a data test failed; the published warehouse is as it was.
            DamagedWarehouseError: If the published file, which is built upon, does not hold what was written.
        """
        policy = RecomputePolicy.EVERYTHING if force or anew else UNFINISHED
        recorded = {} if anew else self.warehouse.days()
        wanted = self._stored_provenances(recorded) if days is None else self._provenances(days)
        if not any(self._decide(day, recorded, policy).is_stale for day in wanted):
            return MartsReport()
        try:
            with disk_full_told(self.warehouse.path):
                return self._publish(wanted, on_message, policy, anew=anew)
        except (duckdb.Error, DbtError, MartsFailedError):
            if not anew:
                self.warehouse.verify()  # damage in what was built upon is the cause to tell of
            raise

    def _publish(
        self,
        wanted: dict[str, Provenance],
        on_message: Callable[[str, str], None],
        policy: RecomputePolicy,
        *,
        anew: bool,
    ) -> MartsReport:
        with self.warehouse.build(anew=anew) as path:
            # Read again: another writer may have published while this one waited for its turn.
            recorded = read_days(path)
            if any(Provenance.parse(text).parts.get(CODE) != self._version for text in recorded.values()):
                wanted |= self._stored_provenances(recorded)
                recorded = {}
                path.unlink()
            decisions = {day: self._decide(day, recorded, policy) for day in wanted}
            stale = {day: decision for day, decision in decisions.items() if decision.is_stale}
            outcomes = self._run_dbt(path, sorted(stale), on_message) if stale else []
            record_days(path, {day: wanted[day].text() for day in stale})
        return MartsReport({day: stale[day].reasons for day in sorted(stale)}, outcomes)

    def _provenances(self, days: Iterable[str]) -> dict[str, Provenance]:
        """Return what each of these days is built from.

        Raises:
            MissingDaysError: If the lake lacks a table of one of them.
        """
        found = self._stored_provenances(days := list(days))
        if missing := [day for day in days if day not in found]:
            lacking = [f"{table} {day}" for day in missing for table in LAKE_TABLES if not self.lake.info(table, day)]
            raise MissingDaysError(f"materialize these partitions before the marts: {', '.join(lacking)}")
        return found

    def _stored_provenances(self, days: Iterable[str]) -> dict[str, Provenance]:
        """Return what each of these days is built from, as far as the lake holds it completely."""
        found: dict[str, Provenance] = {}
        for day in days:
            with contextlib.suppress(MissingInputError):
                found[day] = self._provenance(day)
        return found

    def _provenance(self, day: str) -> Provenance:
        """Name what a day is built from: the dbt project, and six tables of the lake.

        Raises:
            MissingInputError: If the lake lacks one of them.
        """
        parts = {CODE: self._version}
        for table in LAKE_TABLES:
            info = self.lake.info(table, day)
            if info is None:
                raise MissingInputError(table, day)
            parts[f"{INPUT}{table}"] = short_hash(info.content_hash)
        return Provenance.of(parts)

    @cached_property
    def _version(self) -> str:
        """The project as it is when first asked for; an object lives as long as one run."""
        return project_hash(self.project_dir)

    def _run_dbt(self, path: Path, days: list[str], on_message: Callable[[str, str], None]) -> list[NodeOutcome]:
        variables = {"days": days, "lake": self.lake_uri, "warehouse": str(path)}
        outcomes = build_project(self.project_dir, self.target_dir, variables, self.s3_options, on_message)
        if any(outcome.failed and duckdb_says_full(outcome.message) for outcome in outcomes):
            raise DiskFullError(self.warehouse.path)
        outcomes = self._explained(path, outcomes)
        if any(outcome.failed for outcome in outcomes):
            raise MartsFailedError(outcomes)
        return outcomes

    def _explained(self, path: Path, outcomes: Sequence[NodeOutcome]) -> list[NodeOutcome]:
        """Add to each failed test what it found, as long as the file that it looked at is there."""
        if not any(outcome.test for outcome in outcomes):
            return list(outcomes)
        with duckdb.connect(path, read_only=True) as connection, s3_defaults(self.s3_options):
            connection.execute("set timezone = 'UTC'")
            if self.lake_uri.startswith("s3://"):
                # Not the instance that dbt used: it remembers listings.
                connection.register_filesystem(fsspec.filesystem("s3", skip_instance_cache=True))
            return [replace(one, problems=_problems(connection, one)) for one in outcomes]


def _problems(connection: duckdb.DuckDBPyConnection, outcome: NodeOutcome) -> tuple[str, ...]:
    """Return what a failed test found; nothing for whatever else, and where the rows cannot be read again."""
    if outcome.test is None:
        return ()
    try:
        return tuple(describe_problems(connection, outcome.test))
    except duckdb.Error as error:
        logger.warning("the failing rows of %s cannot be told: %s", outcome.name, " ".join(str(error).split()))
        return ()


def _changed(wanted: Mapping[str, str], recorded: Mapping[str, str]) -> dict[str, str]:
    return {day: value for day, value in wanted.items() if recorded.get(day) != value}
