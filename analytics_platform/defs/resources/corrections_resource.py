"""Corrections of labels as a resource: from all places that hold some, as they are when a run first asks.

A place that does not answer does not stop a run: the corrections that it had at the last reading hold meanwhile, so
that no label changes back and forth.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from threading import RLock
from typing import Any

import pyarrow as pa

from analytics_platform.defs.resources.last_readings import LastReadings, Rows
from analytics_platform.errors import UserError
from analytics_platform.insights.learning.standing_corrections import (
    NO_CORRECTIONS,
    StandingCorrections,
    standing_corrections,
)
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy
from analytics_platform.insights.tiers.tier import Kind
from analytics_platform.sources.nocodb.noco_api.nocodb_errors import (
    NocoCircuitOpenError,
    NocoRateLimitError,
    NocoServerError,
)
from analytics_platform.storage.partitions import PartitionStore, StoreUnreachableError

logger = logging.getLogger(__name__)

_TABLE = "conversations"
_REMOTE = frozenset({"mongodb", "nocodb"})
"""Places that may not answer for a while; a file that cannot be read is a mistake, and stops a run."""
_OUTAGES = (StoreUnreachableError, NocoServerError, NocoRateLimitError, NocoCircuitOpenError)
"""Errors of a server that does not answer at present. Any other error, such as a refused token or a renamed column,
lasts until a person mends it, and stops a run."""


class Corrections:
    """The corrections of all places; safe to share between threads. A run has one object, so it sees one state.

    Args:
        places: Reader of the corrections of each place, by its name; called at most once.
        last: Copies of what each server had last.
        lake: Returns the store of the conversations.
        taxonomy: Returns the taxonomy that names the labels.
        warned: Warnings that this process has given, which are not repeated.
    """

    def __init__(
        self,
        places: Mapping[str, Callable[[], Rows]],
        last: LastReadings,
        lake: Callable[[], PartitionStore],
        taxonomy: Callable[[], Taxonomy],
        warned: set[str] | None = None,
    ) -> None:
        self._places = places
        self._last = last
        self._lake = lake
        self._taxonomy = taxonomy
        self._warned = set() if warned is None else warned
        self._lock = RLock()
        self._fetched: dict[str, Rows] = {}
        self._faults: dict[str, UserError] = {}
        self._days: dict[str, tuple[str, StandingCorrections]] = {}

    @property
    def rows(self) -> Rows:
        """Every correction with its ``feedback_id`` and ``origin``, ascending by ``feedback_id``.

        Raises:
            UserError: If a place does not answer.
        """
        return _sorted({origin: self._read(origin) for origin in self._places})

    def by_kind(self, ids: pa.Array) -> Mapping[Kind, pa.Array]:
        """Return by kind the label that a person gave each conversation, null for none; shape (ids,)."""
        with self._lock:
            return self._standing.by_kind(ids)

    def version(self, day: str) -> Mapping[str, str]:
        """Return the part of a day's provenance that names its corrections; empty for a day without any."""
        version = self.of_day(day).version
        return {"corrections": version} if version else {}

    def of_day(self, day: str) -> StandingCorrections:
        """Return the corrections of a day's stored conversations that hold."""
        with self._lock:
            if not self._standing.labels.num_rows:
                return NO_CORRECTIONS
            lake = self._lake()
            info = lake.info(_TABLE, day)
            if info is None:
                return NO_CORRECTIONS
            known = self._days.get(day)
            if known is None or known[0] != info.content_hash:
                ids = lake.read(_TABLE, day, ["conversation_id"])["conversation_id"]
                known = self._days[day] = (info.content_hash, self._standing.of(ids))
            return known[1]

    @property
    def by_place(self) -> Mapping[str, Rows]:
        """The rows that hold, by place: those of the last reading for a place that does not answer.

        Raises:
            UserError: If a place cannot be read, except for a while.
        """
        with self._lock:
            return self._holding

    @cached_property
    def _holding(self) -> Mapping[str, Rows]:
        by_place = {}
        for origin in self._places:
            try:
                by_place[origin] = self._read(origin)
            except _OUTAGES as error:
                if origin not in _REMOTE:
                    raise
                by_place[origin] = self._last.last_known(origin)
                self._warn(
                    f"corrections of {origin} cannot be read, and the {len(by_place[origin]):,} of the last reading "
                    f"hold meanwhile: {error.faults[0]}"
                )
        return by_place

    @cached_property
    def _standing(self) -> StandingCorrections:
        found = standing_corrections(_sorted(self._holding), self._taxonomy())
        if found.problem:
            self._warn(found.problem)
        return found

    def _read(self, origin: str) -> Rows:
        """Return the rows of one place, or raise its error again; the place is asked once."""
        with self._lock:
            if origin in self._faults:
                raise self._faults[origin]
            if origin not in self._fetched:
                try:
                    rows = [{**row, "origin": origin} for row in self._places[origin]()]
                except UserError as error:
                    self._faults[origin] = error
                    raise
                if origin in _REMOTE:
                    self._last.remember(origin, rows)
                self._fetched[origin] = rows
            return self._fetched[origin]

    def _warn(self, line: str) -> None:
        if line not in self._warned:
            self._warned.add(line)
            logger.warning("%s", line)


def _sorted(by_place: Mapping[str, Sequence[dict[str, Any]]]) -> Rows:
    """Return the rows of all places by id; a restored backup may have put one into a second place."""
    rows = {str(row["feedback_id"]): row for place in reversed(list(by_place.values())) for row in place}
    return [rows[name] for name in sorted(rows)]
