"""The graph of a platform with its event history, opened at the first run over a range of days.

Opening takes seconds: Dagster and dbt are imported, every asset is defined, and the event history is opened. A command
that finds no stale day does without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from analytics_platform.operations.runs.outcome import Outcome

if TYPE_CHECKING:
    import dagster as dg


class Graph:
    """The graph and the Dagster instance that records its runs; each is opened at first use.

    Args:
        define: Returns the definitions.
        open_instance: Returns the instance; ``close`` closes it.
    """

    def __init__(self, define: Callable[[], dg.Definitions], open_instance: Callable[[], dg.DagsterInstance]) -> None:
        self._define = define
        self._open_instance = open_instance
        self._closes = True

    @classmethod
    def of(cls, definitions: dg.Definitions, instance: dg.DagsterInstance) -> Graph:
        """Return the graph of definitions and an instance that are open already; ``close`` leaves the instance open."""
        graph = cls(lambda: definitions, lambda: instance)
        graph._closes = False
        return graph

    @cached_property
    def definitions(self) -> dg.Definitions:
        """The definitions."""
        return self._define()

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The instance."""
        return self._open_instance()

    def run(
        self,
        job_name: str,
        first: str,
        last: str,
        outcome: Outcome,
        *,
        selection: Sequence[dg.AssetKey] | None = None,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Materialize a range of days as one Dagster run; see ``graph_run.run_range``."""
        from analytics_platform.operations.runs.graph_run import run_range  # noqa: PLC0415  (imports Dagster)

        run_range(
            self.definitions, job_name, first, last, outcome, selection=selection, tags=tags, instance=self.instance
        )

    def close(self) -> None:
        """Close the instance if this object opened it."""
        if self._closes and "instance" in self.__dict__:
            self.instance.dispose()
            del self.instance
