"""Build the marts: find the stale days of the warehouse, and bring them up to date with one ``dbt build``.

A build is published only if every test passed. ``dbt_project/`` defines the tables; ``defs.assets.mart_assets`` shows
them in Dagster.
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
    s3_defaults,
)
from analytics_platform.storage.warehouse.failed_tests import describe_problems
from analytics_platform.storage.warehouse.project_version import project_version
from analytics_platform.storage.warehouse.warehouse_file import Warehouse, read_days, record_days
from analytics_platform.system.disk_full import DiskFullError, disk_full_told, duckdb_says_full
from analytics_platform.system.plain_text import on_one_line

logger = logging.getLogger(__name__)

UNFINISHED = RecomputePolicy.UNFINISHED

LAKE_TABLES = (
    "conversations",
    "conversation_insights",
    "conversation_topics",
    "messages",
    "message_insights",
    "daily_metrics",
    "processing_errors",
)
"""The lake tables that the marts read, which are dbt's sources."""


class MissingDaysError(UserError, LookupError):
    """The lake lacks a table of a requested day; the message names table and day."""


class MartsFailedError(UserError, RuntimeError):
    """A model or a data test failed, so nothing was published; the message names each failure.

    Attributes:
        outcomes: Result of every model and test.
    """

    def __init__(self, outcomes: Sequence[NodeOutcome]) -> None:
        self.outcomes = outcomes
        super().__init__(*self._lines())

    def text(self, reported: Collection[str] = ()) -> str:
        """Return the failures, one line each.

        Args:
            reported: Names of tests whose problems are reported elsewhere; their lines contain only the name.
        """
        return "\n".join(map(on_one_line, self._lines(reported)))

    def _lines(self, reported: Collection[str] = ()) -> list[str]:
        failed = [one for one in self.outcomes if one.failed]
        lines = [one.name if one.name in reported else f"{one.name}: {one.explanation}" for one in failed]
        noun = "failure" if len(failed) == 1 else "failures"
        return [f"the warehouse stays as it was, because of {len(failed)} {noun}", *lines]


@dataclass(frozen=True)
class MartsReport:
    """Result of a build.

    Attributes:
        days: Reasons why each day was computed, ascending by day; empty when all days were current and dbt did not run.
        outcomes: Result of every model and test, in the order in which dbt ran them.
    """

    days: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outcomes: Sequence[NodeOutcome] = ()


@dataclass(frozen=True)
class Marts:
    """The marts of one warehouse over one lake.

    Args:
        warehouse: The published warehouse.
        lake: The lake's partitions, whose content hashes show which days have changed.
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
        """Decide for each of these days whether the warehouse must be built for it."""
        recorded = self.warehouse.days()
        return {day: decide(partial(_recorded_info, recorded, day), partial(self._provenance, day)) for day in days}

    def build(
        self,
        days: Iterable[str] | None,
        on_message: Callable[[str, str], None],
        *,
        force: bool = False,
        anew: bool = False,
    ) -> MartsReport:
        """Bring these days up to date and publish them, or do nothing when they are current.

        If the dbt project has changed since the warehouse was built, all days of the warehouse are built again, so that
        one warehouse never mixes two versions of the project. Days that have left the lake since then leave the
        warehouse too.

        Args:
            days: Days as ``YYYY-MM-DD``; all days of the warehouse when None.
            on_message: Called with (level, text) for each warning, error and model result of dbt.
            force: Whether to build current days, too.
            anew: Whether to start from an empty file, which then contains only these days; the published file is not
                read.

        Raises:
            MissingDaysError: If the lake lacks a table of a requested day.
            DiskFullError: If there is no space for the copy; the published warehouse is unchanged.
            MartsFailedError: If a model or a data test failed; the published warehouse is unchanged.
            DamagedWarehouseError: If the published file, which the build starts from, is damaged.
        """
        policy = RecomputePolicy.EVERYTHING if force or anew else UNFINISHED
        recorded = {} if anew else self.warehouse.days()
        wanted = self._stored_provenances(recorded) if days is None else self._provenances(days)
        if not _stale(wanted, recorded, policy):
            return MartsReport()
        try:
            with disk_full_told(self.warehouse.path):
                return self._publish(wanted, on_message, policy, anew=anew)
        except (duckdb.Error, DbtError, MartsFailedError):
            if not anew:
                self.warehouse.verify()  # if the published file is damaged, report the damage as the cause
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
            stale = _stale(wanted, recorded, policy)
            outcomes = self._run_dbt(path, sorted(stale), on_message) if stale else []
            record_days(path, {day: wanted[day].text() for day in stale})
        return MartsReport({day: stale[day] for day in sorted(stale)}, outcomes)

    def _provenances(self, days: Iterable[str]) -> dict[str, Provenance]:
        """Return the provenance of each of these days.

        Raises:
            MissingDaysError: If the lake lacks a table of one of them.
        """
        found = self._stored_provenances(days := list(days))
        if missing := [day for day in days if day not in found]:
            lacking = [f"{table} {day}" for day in missing for table in LAKE_TABLES if not self.lake.info(table, day)]
            raise MissingDaysError(f"materialize these partitions before the marts: {', '.join(lacking)}")
        return found

    def _stored_provenances(self, days: Iterable[str]) -> dict[str, Provenance]:
        """Return the provenance of each of these days for which the lake has every table."""
        provenances: dict[str, Provenance] = {}
        for day in days:
            with contextlib.suppress(MissingInputError):
                provenances[day] = self._provenance(day)
        return provenances

    def _provenance(self, day: str) -> Provenance:
        """Return the provenance of a day: the dbt project, and the day's content hash of each of ``LAKE_TABLES``.

        Raises:
            MissingInputError: If the lake lacks one of the tables.
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
        """The project's version at first use; a ``Marts`` object lives as long as one run."""
        return project_version(self.project_dir)

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
        """Add its problems to each failed test, while the built file still exists."""
        if not any(outcome.test for outcome in outcomes):
            return list(outcomes)
        with duckdb.connect(path, read_only=True) as connection, s3_defaults(self.s3_options):
            connection.execute("set timezone = 'UTC'")
            if self.lake_uri.startswith("s3://"):
                # Not the instance that dbt used: it caches listings.
                connection.register_filesystem(fsspec.filesystem("s3", skip_instance_cache=True))
            return [replace(one, problems=_problems(connection, one)) for one in outcomes]


def _recorded_info(recorded: Mapping[str, str], day: str) -> PartitionInfo | None:
    """Return the info of a day of the warehouse, of which only the provenance is recorded."""
    text = recorded.get(day)
    return None if text is None else PartitionInfo(day, rows=0, bytes=0, content_hash="", provenance=text)


def _stale(
    wanted: Mapping[str, Provenance], recorded: Mapping[str, str], policy: RecomputePolicy
) -> dict[str, tuple[str, ...]]:
    """Return the days to build, each with its reasons; the lake was asked for ``wanted`` once."""
    decisions = {
        day: decide(partial(_recorded_info, recorded, day), partial(wanted.__getitem__, day), policy) for day in wanted
    }
    return {day: decision.reasons for day, decision in decisions.items() if decision.is_stale}


def _problems(connection: duckdb.DuckDBPyConnection, outcome: NodeOutcome) -> tuple[str, ...]:
    """Return the problems of a failed test; empty for every other node, and when its rows cannot be read again."""
    if outcome.test is None:
        return ()
    try:
        return tuple(describe_problems(connection, outcome.test))
    except duckdb.Error as error:
        logger.warning("the failing rows of %s cannot be listed: %s", outcome.name, " ".join(str(error).split()))
        return ()
